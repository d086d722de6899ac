"""Cut-outs onto their background, and copies of the training ones, into shards."""

import logging
import math
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from stages.augment import half_done
from stages.augment.render import HEADER, ROW_BYTES, Block, digest, load, render
from stages.common.errors import UserError
from stages.common.parallel import map_cores
from stages.records import shards
from stages.records.params import PARTS, Augment

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

BLOCK = 8  # photos a worker takes at a time: few enough to share out, many enough to pay for it


def augment(
    splits: "pd.DataFrame",
    images: Path,
    out: Path,
    params: Augment,
    classes: list[str],
    workers: int | None = None,
) -> None:
    """Write the shards `out`/train, val, test and wild; all four appear at the end, or none.

    `splits` has columns id (16 hex digits), label, part and perhaps value (a number as text, "" if
    unknown); a part all of whose photos have a value gets values.npy. `images` holds <id>.png,
    RGBA. Training photos get `params.copies` pictures each, the first one as it is; other parts
    just that one.
    Rows go copy by copy, so that every prefix of them has the photos in equal shares.
    However it was stopped, the next call with the same input goes on where it was.
    Raises `UserError` for an unknown class, one that a part lacks, or too small a disk.
    """
    splits = splits if "value" in splits else splits.assign(value="")
    parts = {part: splits[splits["part"] == part] for part in PARTS}
    _check_classes(parts, classes)
    half = out / ".half.part"
    copies = {part: params.copies if part == "train" else 1 for part in PARTS}
    blocks = [
        Block(half / part, first, len(ids), copies[part], ids[first : first + BLOCK])
        for part, ids in ((part, list(photos["id"])) for part, photos in parts.items())
        for first in range(0, len(ids), BLOCK)
    ]
    key = half_done.key(splits, params, classes)
    done = half_done.begun(half, key)
    todo = [
        block
        for block in blocks
        if block.name not in done or done[block.name] != digest(load(block, images, params))
    ]
    if done:
        log.info("going on: %d of %d blocks were done", len(blocks) - len(todo), len(blocks))
    picture = (params.size, params.size, {"rgb": 3, "gray": 1}[params.channels])
    pictures = sum(len(block.ids) * block.copies for block in todo)
    _check_disk(out, pictures * (math.prod(picture) + ROW_BYTES))
    log.info(
        "%s train pictures (%d of each of %d photos: one as it is, the others transformed); "
        "as they are: val %d, test %d, wild %d",
        *(f"{copies['train'] * len(parts['train']):,}", params.copies, len(parts["train"])),
        *(len(parts[part]) for part in PARTS[1:]),
    )
    if not half.exists():
        for part, photos in parts.items():
            labels = photos["label"].map(classes.index).to_numpy(np.int64)
            _lay_out(half / part, np.tile(labels, copies[part]), picture)
            if (photos["value"] != "").all():
                values = photos["value"].astype(np.float32).to_numpy()
                np.save(half / part / "values.npy", np.tile(values, copies[part]))
        (half / "done").write_text(f"{key}\n", encoding="utf-8")  # last: all of it is there
    plain = SimpleNamespace(**dict(params))  # without pydantic, workers start in two thirds
    rendered = map_cores(
        partial(render, images=images, params=plain),
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


def _lay_out(folder: Path, labels: np.ndarray, picture: tuple[int, int, int]) -> None:
    """A part's folder, whole but for its pictures and the rows of its index."""
    folder.mkdir(parents=True)
    shards.create(folder, (len(labels), *picture))
    np.save(folder / "labels.npy", labels)
    (folder / "index.csv").write_text(HEADER, encoding="utf-8")


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
