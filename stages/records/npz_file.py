"""A file of NumPy arrays (.npz) of one type."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar
from zipfile import BadZipFile

import numpy as np

from stages.common.files import new_file
from stages.records.json_file import unreadable


class Named(Protocol):
    """A NamedTuple."""

    def _asdict(self) -> dict[str, Any]: ...


T = TypeVar("T", bound=Named)


class NpzFile(Generic[T]):
    """The file `name` in any folder. `type` has arrays, texts and numbers, or None by default."""

    def __init__(self, name: str, type: Callable[..., T]) -> None:
        self.name, self.type = name, type

    def path(self, folder: Path) -> Path:
        return folder / self.name

    def read(self, folder: Path) -> T:
        """Raises `UserError` if the file is missing or its content is not of the type."""
        path = self.path(folder)
        try:
            with np.load(path) as found:
                return self.type(**{name: found[name][()] for name in found.files})
        except (OSError, TypeError, ValueError, BadZipFile) as error:
            raise unreadable(path, error) from error

    def write(self, folder: Path, content: T) -> None:
        """The file appears whole or not at all."""
        there = {name: each for name, each in content._asdict().items() if each is not None}
        with new_file(self.path(folder)) as part, part.open("wb") as file:
            np.savez(file, **there)
