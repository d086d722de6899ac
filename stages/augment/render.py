"""One block of cut-outs -> all their pictures, written where they belong in the shards."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from stages.augment.transform import COLUMNS, draw, matrices
from stages.common.images import read_png
from stages.records.shards import Writer

if TYPE_CHECKING:
    from stages.records.params import Augment

HEADER = ",".join(("id", "copy", *COLUMNS)) + "\n"
ROW = "%s,%9d" + ",%11.6f" * 6 + ",%d\n"  # all of one length, so that any can be written first
ROW_BYTES = len(ROW % ("0" * 16, 0, *[0] * 7))


@dataclass(frozen=True)
class Block:
    """Some photos of one part, and where their pictures go."""

    folder: Path  # of the part's shards
    first: int  # row of the first photo's copy 0
    stride: int  # rows from one copy to the next
    copies: int
    ids: list[str]

    @property
    def name(self) -> str:
        return f"{self.folder.name}/{self.first}"


def render(block: Block, images: Path, params: "Augment") -> tuple[str, str]:
    """Write the block's pictures and index rows; its name and its photos' `digest` say it is done.

    `images` holds <id>.png, RGBA. Raises OSError for one that cannot be read, or a full disk.
    """
    photos = load(block, images, params)
    transforms = [draw(id, block.copies, params) for id in block.ids]
    # Edges repeat over half a side around each photo: a warp that seldom leaves its source takes
    # two thirds of the time, and what leaves even this repeats the same edge.
    edge = params.size // 2
    wide = [cv2.copyMakeBorder(photo, *[edge] * 4, cv2.BORDER_REPLICATE) for photo in photos]
    warps = [matrices(each, params.size) + [[0, 0, edge]] * 2 for each in transforms]
    rows = [each.tolist() for each in transforms]  # formats in half the time
    warped = np.empty_like(photos)
    with Writer(block.folder) as out, (block.folder / "index.csv").open("r+b") as index:
        # Every other block goes backwards, or two workers would wait for each other at one file.
        for copy in range(block.copies)[:: -1 if block.first // len(block.ids) % 2 else 1]:
            for source, matrix, result in zip(wide, warps, warped, strict=True):
                warp(source, matrix[copy], result)
            start = block.first + copy * block.stride
            out.write(start, warped)
            text = [ROW % (id, copy, *row[copy]) for id, row in zip(block.ids, rows, strict=True)]
            index.seek(len(HEADER) + start * ROW_BYTES)
            index.write("".join(text).encode())
    return block.name, digest(photos)


def load(block: Block, images: Path, params: "Augment") -> np.ndarray:
    """The block's photos, ready to be copied: uint8 (n, size, size, 3 or 1)."""
    return np.stack([prepare(read_png(images / f"{id}.png"), params) for id in block.ids])


def digest(photos: np.ndarray) -> str:
    return hashlib.sha256(photos).hexdigest()


def warp(picture: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> None:
    """Fill `out`, uint8 (h, w, C), from where `matrix` (2, 3) says in `picture`, uint8 (H, W, C).

    Beyond the picture, its edges repeat.
    """
    cv2.warpAffine(
        picture,
        matrix,
        out.shape[1::-1],
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def prepare(cutout: np.ndarray, params: "Augment") -> np.ndarray:
    """RGBA uint8 (H, H, 4) -> background behind it, down to size: uint8 (size, size, 3 or 1)."""
    if params.background == "keep":
        picture = cv2.cvtColor(cutout, cv2.COLOR_RGBA2RGB)
    else:
        # What shows of the background for each alpha: a table is faster than any arithmetic.
        table = np.rint(np.outer(np.arange(255, -1, -1) / 255, params.background)).astype(np.uint8)
        alpha = cv2.cvtColor(cv2.extractChannel(cutout, 3), cv2.COLOR_GRAY2RGB)
        premultiplied = cv2.cvtColor(cutout, cv2.COLOR_RGBA2mRGBA)
        picture = cv2.add(
            cv2.cvtColor(premultiplied, cv2.COLOR_RGBA2RGB), cv2.LUT(alpha, table[None])
        )
    if params.channels == "gray":
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    method = cv2.INTER_AREA if params.size <= len(picture) else cv2.INTER_LINEAR
    picture = cv2.resize(picture, (params.size, params.size), interpolation=method)
    return picture.reshape(params.size, params.size, -1)
