"""A JSON file of one type."""

from pathlib import Path
from types import UnionType
from typing import Generic, TypeVar

import msgspec

from stages.common.errors import UserError
from stages.common.files import new_file

T = TypeVar("T")
REMEDY = "run `dvc pull` or `dvc repro` to make it anew"


class JsonFile(Generic[T]):
    """The file `name` in any folder. `type` is a `Record`, or a list or dict of records.

    `remedy`: what people may do about a file that cannot be read.
    """

    def __init__(self, name: str, type: type[T] | UnionType, *, remedy: str = REMEDY) -> None:
        self.name, self.type, self.remedy = name, type, remedy

    def path(self, folder: Path) -> Path:
        return folder / self.name

    def read(self, folder: Path) -> T:
        """Raises `UserError` if the file is missing or its content is not of the type."""
        path = self.path(folder)
        try:
            return msgspec.json.decode(path.read_bytes(), type=self.type)
        except (OSError, msgspec.DecodeError) as error:
            raise unreadable(path, error, self.remedy) from error

    def write(self, folder: Path, content: T) -> None:
        """The file appears whole or not at all.

        Raises `msgspec.ValidationError` for content that `read` would refuse, such as NaN.
        """
        data = msgspec.json.format(msgspec.json.encode(content), indent=1)
        msgspec.json.decode(data, type=self.type)
        with new_file(self.path(folder)) as part:
            part.write_bytes(data + b"\n")


def unreadable(path: Path, error: Exception, remedy: str = REMEDY) -> UserError:
    """What to tell people about a file of another stage that cannot be read."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return UserError(f"cannot read {path}: {reason}; {remedy}")
