"""data/suspects/<task>: labels that are probably wrong, the least likely first."""

from stages.records.record import Record
from stages.records.table_file import TableFile


class Suspect(Record):
    """A photo as a simple classifier sees it that was not trained on the photo's group."""

    id: str
    label: str
    likely: str  # the label that the classifier would give
    p_label: float  # the classifier's probability of `label`
    p_likely: float  # and of `likely`
    suspect: bool  # confident learning holds `label` for wrong


SUSPECTS = TableFile("suspects.csv", Suspect)
