"""Exported files, run as other programs run them: one core, a picture at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.common.backend import silent_stderr
from stages.common.errors import UserError
from stages.records.export import Runtime, View


class Exported:
    """The parts of a network in files of one runtime, as `stages.networks.predict` takes it.

    `files`: the network; or the trunk, then the head.
    """

    def __init__(self, runtime: Runtime, files: Sequence[Path], views: Sequence[View]) -> None:
        open_file = {"litert": LiteRT, "onnx": Onnx}[runtime]
        *trunk, self._last = [open_file(file) for file in files]
        self._trunk, self._views = trunk[0] if trunk else None, views
        self.outputs = [np.empty((1, width), np.float32) for width in self._last.widths]

    def predict_on_batch(self, pictures: np.ndarray) -> Any:
        """As Keras' method of this name; `pictures`: uint8 (N, H, W, C)."""
        rows = [self._answer(picture[None]) for picture in pictures]
        found = [np.concatenate(each) for each in zip(*rows, strict=True)]
        return found if len(found) > 1 else found[0]

    def _answer(self, picture: np.ndarray) -> list[np.ndarray]:
        given = [self._view(name, picture) for name in self._views]
        return self._last.run(dict(zip(self._views, given, strict=True)))

    def _view(self, name: View, picture: np.ndarray) -> np.ndarray:
        seen = picture[:, :, ::-1] if name.startswith("mirrored") else picture
        if name.endswith("pixels"):
            return seen
        assert self._trunk, f"{name} need a trunk"
        return self._trunk.run({"pixels": seen})[0]


class LiteRT:
    def __init__(self, file: Path) -> None:
        """Raises `UserError` where the network asks for what LiteRT lacks."""
        from ai_edge_litert.interpreter import Interpreter

        try:
            with silent_stderr():  # it reports which kernels it uses
                interpreter = Interpreter(str(file), num_threads=1)
                interpreter.allocate_tensors()
        except RuntimeError as error:
            raise UserError(
                f"LiteRT cannot run {file.name} ({str(error)[:300]}); an earlier version made this "
                "network: search for another one"
            ) from error
        self._run = interpreter.get_signature_runner()
        self._outputs = sorted(self._run.get_output_details())  # the order that Keras gave them

    @property
    def widths(self) -> list[int]:
        details = self._run.get_output_details()
        return [int(details[name]["shape"][-1]) for name in self._outputs]

    def run(self, given: dict[str, np.ndarray]) -> list[np.ndarray]:
        found = self._run(**given)
        return [found[name] for name in self._outputs]


class Onnx:
    def __init__(self, file: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        cpu = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(file), options, providers=cpu)

    @property
    def widths(self) -> list[int]:
        return [int(each.shape[-1]) for each in self._session.get_outputs()]

    def run(self, given: dict[str, np.ndarray]) -> list[np.ndarray]:
        def plain(value: np.ndarray) -> np.ndarray:
            return value.transpose(0, 3, 1, 2).astype(np.float32) if value.ndim == 4 else value

        return self._session.run(None, {name: plain(value) for name, value in given.items()})


def custom_operations(file: bytes) -> list[str]:
    """Names of the operations in a LiteRT file that LiteRT itself does not have."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(file, 0))
    return sorted({each.customCode.decode() for each in model.operatorCodes if each.customCode})
