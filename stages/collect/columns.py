"""The manifest's columns: its own, and those that sources bring: `value` (a number), sex, ..."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from stages.collect.candidate import Candidate
from stages.common.errors import UserError

MANIFEST = [
    *("id", "sha256", "label", "person", "source", "name", "licence", "author"),
    *("width", "height", "phash", "part", "credit", "page"),
]
TRUTH = ["id", "x", "y", "w", "h"]
# Those of the tables that later stages write, too.
RESERVED = {*MANIFEST, *TRUTH, "reason", "group", "flags", "kept", "score", "detector", "faces"}
Bins = Mapping[str, tuple[float, float]]  # class: first and last number


def refuse_reserved(names: Iterable[str], where: str) -> None:
    """Raises `UserError` for a column that a source may not bring."""
    if wrong := sorted(RESERVED.intersection(names)):
        raise UserError(f"{where}: {wrong[0]!r} is a column of our own; name yours otherwise")


def valued(candidate: Candidate, bins: Bins | None) -> Candidate:
    """The same with its `value` in one spelling; refused where that is no number, or not one of its
    class's `bins`. A photo without a value is as good as before."""
    text = candidate.columns.get("value", "")
    if not text or candidate.reason:
        return candidate
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        return replace(candidate, reason=f"its value {text!r} is no number")
    first, last = bins[candidate.label] if bins else (value, value)
    if not first <= value <= last:
        return replace(
            candidate,
            reason=f"its value {value:.10g} is not one of {candidate.label}: {first:g} to {last:g}",
        )
    return replace(candidate, columns=candidate.columns | {"value": f"{value:.10g}"})
