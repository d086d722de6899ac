"""Cut-outs onto their background, and copies of the training ones, into shards."""

import logging
import math
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.augment import half_done
from stages.augment.render import HEADER, ROW_BYTES, Block, digest, load, render
from stages.augment.transform import Spread
from stages.common.errors import UserError
from stages.common.parallel import map_cores
from stages.records import shards
from stages.records.look import Look
from stages.records.splits import PARTS, Assignment

if TYPE_CHECKING:
    from stages.records.params import Augment

log = logging.getLogger(__name__)

BLOCK = 8  # photos that a worker takes at a time: more share the cores worse, fewer cost more calls


def augment(
    photos: Sequence[Assignment],
    mattes: Path,
    out: Path,
    params: "Augment",
    classes: list[str],
    workers: int | None = None,
) -> None:
    """Write the shards `out`/train, val, test and wild; all four appear at the end, or none.

    `mattes`: data/mattes/<task>, with a cut-out of each of `photos`. Training photos get
    `params.copies` pictures each, the first of them without a transform; photos of other parts get
    only that one. The rows go copy by copy, so that any number of first rows has the photos in
    equal shares. A part all of whose photos have a value gets values.npy. A part with a known
    person gets persons.npy: numbers in the sorted order of all parts' names, -1 for unknown.
    After a run that was stopped, the next one with the same input goes on where it was.
    Raises `UserError` for an unknown class, a class that a part lacks, or too small a disk.
    """
    look = Look(params.size, params.channels, params.background)
    spread = _spread(params)
    parts = {part: [photo for photo in photos if photo.part == part] for part in PARTS}
    _check_classes(parts, classes)
    half = out / ".half.part"
    copies = {part: params.copies if part == "train" else 1 for part in PARTS}
    blocks = [
        Block(half / part, first, len(ids), copies[part], ids[first : first + BLOCK])
        for part, ids in ((part, [photo.id for photo in rows]) for part, rows in parts.items())
        for first in range(0, len(ids), BLOCK)
    ]
    key = half_done.key(photos, classes, params.copies, look, spread)
    done = half_done.begun(half, key)
    todo = [
        block
        for block in blocks
        if block.name not in done or done[block.name] != digest(load(block, mattes, look))
    ]
    if done:
        log.info("going on: %d of %d blocks were done", len(blocks) - len(todo), len(blocks))
    pictures = sum(len(block.ids) * block.copies for block in todo)
    _check_disk(out, pictures * (math.prod(look.shape) + ROW_BYTES))
    log.info(
        "%s train pictures (%d of each of %d photos: one as it is, the others transformed); "
        "as they are: val %d, test %d, wild %d",
        f"{copies['train'] * len(parts['train']):,}",
        params.copies,
        len(parts["train"]),
        *(len(parts[part]) for part in PARTS[1:]),
    )
    if not half.exists():
        persons = sorted({photo.person for photo in photos if photo.person})
        for part, rows in parts.items():
            _lay_out(half / part, rows, copies[part], classes, persons, look)
        (half / "done").write_text(f"{key}\n", encoding="utf-8")  # last: all of it is there
    rendered = map_cores(
        partial(render, mattes=mattes, look=look, spread=spread),
        todo,
        desc=f"{out.name}: blocks of {BLOCK} photos",
        total=len(todo),
        unit="block",
        workers=workers,
    )
    with (half / "done").open("a", encoding="utf-8", buffering=1) as record:
        for name, photos_digest in rendered:
            record.write(f"{name} {photos_digest}\n")
    half_done.publish(half, out)


def _spread(params: "Augment") -> Spread:
    return Spread(
        rotation=params.rotation,
        shift=params.shift,
        shear=params.shear,
        zoom=params.zoom,
        flip=params.flip,
        seed=params.seed,
    )


def _lay_out(
    folder: Path,
    photos: list[Assignment],
    copies: int,
    classes: list[str],
    persons: list[str],
    look: Look,
) -> None:
    """A part's folder, complete but for its pictures and the rows of its index."""
    folder.mkdir(parents=True)
    shards.create(folder, (len(photos) * copies, *look.shape))
    labels = np.array([classes.index(photo.label) for photo in photos], np.int64)
    np.save(folder / "labels.npy", np.tile(labels, copies))
    values = [photo.value for photo in photos if photo.value is not None]
    if len(values) == len(photos):
        np.save(folder / "values.npy", np.tile(np.array(values, np.float32), copies))
    number = {person: row for row, person in enumerate(persons)} | {"": -1}
    known = np.array([number[photo.person] for photo in photos], np.int32)
    if (known >= 0).any():
        np.save(folder / "persons.npy", np.tile(known, copies))
    (folder / "index.csv").write_text(HEADER, encoding="utf-8")


def _check_classes(parts: dict[str, list[Assignment]], classes: list[str]) -> None:
    for part, photos in parts.items():
        found = {photo.label for photo in photos}
        unknown = found - set(classes)
        missing = [] if part == "wild" else [name for name in classes if name not in found]
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
