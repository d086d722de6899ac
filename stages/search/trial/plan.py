"""All that decides the trials of a search, in one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stages.common.errors import UserError
from stages.records.faces import EyePlaces
from stages.records.params import Search
from stages.records.shards import Shards
from stages.search.trial import hardware
from stages.search.trial.space import ALL, PRETRAINED, SMALL
from stages.search.trial.target import Target


@dataclass(frozen=True)
class Plan:
    params: Search
    train: Shards
    val: Shards
    target: Target
    scratch: Path  # for features of pictures, see `stages.search.trial.features`
    pretrained: Mapping[str, Path] = field(default_factory=dict)  # block type -> its weights
    eyes: EyePlaces | None = None  # where the eyes are in every picture; None: no block `face`

    @property
    def blocks(self) -> list[str]:
        """The block types to try: those wanted, but for those whose weights are missing.

        Raises `UserError` if none is left.
        """
        usable = [block for block in self._wanted if block not in self.skipped]
        if not usable:
            raise UserError(
                f"search.blocks {self.params.blocks}: all start from weights, and there are none; "
                "add edges, colour, vanilla or residual, or set search.pretrained to false"
            )
        return usable

    @property
    def skipped(self) -> list[str]:
        """Block types that start from weights which are missing."""
        starting = PRETRAINED if self.params.pretrained else ("face",)
        return [b for b in self._wanted if b in starting and b not in self.pretrained]

    @property
    def _wanted(self) -> list[str]:
        if self.params.blocks != "auto":
            return list(self.params.blocks)
        found = [*(ALL if hardware.has_gpu() else SMALL)]
        return [*found, "squeezenet"] if self.params.pretrained else found
