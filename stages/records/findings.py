"""reports/findings/<name>-<task>.json: an experiment's result, drawn in the report."""

from stages.records.json_file import JsonFile
from stages.records.record import Record


class Bar(Record):
    label: str
    value: float
    low: float | None = None  # 95 % interval
    high: float | None = None
    chance: float | None = None


class Series(Record):
    name: str
    points: list[list[float | None]]  # x, y[, low, high]


class Figure(Record, omit_defaults=True):
    """Bars, or lines over a number."""

    bars: list[Bar] = []
    series: list[Series] = []
    x_label: str = ""
    y_label: str = ""


class Finding(Record):
    name: str
    title: str
    task: str
    question: str
    conclusion: str
    columns: list[str]
    rows: list[list[str | float | int]]
    figure: Figure
    command: str  # that makes it anew
    seconds: float


def finding_file(name: str, task: str) -> JsonFile[Finding]:
    return JsonFile(f"{name}-{task}.json", Finding)
