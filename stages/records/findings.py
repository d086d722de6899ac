"""reports/findings/<name>-<task>.json: an experiment's result, drawn in the report."""

from pathlib import Path

from stages.records.json_file import JsonFile
from stages.records.record import Record

COMMAND = "python -m experiments.findings"


class Bar(Record):
    label: str
    value: float
    low: float | None = None  # 95 % interval
    high: float | None = None
    chance: float | None = None


class Point(Record, array_like=True):
    x: float
    y: float
    low: float | None = None  # 95 % interval of `y`
    high: float | None = None


class Series(Record):
    name: str
    points: list[Point]


class Figure(Record, omit_defaults=True):
    """Bars, or lines over a number."""

    bars: list[Bar] = []
    series: list[Series] = []
    x_label: str = ""
    y_label: str = ""

    def __post_init__(self) -> None:
        if bool(self.bars) == bool(self.series):
            raise ValueError("a figure needs either bars or series")


class Finding(Record):
    name: str
    title: str
    task: str
    question: str
    conclusion: str
    columns: list[str]
    rows: list[list[str | int | float | None]]
    figure: Figure
    command: str  # that makes it anew
    seconds: float


def findings_folder(root: Path = Path()) -> Path:
    return root / "reports/findings"


def finding_file(name: str, task: str) -> JsonFile[Finding]:
    return _file(f"{name}-{task}.json")


def read_findings(root: Path = Path()) -> list[Finding]:
    """All of them, by file name. Raises `UserError` for a file that is not a finding."""
    folder = findings_folder(root)
    return [_file(path.name).read(folder) for path in sorted(folder.glob("*.json"))]


def _file(name: str) -> JsonFile[Finding]:
    return JsonFile(name, Finding, remedy=f"delete it, or run its experiment again: `{COMMAND}`")
