"""python -m benchmarks.augment: augmentation against its upper bound and other libraries.

Pictures a second on drawn cut-outs: medians of `ROUNDS` interleaved measurements. `roofline` is
the upper bound of one process: one warpAffine and one sequential write a picture, first with
OpenCV's warp, then with our faster one. `stage` is all of `augment`: start of the processes, PNG
decoding, compositing, copies, shards and index. No measurement contains the removal of earlier
files. A measurement writes at most 2 GB, which the system keeps in memory, so that the disk hardly
counts; the original job of 3.6 GB is run once, with the disk.
"""

import logging
import multiprocessing
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import cv2
import numpy as np

from stages.augment.render import prepare, warp
from stages.augment.transform import Spread, draw, matrices
from stages.common.images import write_png
from stages.records import folders
from stages.records.look import Look
from stages.records.splits import Assignment, Part

if TYPE_CHECKING:  # the worker processes import this module, and not what only `augment` needs
    from stages.records.params import Augment

T = TypeVar("T")
SPREAD = Spread(rotation=40, shift=0.2, shear=0.2, zoom=0.2, flip=True, seed=1)
ROUNDS = 5
PHOTOS, COPIES = 901, 100  # the original job
DRAWN = 40  # different cut-outs; files repeat them
SLOW = 800  # pictures are enough to time the slow ways
Channels = Literal["rgb", "gray"]
SETTINGS: tuple[tuple[str, int, Channels, int], ...] = (  # ..., photos
    ("64x64 RGB", 64, "rgb", 1500),
    ("200x200 grey", 200, "gray", 450),
)
ROOFLINE, FASTER = "roofline, 1 process", "roofline with our warp, 1 process"
STAGE_1, STAGE_2 = "stage, 1 process", "stage, 2 processes"
ORIGINAL = "ImageDataGenerator.flow, saving"
LAYERS, ALBUMENTATIONS = "Keras layers, batch 32, no saving", "Albumentations, no saving"
RATIOS = (
    (STAGE_1, ROOFLINE, ">= 0.6"),
    (STAGE_1, FASTER, ""),
    (STAGE_2, STAGE_1, ">= 1.8"),
    (STAGE_2, ORIGINAL, ">= 40"),
    (STAGE_2, LAYERS, ""),
    (STAGE_2, ALBUMENTATIONS, ""),
)


def main() -> None:
    cv2.setNumThreads(1)
    cutouts = [cutout(seed) for seed in range(DRAWN)]
    with tempfile.TemporaryDirectory() as root:
        images, out = Path(root) / "mattes", Path(root) / "out"
        folders.pictures(images).mkdir(parents=True)
        for number in range(max(photos for *_, photos in SETTINGS)):
            write_png(
                folders.picture(images, f"{number:016x}"), cutouts[number % DRAWN], stored=True
            )
        # First, because a process counts the memory of the one that started it.
        peaks = {photos: in_fresh_process(peak, images, photos, out) for photos in (10, PHOTOS)}
        start = time.perf_counter()
        stage(images, PHOTOS, settings(200, "gray"), out, 2)
        seconds = time.perf_counter() - start
        shutil.rmtree(out)
        columns = [
            measure(cutouts, images, photos, settings(size, channels))
            for _, size, channels, photos in SETTINGS
        ]
    print(f"{'pictures a second':36}" + "".join(f"{name:>16}" for name, *_ in SETTINGS))
    for way in columns[0]:
        print(f"{way:36}" + "".join(f"{column[way]:16,.0f}" for column in columns))
    if ALBUMENTATIONS not in columns[0]:
        print(f"{ALBUMENTATIONS:36}not installed: pip install albumentations")
    for over, under, target in RATIOS:
        if under in columns[0]:
            values = "".join(f"{column[over] / column[under]:15.2f}x" for column in columns)
            print(f"{over} / {under}: {values}  {target}")
    job = PHOTOS * COPIES
    print(
        f"the original job, {PHOTOS} photos to {job:,} at 200x200 grey: {seconds:.1f} s with 2 "
        f"processes; the original way {job / columns[1][ORIGINAL]:.0f} s (from its rate)"
    )
    for photos, (parent, worker) in peaks.items():
        print(
            f"peak memory, {photos * COPIES:,} pictures at 200x200 grey: "
            f"parent {parent:.0f} MB, each worker at most {worker:.0f} MB"
        )


def settings(size: int, channels: Channels) -> "Augment":
    from stages.records.params import Augment

    return Augment(
        copies=COPIES,
        size=size,
        channels=channels,
        background=(127, 127, 127),
        **asdict(SPREAD),
    )


def measure(
    cutouts: list[np.ndarray], images: Path, photos: int, params: "Augment"
) -> dict[str, float]:
    """Pictures a second of each way, by name."""
    look = Look(params.size, params.channels, params.background)
    pictures = np.stack([prepare(each, look) for each in cutouts])
    out = images.parent / "out"
    ways: dict[str, Callable[[], int]] = {
        ROOFLINE: lambda: roofline(pictures, 0, photos, out),
        FASTER: lambda: roofline(pictures, params.size // 2, photos, out),
        STAGE_1: lambda: stage(images, photos, params, out, 1),
        STAGE_2: lambda: stage(images, photos, params, out, 2),
        ORIGINAL: original(pictures, out),
        LAYERS: keras_layers(pictures),
    }
    try:
        ways[ALBUMENTATIONS] = albumentations(pictures)
    except ModuleNotFoundError:
        logging.info("no Albumentations")
    rates = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            out.mkdir()
            start = time.perf_counter()
            rates[way].append(run() / (time.perf_counter() - start))
            shutil.rmtree(out)
    return {way: statistics.median(values) for way, values in rates.items()}


def cutout(seed: int) -> np.ndarray:
    """A drawn head and shoulders, RGBA 256 x 256, with soft light and a camera's noise.

    As in life, the colours are there where the alpha hides them, and cost as much to decode.
    """
    rng = np.random.default_rng(seed)
    light = cv2.resize(rng.uniform(60, 200, (4, 4, 3)).astype(np.float32), (256, 256))
    picture = light + rng.normal(0, 3, light.shape)
    alpha = np.zeros((256, 256), np.uint8)
    cv2.ellipse(alpha, (128, 115), (60, 80), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(alpha, (128, 260), (110, 80), 0, 0, 360, 255, -1, cv2.LINE_AA)
    for x in (105, 151):
        cv2.circle(picture, (x, 105), 8, (30, 30, 40), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (128, 155), (22, 8), 0, 0, 360, (150, 60, 60), -1, cv2.LINE_AA)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    return np.dstack([picture, cv2.GaussianBlur(alpha, (5, 5), 2)])


def roofline(pictures: np.ndarray, edge: int, photos: int, folder: Path) -> int:
    """`edge`: how many pixels of repeated edge the warp's source has around it."""
    wide = [
        cv2.copyMakeBorder(each, edge, edge, edge, edge, cv2.BORDER_REPLICATE) for each in pictures
    ]
    warps = [
        matrices(draw(f"{seed:016x}", COPIES, SPREAD), pictures.shape[1]) + [[0, 0, edge]] * 2
        for seed in range(DRAWN)
    ]
    warped = np.empty_like(pictures[0])
    with (folder / "pictures").open("wb") as file:
        for number in range(photos):
            for matrix in warps[number % DRAWN]:
                warp(wide[number % DRAWN], matrix, warped)
                file.write(warped)
    return photos * COPIES


def stage(images: Path, photos: int, params: "Augment", out: Path, workers: int) -> int:
    from stages.augment.augment import augment

    parts: dict[Part, range] = {"train": range(photos), "val": range(1), "test": range(1, 2)}
    rows = [
        Assignment(f"{number:016x}", "face", "", "", "", part)
        for part, numbers in parts.items()
        for number in numbers
    ]
    augment(rows, images, out, params, ["face"], workers)
    return photos * COPIES


def original(pictures: np.ndarray, folder: Path) -> Callable[[], int]:
    """As the team behind the project did it: picture by picture, each into a file of its own."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        rotation_range=40,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
        fill_mode="nearest",
    )

    def run() -> int:
        flow = generator.flow(pictures, batch_size=1, save_to_dir=folder, save_format="jpeg")
        for _ in range(SLOW):
            next(flow)
        return SLOW

    return run


def keras_layers(pictures: np.ndarray) -> Callable[[], int]:
    import keras
    import tensorflow as tf

    layers = tf.function(
        keras.Sequential(
            [
                keras.layers.RandomRotation(40 / 360, fill_mode="nearest"),
                keras.layers.RandomTranslation(0.2, 0.2, fill_mode="nearest"),
                keras.layers.RandomZoom((-0.2, 0.2), (-0.2, 0.2), fill_mode="nearest"),
                keras.layers.RandomFlip("horizontal"),
            ]
        )
    )
    batch = pictures[:32].astype(np.float32)
    layers(batch, training=True)  # traced once, outside the clock

    def run() -> int:
        for _ in range(SLOW // 32):
            layers(batch, training=True).numpy().astype(np.uint8)
        return SLOW

    return run


def albumentations(pictures: np.ndarray) -> Callable[[], int]:
    """Raises ModuleNotFoundError where it is not installed: the pipeline has no use for it."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it would ask the network for a newer version
    import albumentations  # pyright: ignore[reportMissingImports]

    transform = albumentations.Compose(
        [
            albumentations.Affine(
                rotate=(-40, 40),
                translate_percent={"x": (-0.2, 0.2), "y": (-0.2, 0.2)},
                shear={"x": (-0.2, 0.2), "y": (0, 0)},
                scale={"x": (0.8, 1.2), "y": (0.8, 1.2)},
                border_mode=cv2.BORDER_REPLICATE,
                p=1,
            ),
            albumentations.HorizontalFlip(p=0.5),
        ]
    )

    def run() -> int:
        for number in range(SLOW):
            transform(image=pictures[number % DRAWN])
        return SLOW

    return run


def in_fresh_process(function: Callable[..., T], *arguments: object) -> T:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def peak(images: Path, photos: int, out: Path) -> tuple[float, float]:
    """MB at most in memory, of this process and of the largest worker, for `photos` photos."""
    stage(images, photos, settings(200, "gray"), out, 2)
    shutil.rmtree(out)
    parent, worker = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return parent.ru_maxrss / 1024, worker.ru_maxrss / 1024


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main()
