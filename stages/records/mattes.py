"""data/mattes/<task>: face crops with their backgrounds removed, and a row for every crop."""

from stages.records.record import Record
from stages.records.table_file import TableFile


class Cutout(Record):
    """A face crop and, if it is kept, its cut-out images/<id>.png (RGBA, alpha 255 = person)."""

    id: str
    label: str
    session: str  # what cut it out
    coverage: float  # the person's share of the crop, 0 to 1
    kept: bool
    reason: str = ""  # why it is not
    flags: tuple[str, ...] = ()  # of `stages.records.flags.CUTOUT_FLAGS`


MATTES = TableFile("mattes.csv", Cutout)
