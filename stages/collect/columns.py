"""What sources say about a photo beyond the manifest's own columns: sex, camera, `value`, ..."""

import math
from collections.abc import Iterable
from dataclasses import replace

from stages.collect.candidate import Bins, Candidate
from stages.common.errors import UserError
from stages.records.manifest import MANIFEST, TRUTH

VALUE = "value"  # the one column that is a number
# Columns of the manifest, and of tables that later stages join to it.
RESERVED = {*MANIFEST.columns, *TRUTH.columns} - {VALUE}
RESERVED |= {"reason", "group", "flags", "kept", "score", "detector", "faces"}


def refuse_reserved(names: Iterable[str], where: str) -> None:
    """Raises `UserError` for a column that a source may not bring."""
    if wrong := sorted(RESERVED.intersection(names)):
        raise UserError(f"{where}: {wrong[0]!r} is a column of our own; give yours another name")


def valued(candidate: Candidate, bins: Bins | None) -> Candidate:
    """The candidate with the column `value` read as a number.

    It is refused if that is no finite number, or is outside of its class's bin. A photo without a
    value is accepted.
    """
    columns = dict(candidate.columns)
    text = columns.pop(VALUE, "")
    candidate = replace(candidate, columns=columns)
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
        reason = f"its value {value:.10g} is not one of {candidate.label}: {first:g} to {last:g}"
        return replace(candidate, reason=reason)
    return replace(candidate, value=value)
