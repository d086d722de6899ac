"""One block of cut-outs -> all their pictures, written where they belong in the shards."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stages.augment.transform import COLUMNS, Spread, draw, matrices
from stages.common.images import read_png
from stages.records import folders
from stages.records.look import Look
from stages.records.shards import Writer

HEADER = ",".join(("id", "copy", *COLUMNS)) + "\n"
ROW = "%s,%9d" + ",%11.6f" * 6 + ",%d\n"  # all of one length: they are written in any order
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


def render(block: Block, mattes: Path, look: Look, spread: Spread) -> tuple[str, str]:
    """Write the block's pictures and index rows; return its name and the `digest` of its photos.

    `mattes`: data/mattes/<task>. Raises OSError for a cut-out that cannot be read, or a full disk.
    """
    photos = load(block, mattes, look)
    transforms = [draw(id, block.copies, spread) for id in block.ids]
    # The edges are repeated over half a side around each photo. Warps then seldom leave their
    # source, which takes two thirds of the time; farther out, OpenCV repeats the same edge.
    edge = look.size // 2
    replicate = cv2.BORDER_REPLICATE
    wide = [cv2.copyMakeBorder(photo, edge, edge, edge, edge, replicate) for photo in photos]
    warps = [matrices(each, look.size) + [[0, 0, edge]] * 2 for each in transforms]
    rows = [each.tolist() for each in transforms]  # these take half the time to format
    warped = np.empty_like(photos)
    with Writer(block.folder) as out, (block.folder / "index.csv").open("r+b") as index:
        # Every other block goes backwards; else two workers would wait for each other at a file.
        for copy in range(block.copies)[:: -1 if block.first // len(block.ids) % 2 else 1]:
            for source, matrix, result in zip(wide, warps, warped, strict=True):
                warp(source, matrix[copy], result)
            start = block.first + copy * block.stride
            out.write(start, warped)
            text = [ROW % (id, copy, *row[copy]) for id, row in zip(block.ids, rows, strict=True)]
            index.seek(len(HEADER) + start * ROW_BYTES)
            index.write("".join(text).encode())
    return block.name, digest(photos)


def load(block: Block, mattes: Path, look: Look) -> np.ndarray:
    """The block's photos, ready to be copied: uint8 (n, size, size, 3 or 1)."""
    return np.stack([prepare(read_png(folders.picture(mattes, id)), look) for id in block.ids])


def digest(photos: np.ndarray) -> str:
    return hashlib.sha256(photos.data).hexdigest()


def warp(picture: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> None:
    """Fill `out`, uint8 (h, w, C), from `picture`, uint8 (H, W, C).

    `matrix`: (2, 3), from a pixel x, y of `out` to its place in `picture`, whose edges repeat.
    """
    cv2.warpAffine(
        picture,
        matrix,
        out.shape[1::-1],
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def prepare(cutout: np.ndarray, look: Look) -> np.ndarray:
    """RGBA uint8 (H, H, 4) -> laid on its background and resized: uint8 (size, size, 3 or 1)."""
    if look.background == "keep":
        picture = cv2.cvtColor(cutout, cv2.COLOR_RGBA2RGB)
    else:
        # The background's part of the colour for each alpha: a table is faster than arithmetic.
        table = np.rint(np.outer(np.arange(255, -1, -1) / 255, look.background)).astype(np.uint8)
        alpha = cv2.cvtColor(cv2.extractChannel(cutout, 3), cv2.COLOR_GRAY2RGB)
        premultiplied = cv2.cvtColor(cutout, cv2.COLOR_RGBA2mRGBA)
        picture = cv2.add(
            cv2.cvtColor(premultiplied, cv2.COLOR_RGBA2RGB), cv2.LUT(alpha, table[None])
        )
    if look.channels == "gray":
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    method = cv2.INTER_AREA if look.size <= len(picture) else cv2.INTER_LINEAR
    picture = cv2.resize(picture, (look.size, look.size), interpolation=method)
    return picture.reshape(look.shape)
