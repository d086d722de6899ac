"""Any segmenter in ONNX format as a rembg session."""

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import onnxruntime
from PIL import Image
from rembg.sessions.base import BaseSession

from stages.common.errors import UserError

if TYPE_CHECKING:
    from stages.records.params import Onnx


class OnnxSession(BaseSession):
    """A `stages.matte.matte.Session`, built on rembg's own."""

    def __init__(self, file: Path, params: "Onnx", options: onnxruntime.SessionOptions) -> None:
        """Raises `UserError` if the network cannot take pictures of `params.size`."""
        super().__init__(file.stem, options, providers=["CPUExecutionProvider"], file=file)
        self._params = params
        self._input = self.inner_session.get_inputs()[0]
        shape = self._input.shape  # numbers, and names or None where any number will do
        self._channels_last = shape[-1] == 3
        side = params.size
        wanted = [1, side, side, 3] if self._channels_last else [1, 3, side, side]
        if len(shape) != 4 or any(
            isinstance(has, int) and has != want for has, want in zip(shape, wanted, strict=True)
        ):
            raise UserError(f"matte.onnx.size {side}: {file.name} takes pictures of shape {shape}")

    def predict(self, img: Image.Image, *args: object, **kwargs: object) -> list[Image.Image]:
        image = np.asarray(img.convert("RGB"))
        person = self._person(image)
        if self._params.mirror:
            person = (person + self._person(image[:, ::-1])[:, ::-1]) / 2
        alpha = cv2.resize(person, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return [Image.fromarray((alpha * 255).round().astype(np.uint8))]

    def _person(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) `uint8` -> (h, w) `float32`: the probability of a person, at its own size."""
        side = self._params.size
        shrinks = side < min(image.shape[:2])
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        small = cv2.resize(image, (side, side), interpolation=method).astype(np.float32) / 255
        mean, std = (np.array(each, np.float32) for each in (self._params.mean, self._params.std))
        small = (small - mean) / std
        batch = (small if self._channels_last else small.transpose(2, 0, 1))[None]
        output = self.inner_session.run(None, {self._input.name: batch})[0][0]
        if output.ndim == 2:
            output = output[None]
        elif self._channels_last:
            output = output.transpose(2, 0, 1)
        if self._params.channel >= len(output):
            raise UserError(
                f"matte.onnx.channel {self._params.channel}: {self.model_name} has the channels "
                f"0 to {len(output) - 1}"
            )
        person = _ACTIVATIONS[self._params.activation](output)[self._params.channel]
        if not (person.min() >= -0.01 and person.max() <= 1.01):  # not-a-number fails this too
            raise UserError(
                f"matte.onnx.activation {self._params.activation!r}: {self.model_name} then says "
                f"{person.min():.3g} to {person.max():.3g}, which are no probabilities; try "
                "sigmoid or softmax"
            )
        return person.clip(0, 1)

    @classmethod
    def download_models(cls, *args: object, file: Path, **kwargs: object) -> Path:
        return file

    @classmethod
    def name(cls, *args: object, **kwargs: object) -> str:
        return "onnx"


def _softmax(output: np.ndarray) -> np.ndarray:
    powers = np.exp(output - output.max(axis=0))
    return powers / powers.sum(axis=0)


_ACTIVATIONS = {
    "none": lambda output: output,
    "sigmoid": lambda output: (1 + np.tanh(output / 2)) / 2,  # no overflow
    "softmax": _softmax,
}
