"""One file of weights: from the user's folder, the cache, or the network; never unchecked."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests

from stages.common.errors import UserError
from stages.weights.known import Weight


class Unavailable(Exception):
    """A file that can be had neither here nor from the network; the message says why."""


@dataclass
class Places:
    """Where weights are looked for, in this order: `local`, `cache`, the network."""

    local: Path | None
    cache: Path
    download: bool
    mirror: str | None = None  # fetch <mirror>/<file> instead of each file's own address
    timeout: tuple[float, float] = (10, 60)  # seconds to connect; without a byte
    offline: str = ""  # why the network cannot be reached, once known: no waiting twice


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def in_local(file: str, places: Places) -> Path | None:
    """`file` in the user's folder, unchecked. Raises `UserError` if there is no such folder."""
    if places.local is None:
        return None
    if not places.local.is_dir():
        raise UserError(f"weights.local: {places.local} is not a folder; correct it or set null")
    path = places.local / file
    return path if path.is_file() else None


def find_local(weight: Weight, places: Places) -> Path | None:
    """The weight in the user's folder. Raises `UserError` if its content is not the pinned one."""
    path = in_local(weight.file, places)
    if path and (found := sha256(path)) != weight.sha256:
        raise UserError(
            f"{path} is not the file it is named after: its sha256 is {found}, "
            f"expected {weight.sha256}. Download it again from {weight.url}, or take it away"
        )
    return path


def find(weight: Weight, places: Places) -> tuple[Path, str]:
    """The checked file and where it came from: "local folder" or "download".

    Raises `Unavailable`, or `UserError` for a file of the right name and the wrong content.
    """
    if path := find_local(weight, places):
        return path, "local folder"
    cached = places.cache / weight.file
    if cached.is_file() and sha256(cached) == weight.sha256:
        return cached, "download"
    if not places.download:
        raise Unavailable("weights.download is false")
    if places.offline:
        raise Unavailable(places.offline)
    url = f"{places.mirror}/{weight.file}" if places.mirror else weight.url
    try:
        path = pooch.retrieve(
            url,
            f"sha256:{weight.sha256}",
            weight.file,
            places.cache,
            downloader=pooch.HTTPDownloader(progressbar=True, timeout=places.timeout),
        )
    except requests.HTTPError as error:
        raise Unavailable(f"{url} answered {error.response.status_code}") from error
    except requests.RequestException as error:
        places.offline = f"no connection to {urlsplit(url).netloc} ({type(error).__name__})"
        raise Unavailable(places.offline) from error
    except ValueError as error:  # pooch has deleted what it had downloaded
        raise Unavailable(f"{url} gave a file of another sha256 than the pinned one") from error
    return Path(path), "download"
