"""The source `huggingface`: photos of an image data set on the Hugging Face Hub.

The library `datasets` streams the rows. Without a `seed`, reading stops once each class has `limit`
photos. Code that a data set contains is never run.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from pathlib import Path
from typing import NamedTuple, TypedDict

from stages.collect.candidate import Candidate, Context, plain, read
from stages.collect.columns import VALUE
from stages.collect.downloads import store
from stages.collect.forgotten import REASON
from stages.common.errors import UserError
from stages.common.images import MAX_BYTES
from stages.common.parallel import progress
from stages.records.sources import HuggingFace

log = logging.getLogger(__name__)


class _Image(TypedDict):
    """A cell of a column of pictures that `datasets` does not decode."""

    bytes: bytes | None
    path: str | None


class _Chosen(NamedTuple):
    """A row that is chosen so far. In a heap of them, the first is the next to be given up."""

    order: int  # the larger, the sooner it was chosen
    number: int  # of the row
    file: Path | None  # its photo
    candidate: Candidate


def candidates(source: HuggingFace, context: Context) -> list[Candidate]:
    """At most `limit` photos of each class, in the data set's order: the first ones or, with a
    `seed`, any.

    Raises `UserError` if the Hub or the data set does not have what the parameters name.
    """
    classes = set(source.bins or (source.labels or {}).values())
    if unknown := sorted(classes - set(context.classes)):
        raise UserError(
            f"{context.key}.{'bins' if source.bins else 'labels'}: {unknown[0]!r} is no class; "
            f"the classes are {', '.join(map(repr, context.classes))}"
        )
    if Path(source.dataset).exists():  # `datasets` would read it instead
        raise UserError(
            f"{context.key}.dataset: {source.dataset!r} is a folder here, which hides the data set"
            " of that name on the Hub; rename the folder"
        )
    context.downloads.mkdir(parents=True, exist_ok=True)
    try:
        return _rows(source, context, classes)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # errors of the Hub, the network and pyarrow share no other class
        raise UserError(
            f"{context.key}: cannot read {source.dataset!r} ({source.split}, {source.revision}) "
            f"from the Hub: {plain(str(error)) or type(error).__name__}"
        ) from error


def _rows(source: HuggingFace, context: Context, classes: set[str]) -> list[Candidate]:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import datasets
    from huggingface_hub import HfApi

    about = HfApi().dataset_info(source.dataset, revision=source.revision)
    card = about.card_data or {}
    licence = source.licence or card.get("license_name") or card.get("license") or ""
    licence = plain(", ".join(licence) if isinstance(licence, list) else licence)
    rows = datasets.load_dataset(
        source.dataset, source.config, split=source.split, revision=about.sha, streaming=True
    )
    columns = rows.features or {}
    for key in ("image", "label", "person"):
        name = getattr(source, key)
        if name and name not in columns:
            raise UserError(
                f"{context.key}.{key}: {source.dataset!r} has no column {name!r}; "
                f"its columns are {', '.join(columns)}"
            )
    feature = columns[source.label]
    class_name = feature.int2str if isinstance(feature, datasets.ClassLabel) else None
    rows = rows.cast_column(source.image, datasets.Image(decode=False))
    chosen: dict[str, list[_Chosen]] = {name: [] for name in classes}  # heaps
    elsewhere = 0
    for number, row in enumerate(progress(rows, desc=source.dataset, total=None, unit="row")):
        value = row[source.label]
        label = _class_of(value, class_name, source)
        if label is None:
            elsewhere += 1
            continue
        order = _order(source.seed, number)
        if len(chosen[label]) == source.limit and order < chosen[label][0].order:
            continue
        data, reason = _data(source, row[source.image])
        person = plain(str(row[source.person] or "")) if source.person else ""
        if _forgotten(person, data, context):
            data, reason = b"", REASON
        # No other source has the same file, so that it may be deleted below.
        key = f"{context.key}: {source.dataset}@{about.sha}/{source.config}/{source.split}/{number}"
        file = None if reason else store(key, data, context.downloads)
        candidate = Candidate(
            name=f"{source.dataset}/{source.split}/{number}",
            label=label,
            person=person,
            part="pool",
            source="huggingface",
            load=partial(read, file) if file else None,
            licence=licence,
            page=f"https://huggingface.co/datasets/{source.dataset}",
            reason=reason,
            columns={VALUE: str(value)} if source.bins else {},
        )
        heappush(chosen[label], _Chosen(order, number, file, candidate))
        if len(chosen[label]) > source.limit and (late := heappop(chosen[label]).file):
            late.unlink()
        if source.seed is None and all(len(each) == source.limit for each in chosen.values()):
            break
    if elsewhere:
        log.info("%s: %d rows belong to none of the classes", source.dataset, elsewhere)
    found = [each for heap in chosen.values() for each in heap]
    return [each.candidate for each in sorted(found, key=lambda each: each.number)]


def _order(seed: int | None, number: int) -> int:
    """Of all rows of a class, those with the largest numbers are chosen."""
    if seed is None:
        return -number  # the first ones
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:8], "big")


def _class_of(
    value: object, class_name: Callable[[int], object] | None, source: HuggingFace
) -> str | None:
    """The class of a cell of the label column; None if it belongs to none.

    `class_name` gives the names that a data set itself has for the numbers in the column.
    """
    if class_name and isinstance(value, int):
        value = class_name(value)
    if source.labels:
        labels: dict[object, str] = {**source.labels}
        return labels.get(value) or labels.get(str(value))
    try:
        number = float(str(value))
    except ValueError:
        return None
    bins = source.bins or {}
    return next((name for name, (low, high) in bins.items() if low <= number <= high), None)


def _forgotten(person: str, data: bytes, context: Context) -> bool:
    known = context.forgotten
    return known.person(person) or hashlib.sha256(data).hexdigest() in known.sha256s


def _data(source: HuggingFace, image: _Image | None) -> tuple[bytes, str]:
    """The picture's bytes, or why there are none.

    A row may name a file instead of holding the bytes. Only a file of the data set itself is read:
    any other path is a trap.
    """
    from huggingface_hub import HfFileSystem

    image = image or _Image(bytes=None, path=None)
    if image["bytes"] is not None:
        data = image["bytes"]
    elif (image["path"] or "").startswith(f"hf://datasets/{source.dataset}@"):
        data = HfFileSystem().read_bytes(image["path"], end=MAX_BYTES + 1)
    else:
        return b"", "the data set holds no picture in this row"
    return (data, "") if len(data) <= MAX_BYTES else (b"", f"more than {MAX_BYTES / 1e6:.0f} MB")
