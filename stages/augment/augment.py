"""Cut-outs onto their background, and copies of the training ones, into shards."""

import logging
import math
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from stages.augment.transform import COLUMNS, draw, matrices
from stages.common import shards
from stages.common.errors import UserError
from stages.common.files import new_folder
from stages.common.images import read_png
from stages.common.parallel import map_cores
from stages.common.params import PARTS, Augment

if TYPE_CHECKING:  # the worker processes import this module and need no pandas
    import pandas as pd

log = logging.getLogger(__name__)

BLOCK = 8  # photos a worker takes at a time: few enough to share out, many enough to pay for it
INDEX_ROW = 100  # bytes, about


@dataclass(frozen=True)
class Block:
    """Some photos of one part, and where their pictures go."""

    folder: Path  # of the shards
    first: int  # row of the first photo's copy 0
    stride: int  # rows from one copy to the next
    copies: int
    ids: list[str]


def augment(
    splits: "pd.DataFrame",
    images: Path,
    out: Path,
    params: Augment,
    classes: list[str],
    workers: int | None = None,
) -> None:
    """Write the shards `out`/train, val, test and wild; all four appear at the end, or none.

    `splits` has columns id, label, part; `images` holds <id>.png, RGBA. Training photos get
    `params.copies` pictures each, the first one as it is; other parts just that one. Rows go copy
    by copy, so that every prefix of them has the photos in equal shares.
    Raises `UserError` for an unknown class, one that a part lacks, or too small a disk.
    """
    parts = {part: splits[splits["part"] == part] for part in PARTS}
    _check_classes(parts, classes)
    copies = {part: params.copies if part == "train" else 1 for part in PARTS}
    rows = {part: copies[part] * len(parts[part]) for part in PARTS}
    picture = (params.size, params.size, {"rgb": 3, "gray": 1}[params.channels])
    _check_disk(out, sum(rows.values()) * (math.prod(picture) + INDEX_ROW))
    log.info(
        "%s train pictures (%d of each of %d photos: one as it is, the others transformed); "
        "as they are: val %d, test %d, wild %d",
        *(f"{rows['train']:,}", params.copies, len(parts["train"])),
        *(rows["val"], rows["test"], rows["wild"]),
    )
    with ExitStack() as stack:
        blocks = []
        for part in PARTS:
            folder = stack.enter_context(new_folder(out / part))
            ids, labels = list(parts[part]["id"]), parts[part]["label"].map(classes.index)
            shards.create(folder, (rows[part], *picture))
            np.save(folder / "labels.npy", np.tile(labels.to_numpy(np.int64), copies[part]))
            _write_index(folder / "index.csv", ids, copies[part], params)
            blocks += [
                Block(folder, first, len(ids), copies[part], ids[first : first + BLOCK])
                for first in range(0, len(ids), BLOCK)
            ]
        done = map_cores(
            partial(render, images=images, params=params),
            blocks,
            desc=f"{out.name}: blocks of {BLOCK} photos",
            total=len(blocks),
            unit="block",
            workers=workers,
        )
        for _ in done:
            pass


def render(block: Block, images: Path, params: Augment) -> None:
    """Write every copy of the block's photos into its shards."""
    size = params.size
    photos = np.stack([prepare(read_png(images / f"{id}.png"), params) for id in block.ids])
    warps = [matrices(draw(id, block.copies, params), size) for id in block.ids]
    warped = np.empty_like(photos)
    with shards.Writer(block.folder) as out:
        out.write(block.first, photos)
        for copy in range(1, block.copies):
            for photo, matrix, result in zip(photos, warps, warped, strict=True):
                warp(photo, matrix[copy], result)
            out.write(block.first + copy * block.stride, warped)


def warp(picture: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> None:
    """Fill `out`, like `picture` uint8 (H, W, C), from where `matrix` (2, 3) says; edges repeat."""
    cv2.warpAffine(
        picture,
        matrix,
        picture.shape[1::-1],
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def prepare(cutout: np.ndarray, params: Augment) -> np.ndarray:
    """RGBA uint8 (H, H, 4) -> background behind it, down to size: uint8 (size, size, 3 or 1)."""
    picture = cv2.cvtColor(cutout, cv2.COLOR_RGBA2RGB)
    if params.background != "keep":
        alpha = cutout[..., 3].astype(np.float32)
        behind = np.full_like(picture, params.background)
        picture = cv2.blendLinear(picture, behind, alpha, 255 - alpha)
    method = cv2.INTER_AREA if params.size <= len(picture) else cv2.INTER_LINEAR
    picture = cv2.resize(picture, (params.size, params.size), interpolation=method)
    if params.channels == "gray":
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]
    return picture


def _write_index(path: Path, ids: list[str], copies: int, params: Augment) -> None:
    """A row a picture, copy by copy. By hand: pandas takes six times as long for 100,000 rows."""
    transforms = [draw(id, copies, params).tolist() for id in ids]
    row = "%s,%d," + "%.6g," * 6 + "%d\n"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(("id", "copy", *COLUMNS)) + "\n")
        for copy in range(copies):
            file.writelines(
                [row % (id, copy, *each[copy]) for id, each in zip(ids, transforms, strict=True)]
            )


def _check_classes(parts: dict[str, "pd.DataFrame"], classes: list[str]) -> None:
    for part, photos in parts.items():
        unknown = set(photos["label"]) - set(classes)
        missing = [] if part == "wild" else [c for c in classes if c not in set(photos["label"])]
        if unknown:
            raise UserError(
                f"splits.csv: part {part} has classes {sorted(unknown)} that params.yaml does not "
                f"name; it has {classes}. Run `dvc repro` to split again"
            )
        if missing:
            raise UserError(
                f"splits.csv: part {part} has no photo of class {', '.join(missing)}; collect more "
                "photos (of more people) of it, or lower split.val and split.test"
            )


def _check_disk(out: Path, need: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out).free
    log.info("%s: writing %s; the disk has %s free", out, _mb(need), _mb(free))
    if need > free:
        raise UserError(
            f"{out} needs {_mb(need)} but its disk has {_mb(free)} free: free some space, or lower "
            "augment.copies or augment.size in params.yaml"
        )


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
