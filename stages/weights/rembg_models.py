"""rembg's other models, fetched by rembg itself (its address, its pinned md5)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests

from stages.common.background import import_rembg
from stages.common.errors import UserError
from stages.weights.find import Found, Places, Unavailable, in_local
from stages.weights.known import REMBG, SEGMENTERS

# They need a prompt or a model path, or give several masks a picture
_NOT_FOR_PORTRAITS = {"sam", "u2net_cloth_seg", "u2net_custom", "dis_custom", "ben_custom"}


def allowed() -> list[str]:
    """The rembg models that cut out a person from a name alone, on this machine."""
    return sorted(
        name
        for name, session in import_rembg().sessions.sessions.items()
        if session.is_local()
        and not session.requires_credentials()
        and name not in _NOT_FOR_PORTRAITS
    )


def find_rembg(name: str, places: Places) -> Found:
    """As `find.find`, for any of `allowed()`. A file in the user's folder is taken as it is."""
    if name not in allowed():
        names = ", ".join(["auto", "grabcut", "none", *sorted({*SEGMENTERS, *allowed()})])
        raise UserError(f"matte.session: {name!r} is not known; use one of: {names}")
    if path := in_local(f"{name}.onnx", places):
        return path, "local folder"
    session = import_rembg().sessions.sessions[name]
    host = urlsplit(REMBG).netloc  # rembg has its other models there, too
    with _rembg_home(places.cache):
        path = session.resolve_existing(f"{name}.onnx")
        if path:
            return Path(path), "download"
        if not places.download:
            raise Unavailable("weights.download is false")
        if host in places.offline:
            raise Unavailable(places.offline[host])
        try:
            return Path(session.download_models()), "download"
        except (requests.RequestException, ValueError) as error:
            raise Unavailable(f"rembg could not download it: {error}") from error


@contextmanager
def _rembg_home(folder: Path) -> Iterator[None]:
    before = os.environ.get("U2NET_HOME")
    os.environ["U2NET_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["U2NET_HOME"]
        else:
            os.environ["U2NET_HOME"] = before
