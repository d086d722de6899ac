"""Where the stages keep their outputs: the only place that spells these paths."""

from dataclasses import dataclass
from pathlib import Path

CODE = Path("data/code")  # <stage>.txt: the code that decides its results
LOGS = Path(".cache/repro")  # what each task's `dvc repro` said
INDEX = Path("reports/index.html")  # the report, all tasks
EXPORTS = Path("reports/export.html")  # what exported networks are worth


@dataclass(frozen=True)
class Folders:
    """The folders of one task. `root` is the checkout; by default the working directory."""

    task: str
    root: Path = Path()

    def data(self, stage: str) -> Path:
        return self.root / "data" / stage / self.task

    @property
    def weights(self) -> Path:
        return self.data("weights")

    @property
    def raw(self) -> Path:
        return self.data("raw")

    @property
    def faces(self) -> Path:
        return self.data("faces")

    @property
    def mattes(self) -> Path:
        return self.data("mattes")

    @property
    def splits(self) -> Path:
        return self.data("splits")

    @property
    def suspects(self) -> Path:
        return self.data("suspects")

    @property
    def shards(self) -> Path:
        """Holds a folder for each part, see `stages.records.shards`."""
        return self.data("shards")

    @property
    def baseline(self) -> Path:
        return self.data("baseline")

    @property
    def search(self) -> Path:
        return self.data("search")

    @property
    def evaluate(self) -> Path:
        return self.data("evaluate")

    @property
    def promote(self) -> Path:
        return self.data("promote")

    @property
    def export(self) -> Path:
        return self.data("export")

    @property
    def report(self) -> Path:
        return self.data("report")

    @property
    def reports(self) -> Path:
        """Small results that go to git, and reports/index.html."""
        return self.root / "reports" / self.task

    @property
    def searches(self) -> Path:
        """Searches under way or finished, by their id; they can go on."""
        return self.root / ".search" / self.task

    def cache(self, kind: str) -> Path:
        """Scratch: results that outlive a run, see `stages.common.reuse`."""
        return self.root / ".cache" / kind / self.task


def of_all_tasks(stage: str, root: Path = Path()) -> list[Path]:
    """The folders that a stage has written, one for each task; not one that it is writing now."""
    return sorted(path for path in (root / "data" / stage).glob("[!.]*") if path.is_dir())


def pictures(folder: Path) -> Path:
    """Where `data/raw`, `data/faces` and `data/mattes` keep their pictures."""
    return folder / "images"


def picture(folder: Path, id: str) -> Path:
    """A face crop (RGB) of `data/faces` or a cut-out (RGBA) of `data/mattes`."""
    return pictures(folder) / f"{id}.png"


def photos(folder: Path) -> dict[str, Path]:
    """id -> file, of `data/raw`, whose files have different extensions."""
    return {path.stem: path for path in pictures(folder).iterdir()}
