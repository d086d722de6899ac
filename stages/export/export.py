"""The promoted network of a task as files for LiteRT and ONNX, judged on test."""

import dataclasses
import logging
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import keras
import numpy as np
import onnx
from msgspec.structs import replace

from stages.common.errors import UserError
from stages.common.files import sha256
from stages.export import eight_bits, judge, onnx_file
from stages.export.parts import Parts, parts
from stages.export.runtimes import Exported, custom_operations
from stages.networks.export import convert
from stages.networks.part import Part
from stages.networks.predict import outputs
from stages.records.calibration import CALIBRATION
from stages.records.chain import CHAIN
from stages.records.export import File, Output, Runtime, Variant
from stages.records.faces import GEOMETRY
from stages.records.promotion import SEEN
from stages.records.trials import LITE, MODEL

log = logging.getLogger(__name__)
SUFFIX: dict[Runtime, str] = {"litert": "tflite", "onnx": "onnx"}
Name = Literal["network", "trunk", "head"]
WORTH = 0.9  # of the float files' size: int8 files that are not smaller are not written


def export(champion: Path, test: Part, val: Part, out: Path) -> tuple[Parts, list[Variant]]:
    """Write the files of the chain in `champion` into the folder `out`; what each is worth.

    `test`, `val`: photos as its network sees them.
    """
    network = keras.saving.load_model(champion / MODEL, compile=False)
    exam = _exam(network, champion, test, val)
    found = parts(network, GEOMETRY.read(champion))
    return found, [
        variant for runtime in SUFFIX for variant in _of_runtime(runtime, found, exam, out)
    ]


def output_names(kind: str, count: int) -> tuple[Output, ...]:
    """What the outputs of a network are, in order."""
    return ("value",) if kind == "regression" else ("classes", "value")[:count]


def _exam(network: keras.Model, champion: Path, test: Part, val: Part) -> judge.Exam:
    kind, calibration = CHAIN.read(champion).kind, CALIBRATION.read(champion)
    seen = set(SEEN.frame(champion)["id"])
    unknown = np.array([id not in seen for id in test.ids], bool)
    exam = judge.Exam(kind, calibration, test, val, outputs(network, test.pictures, kind), unknown)
    # Val may have changed since the network was calibrated, or the network has trained on it.
    if not len(val.ids) or not judge.same(judge.calibrated(network, exam), calibration):
        log.info("val is not what the network was calibrated on: int8 keeps its calibration")
        exam = dataclasses.replace(exam, val=None)
    return exam


def write(
    runtime: Runtime, network: Parts, outputs: tuple[Output, ...], out: Path
) -> tuple[list[File], list[File]]:
    """The files in float32 and those in int8, in the folder `out`; `outputs`: their names.

    Raises `UserError` if the network has an operation that LiteRT lacks.
    """
    models: dict[Name, keras.Model] = {"network": network.rest}
    if network.trunk:
        models = {"trunk": network.trunk, "head": network.rest}
    whole, small = [], []
    for name, model in models.items():
        file, rounded = (out / f"{name}{end}.{SUFFIX[runtime]}" for end in ("", "-int8"))
        if runtime == "litert":
            _write_litert(model, file)
            rounded.write_bytes(eight_bits.of_litert(file.read_bytes()))
        else:
            made = onnx_file.of_keras(model, ("features",) if name == "trunk" else outputs)
            onnx.save(made, file)
            onnx.save(eight_bits.of_onnx(made), rounded)
        whole.append(_named(name, file))
        small.append(_named(name, rounded))
    return whole, small


def _of_runtime(runtime: Runtime, network: Parts, exam: judge.Exam, out: Path) -> list[Variant]:
    """The float files, and the int8 ones if they pass."""
    names = output_names(exam.kind, len(network.rest.outputs))
    whole, small = write(runtime, network, names, out)

    def measured(weights: Literal["float32", "int8"], files: list[File]) -> Variant:
        ready = Exported(runtime, [out / each.file for each in files], network.views)
        answers = outputs(ready, exam.test.pictures, exam.kind)
        off = judge.apart(answers, exam.keras)
        calibration, gate = exam.calibration, None
        if weights == "int8":
            calibration = judge.calibrated(ready, exam)
            gate = judge.judge(answers, calibration, exam)
        else:
            judge.check_float(" and ".join(each.file for each in files), off)
        return Variant(
            runtime=runtime,
            weights=weights,
            shipped=gate is None or gate.passed,
            files=tuple(files),
            calibration=calibration,
            apart=off,
            milliseconds=judge.milliseconds(ready, exam.test.pictures.read(np.arange(1))),
            gate=gate,
        )

    first = measured("float32", whole)
    if sum(f.bytes for f in small) > WORTH * first.bytes:
        _remove(out, small)
        return [first]
    second = measured("int8", small)
    if second.shipped:
        return [replace(first, shipped=False), second]
    assert second.gate
    log.warning("%s: int8 is not shipped: %s", runtime, second.gate.about)
    _remove(out, small)
    return [first, replace(second, files=())]


def _remove(out: Path, files: list[File]) -> None:
    for each in files:
        (out / each.file).unlink()


def _write_litert(model: keras.Model, file: Path) -> None:
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        with TemporaryDirectory() as scratch:
            convert(model, Path(scratch))
            shutil.move(Path(scratch, LITE), file)
    except ConverterError as error:
        missing = re.findall(r"(?m)^\w+ ops: (.+)", str(error)) or [str(error)[:300]]
        raise _cannot(file, missing) from error
    # TensorFlow's own ("Flex") run in this process, and nowhere without TensorFlow.
    if missing := custom_operations(file.read_bytes()):
        raise _cannot(file, missing)


def _cannot(file: Path, missing: list[str]) -> UserError:
    return UserError(
        f"LiteRT has no {', '.join(missing)}, which {file.name} asks for; an earlier version made "
        "this network: search for another one"
    )


def _named(part: Name, file: Path) -> File:
    """A trunk is named by its content: tasks that have the same one are seen to share it."""
    digest = sha256(file)
    if part == "trunk":
        file = file.rename(file.with_name(f"trunk-{digest[:16]}{file.suffix}"))
    return File(file.name, part, file.stat().st_size, digest)
