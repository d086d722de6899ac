"""taskset -c 0 python -m benchmarks.export [task ...]

The files of data/export on one core, beside the promoted network in Keras and beside MobileNetV2
(which Teachable Machine exports) at the same input, whose weights are random here: size, and
milliseconds of CPU a picture, one at a time.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from stages.common.backend import import_keras
from stages.export.export import SUFFIX, write
from stages.export.judge import milliseconds
from stages.export.parts import parts
from stages.export.runtimes import Exported
from stages.networks.predict import Network
from stages.records.export import EXPORT, Card
from stages.records.folders import Folders
from stages.records.shards import Shards
from stages.records.trials import MODEL


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.export", description=__doc__)
    parser.add_argument("tasks", nargs="*", default=["age", "idol", "tone", "harry"])
    print("| task | network | runtime, weights | MB | a picture, ms |")
    print("| --- | --- | --- | --- | --- |")
    for task in parser.parse_args().tasks:
        at = Folders(task)
        card = EXPORT.read(at.export)
        picture = Shards(at.shards / "test").read(np.arange(1))
        keras = import_keras()
        file = at.promote / card.role / MODEL
        promoted = keras.saving.load_model(file, compile=False)
        show(task, "promoted", "Keras", file.stat().st_size, promoted, picture)
        for each in card.variants:
            if each.files:
                files = [at.export / file.file for file in each.files]
                ready = Exported(each.runtime, files, card.views)
                name = f"{each.runtime}, {each.weights}"
                show(task, "promoted", name, each.bytes, ready, picture)
        mobilenet(task, card, picture)


def mobilenet(task: str, card: Card, picture: np.ndarray) -> None:
    """Rows of a MobileNetV2 with as many classes as the task."""
    keras = import_keras()
    pixels = keras.Input(picture.shape[1:], dtype="uint8", name="pixels")
    body = keras.applications.MobileNetV2(
        picture.shape[1:], weights=None, classes=len(card.classes)
    )
    network = keras.Model(pixels, body(keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)))
    with TemporaryDirectory() as scratch:
        file = Path(scratch, MODEL)
        network.save(file)
        show(task, "MobileNetV2", "Keras", file.stat().st_size, network, picture)
        found = parts(network, card.crop)
        for runtime in SUFFIX:
            written = write(runtime, found, ("classes",), Path(scratch))
            for weights, [each] in zip(("float32", "int8"), written, strict=True):
                ready = Exported(runtime, [Path(scratch, each.file)], found.views)
                show(task, "MobileNetV2", f"{runtime}, {weights}", each.bytes, ready, picture)


def show(task: str, network: str, how: str, size: int, ready: Network, picture: np.ndarray) -> None:
    each = milliseconds(ready, picture)
    print(f"| `{task}` | {network} | {how} | {size / 1e6:.2f} | {each:.1f} |", flush=True)


if __name__ == "__main__":
    main()
