"""A chain: the folder of all that answers a photo, such as data/promote/<task>/champion.

`deciding_files` names what decides an answer. The other files (trials.json, evaluation.json,
metrics.json, seen.csv, origin.json and model_card.md) record where the network comes from and how
good it is.
"""

from pathlib import Path

from stages.common.files import new_file
from stages.records.calibration import CALIBRATION
from stages.records.faces import GEOMETRY
from stages.records.json_file import JsonFile, unreadable
from stages.records.look import Look
from stages.records.params import Bins, Extract, Matte
from stages.records.record import Record
from stages.records.section import Section
from stages.records.splits import Shows
from stages.records.trials import CLASSES, LITE, Kind

CARD = "model_card.md"


class ChainSettings(Section):
    """chain.json: the parameters that decide an answer.

    Pydantic, as it holds sections of params.yaml. A key that is added to one of these sections
    needs a default, or the champions of earlier versions cannot be read.
    """

    task: str
    title: str
    kind: Kind
    bins: Bins | None
    unsure_below: float
    extract: Extract
    matte: Matte
    augment: Look


class Origin(Record):
    """origin.json: what the network has learnt from, and what it was examined on."""

    sources: dict[str, int]  # kind of source -> photos of train, val and test
    exam: Shows

    @property
    def drawn(self) -> bool:
        """Whether it knows drawn faces only."""
        return set(self.sources) == {"synthetic"}


class SettingsFile:
    """chain.json, as `JsonFile` is for records."""

    def path(self, folder: Path) -> Path:
        return folder / "chain.json"

    def read(self, folder: Path) -> ChainSettings:
        """Raises `UserError` if the file is missing or its content is not of the type."""
        path = self.path(folder)
        try:
            return ChainSettings.model_validate_json(path.read_bytes())
        except (OSError, ValueError) as error:  # pydantic's ValidationError is a ValueError
            raise unreadable(path, error) from error

    def write(self, folder: Path, content: ChainSettings) -> None:
        """The file appears whole or not at all."""
        with new_file(self.path(folder)) as part:
            part.write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8")


CHAIN = SettingsFile()
ORIGIN = JsonFile("origin.json", Origin)


def weights(folder: Path) -> Path:
    """Where a chain keeps the detector's and the segmenter's weights."""
    return folder / "weights"


def deciding_files(folder: Path) -> list[Path]:
    """The files of a chain that decide its answers."""
    named = [file.path(folder) for file in (CHAIN, CLASSES, CALIBRATION, GEOMETRY)]
    return [folder / LITE, *named, *sorted(weights(folder).iterdir())]
