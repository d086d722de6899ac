"""python -m benchmarks.augment: our augmentation beside its roofline and what it replaces.

One table from one run, on drawn cut-outs. Every figure is the median of `ROUNDS` interleaved
measurements, in pictures a second. `roofline` is one process that does nothing but one warpAffine a
picture and one sequential write; `stage` is the whole of what `dvc repro` runs: start of the
processes, PNG decoding, compositing, copies, shards and index.
"""

import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from stages.augment.augment import augment, prepare, warp
from stages.augment.transform import draw, matrices
from stages.common.images import write_png
from stages.common.params import Augment

ROUNDS = 3
COPIES = 100
DRAWN = 40  # different cut-outs; files repeat them
ORIGINAL = 400  # pictures are enough to time the slow ways
SETTINGS = (("64x64 RGB", 64, "rgb", 600), ("200x200 grey", 200, "gray", 200))  # ..., photos


def main() -> None:
    cv2.setNumThreads(1)
    print(f"{'pictures a second':34}" + "".join(f"{name:>16}" for name, *_ in SETTINGS))
    columns = [measure(size, channels, photos) for _, size, channels, photos in SETTINGS]
    for way in columns[0]:
        print(f"{way:34}" + "".join(f"{column[way]:16,.0f}" for column in columns))
    ratios = (
        ("stage, 1 process", "roofline, 1 process", ">= 0.6"),
        ("stage, 2 processes", "stage, 1 process", ">= 1.8"),
        ("stage, 2 processes", "ImageDataGenerator.flow, saving", ">= 40"),
        ("stage, 2 processes", "Keras layers, batch 32, no saving", ""),
    )
    for over, under, target in ratios:
        values = "".join(f"{column[over] / column[under]:15.2f}x" for column in columns)
        print(f"{over} / {under}: {values}  {target}")


def measure(size: int, channels: str, photos: int) -> dict[str, float]:
    """Pictures a second of each way, by name."""
    params = Augment(
        **dict(copies=COPIES, size=size, channels=channels, background=(127, 127, 127)),
        **dict(rotation=40, shift=0.2, shear=0.2, zoom=0.2, flip=True, seed=1),
    )
    cutouts = [cutout(seed) for seed in range(DRAWN)]
    pictures = np.stack([prepare(each, params) for each in cutouts])
    generator, layers = keras_generator(), keras_layers()
    with tempfile.TemporaryDirectory() as root:
        images = Path(root) / "images"
        images.mkdir()
        ids = [f"{number:016x}" for number in range(photos)]
        for number, id in enumerate(ids):
            write_png(images / f"{id}.png", cutouts[number % DRAWN])
        splits = pd.DataFrame({"id": ids, "label": "face", "part": "train"})
        few = pd.DataFrame({"id": ids[:2], "label": "face", "part": ["val", "test"]})
        splits = pd.concat([splits, few])

        def stage(workers: int) -> int:
            augment(splits, images, Path(root) / "shards", params, ["face"], workers)
            return photos * COPIES

        ways: dict[str, Callable[[], int]] = {
            "roofline, 1 process": lambda: roofline(pictures, photos, params, Path(root)),
            "stage, 1 process": lambda: stage(1),
            "stage, 2 processes": lambda: stage(2),
            "ImageDataGenerator.flow, saving": lambda: original(generator, pictures, Path(root)),
            "Keras layers, batch 32, no saving": lambda: layered(layers, pictures),
        }
        layers(pictures[:32].astype(np.float32), training=True)  # traced once, outside the clock
        rates = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, run in ways.items():
                start = time.perf_counter()
                rates[way].append(run() / (time.perf_counter() - start))
    return {way: statistics.median(values) for way, values in rates.items()}


def cutout(seed: int) -> np.ndarray:
    """A drawn head and shoulders, RGBA 256 x 256, with soft light and a camera's noise."""
    rng = np.random.default_rng(seed)
    light = cv2.resize(rng.uniform(60, 200, (4, 4, 3)).astype(np.float32), (256, 256))
    picture = light + rng.normal(0, 3, light.shape)
    alpha = np.zeros((256, 256), np.uint8)
    cv2.ellipse(alpha, (128, 115), (60, 80), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(alpha, (128, 260), (110, 80), 0, 0, 360, 255, -1, cv2.LINE_AA)
    for x in (105, 151):
        cv2.circle(picture, (x, 105), 8, (30, 30, 40), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (128, 155), (22, 8), 0, 0, 360, (150, 60, 60), -1, cv2.LINE_AA)
    picture = np.clip(picture, 0, 255).astype(np.uint8) * (alpha[..., None] > 0)
    return np.dstack([picture, cv2.GaussianBlur(alpha, (5, 5), 2)])


def roofline(pictures: np.ndarray, photos: int, params: Augment, folder: Path) -> int:
    warps = [matrices(draw(f"{seed:016x}", COPIES, params), params.size) for seed in range(DRAWN)]
    warped = np.empty_like(pictures[0])
    with (folder / "roofline").open("wb") as file:
        for number in range(photos):
            for matrix in warps[number % DRAWN]:
                warp(pictures[number % DRAWN], matrix, warped)
                file.write(warped)
    (folder / "roofline").unlink()
    return photos * COPIES


def keras_generator() -> "object":
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    return ImageDataGenerator(
        rotation_range=40,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
        fill_mode="nearest",
    )


def original(generator: "object", pictures: np.ndarray, folder: Path) -> int:
    """As the team behind the project did it: picture by picture, each into a file of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as saved:
        flow = generator.flow(pictures, batch_size=1, save_to_dir=saved, save_format="jpeg")
        for _ in range(ORIGINAL):
            next(flow)
    return ORIGINAL


def keras_layers() -> Callable:
    import keras
    import tensorflow as tf

    layers = keras.Sequential(
        [
            keras.layers.RandomRotation(40 / 360, fill_mode="nearest"),
            keras.layers.RandomTranslation(0.2, 0.2, fill_mode="nearest"),
            keras.layers.RandomZoom((-0.2, 0.2), (-0.2, 0.2), fill_mode="nearest"),
            keras.layers.RandomFlip("horizontal"),
        ]
    )
    return tf.function(layers)


def layered(layers: Callable, pictures: np.ndarray) -> int:
    batch = pictures[:32].astype(np.float32)
    batches = 40
    for _ in range(batches):
        layers(batch, training=True).numpy().astype(np.uint8)
    return 32 * batches


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main()
