"""What all sections of params.yaml have in common."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict

Loc = tuple[int | str, ...]  # a key in a section in a section ...

Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]  # all libraries take these
Share = Annotated[float, Field(ge=0, lt=1)]
Listed = Strict(False)  # a tuple, of which YAML has a list


def _path(value: object) -> object:
    if isinstance(value, str) and (
        len(value) > 1000 or "\0" in value or any(_too_long(part) for part in value.split("/"))
    ):
        raise ValueError("a path has at most 1000 characters, and 255 bytes between two slashes")
    return value


def _too_long(name: str) -> bool:
    return len(name.encode(errors="replace")) > 255


PathName = Annotated[Path, Strict(False), BeforeValidator(_path)]


class Section(BaseModel):
    """A mapping of params.yaml. An unknown key is an error; nothing changes after the check.

    A value has the type that it has in YAML: neither `true` nor `"5"` is a number.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, str_max_length=1000
    )


class Wrong(ValueError):
    """What a section's own check found. `found`: the keys below the section that do not agree, or
    the one that is wrong, with their values."""

    def __init__(self, what: str, found: dict[Loc, Any]) -> None:
        super().__init__(what)
        self.found = found
