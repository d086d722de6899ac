"""Photos of an image data set on the Hugging Face Hub, streamed by `datasets`: code that a data set
brings along is never run, and no more is read than `limit` photos a class need."""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from stages.collect.candidate import Candidate, Context, plain, read
from stages.collect.downloads import store
from stages.collect.forgotten import REASON
from stages.common.errors import UserError
from stages.common.images import MAX_BYTES
from stages.common.parallel import progress
from stages.records.sources import HuggingFace

log = logging.getLogger(__name__)


def candidates(source: HuggingFace, context: Context) -> list[Candidate]:
    """The first `limit` photos of each class, in the data set's order.

    Raises `UserError` where the Hub or the data set does not have what is asked for.
    """
    classes = set(source.bins or source.labels.values())
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
        return list(_rows(source, context, classes))
    except (UserError, MemoryError):
        raise
    except Exception as error:  # the Hub's, the network's and pyarrow's have nothing in common
        raise UserError(
            f"{context.key}: cannot read {source.dataset!r} ({source.split}, {source.revision}) "
            f"from the Hub: {plain(str(error)) or type(error).__name__}"
        ) from error


def _rows(source: HuggingFace, context: Context, classes: set[str]) -> Iterator[Candidate]:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import datasets
    from huggingface_hub import HfApi

    about = HfApi().dataset_info(source.dataset, revision=source.revision)
    card = about.card_data or {}
    licence = card.get("license_name") or card.get("license") or ""
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
    names = feature.int2str if isinstance(feature, datasets.ClassLabel) else lambda value: value
    rows = rows.cast_column(source.image, datasets.Image(decode=False))
    full: Counter[str] = Counter()
    elsewhere = 0
    for number, row in enumerate(progress(rows, desc=source.dataset, total=None, unit="row")):
        value = row[source.label]
        label = _class_of(value if value is None else names(value), source)
        if label is None:
            elsewhere += 1
        elif full[label] < source.limit:
            full[label] += 1
            person = plain(str(row[source.person] or "")) if source.person else ""
            key = f"{source.dataset}@{about.sha}/{source.config}/{source.split}/{number}"
            found = _candidate(source, context, key, row[source.image], label, person, licence)
            yield replace(found, columns={"value": str(value)}) if source.bins else found
            if all(full[name] >= source.limit for name in classes):
                break
    if elsewhere:
        log.info("%s: %d rows belong to none of the classes", source.dataset, elsewhere)


def _class_of(value: Any, source: HuggingFace) -> str | None:
    if source.labels:
        return source.labels.get(value) or source.labels.get(str(value))
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return next((name for name, (low, high) in source.bins.items() if low <= number <= high), None)


def _candidate(
    source: HuggingFace,
    context: Context,
    key: str,
    image: dict[str, Any] | None,
    label: str,
    person: str,
    licence: str | list[str],
) -> Candidate:
    data, reason = _data(source, image)
    if context.forgotten.person(person):
        reason = REASON
    if hashlib.sha256(data).hexdigest() in context.forgotten.sha256s:
        reason = REASON
    return Candidate(
        name=f"{source.dataset}/{source.split}/{key.rpartition('/')[2]}",
        label=label,
        person=person,
        part="pool",
        source="huggingface",
        load=None if reason else partial(read, store(key, data, context.downloads)),
        licence=plain(", ".join(licence) if isinstance(licence, list) else licence),
        page=f"https://huggingface.co/datasets/{source.dataset}",
        reason=reason,
    )


def _data(source: HuggingFace, image: dict[str, Any] | None) -> tuple[bytes, str]:
    """The picture's bytes, or why there are none. A row may name a file instead of holding it; one
    outside of the data set is a trap."""
    from huggingface_hub import HfFileSystem

    image = image or {}
    if image.get("bytes") is not None:
        data = image["bytes"]
    elif str(image.get("path")).startswith(f"hf://datasets/{source.dataset}@"):
        with HfFileSystem().open(image["path"], "rb") as file:
            data = file.read(MAX_BYTES + 1)
    else:
        return b"", "the data set holds no picture in this row"
    return (data, "") if len(data) <= MAX_BYTES else (b"", f"more than {MAX_BYTES / 1e6:.0f} MB")
