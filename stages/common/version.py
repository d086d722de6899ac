"""A hash of what decides a result: a kept result is used again only under the same hash."""

import hashlib
import json
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from stages.common.files import digest


def version(
    code: Iterable[Path],
    packages: Iterable[str],
    files: Iterable[Path] = (),
    **parameters: object,
) -> str:
    """64 hexadecimal digits.

    `code`, `files`: their names and bytes count; `packages`: names of installed distributions,
    whose versions count; `parameters`: anything that JSON can hold.
    """
    found = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    found.update(digest([*code, *files]).encode())
    for package in packages:
        found.update(f"{package}=={metadata.version(package)}".encode())
    return found.hexdigest()
