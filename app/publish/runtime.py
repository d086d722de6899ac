"""OpenCV for browsers, from the npm package that others build: the code of our own chain.

https://github.com/ocavue/opencvjs, Apache-2.0.
"""

import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

from stages.common.errors import UserError
from stages.common.files import sha256


class Package(NamedTuple):
    name: str  # with its version
    file: str  # that `npm pack` makes
    sha256: str


PACKAGE = Package(
    "@opencvjs/web@5.0.0-release.2",
    "opencvjs-web-5.0.0-release.2.tgz",
    "ae2c8a5ee67a0bf814135948c1ef0f18059970b99ae50e8c3d6711f606a8bbf8",
)
SCRIPT = "package/lib/opencv_js.js"
LICENCE = "package/LICENSE"
WAIT = 600  # seconds for a package
# The program as the script holds it: a string whose characters are its bytes
PROGRAM = re.compile(r"binaryDecode\('([^'\\]*(?:\\.[^'\\]*)*)'\)")
ESCAPES = {"\\n": "\n", "\\r": "\r", "\\'": "'", "\\\\": "\\"}


class Runtime(NamedTuple):
    script: str  # JavaScript, a module
    program: bytes  # WebAssembly
    licence: str


def load(local: Path | None, cache: Path, *, download: bool) -> Runtime:
    """The package from the folder `local` or `cache`, else by `npm`, which puts it into `cache`.

    Raises `UserError` if it cannot be had, or is not the one that is pinned here.
    """
    with tarfile.open(find(PACKAGE, local, cache, download=download)) as package:
        script, licence = (_member(package, name) for name in (SCRIPT, LICENCE))
    return Runtime(*split(script), licence)


def find(package: Package, local: Path | None, cache: Path, *, download: bool) -> Path:
    """The file of an npm package, checked; see `load`."""
    folders = [folder for folder in (local, cache) if folder and (folder / package.file).is_file()]
    path = folders[0] / package.file if folders else _fetched(package, cache, download)
    if sha256(path) != package.sha256:
        raise UserError(
            f"{path}: its sha256 is not {package.sha256}; remove it, and it is fetched again"
        )
    return path


def split(script: str) -> tuple[str, bytes]:
    """The script without its program, and the program: apart, a browser compiles it as it comes in,
    and keeps what it has compiled."""
    found = PROGRAM.search(script)
    if not found:
        raise UserError(f"{PACKAGE.file}: {SCRIPT} holds no program where it is expected")
    text = re.sub(r"\\.", lambda escape: ESCAPES[escape[0]], found[1])
    return script[: found.start(1)] + script[found.end(1) :], text.encode("latin-1")


def _fetched(package: Package, cache: Path, download: bool) -> Path:
    npm = shutil.which("npm")
    if not npm or not download:
        why = "weights.download is false" if npm else "there is no npm (Node.js) on the PATH"
        raise UserError(
            f"no {package.file}, and {why}: put the file into the folder of weights.local; "
            f"`npm pack {package.name}` makes it where npm is"
        )
    cache.mkdir(parents=True, exist_ok=True)
    command = [npm, "pack", package.name, "--pack-destination", str(cache), "--silent"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=WAIT)
    except subprocess.CalledProcessError as error:
        raise UserError(
            f"`npm pack {package.name}` failed: {error.stderr.strip()[-300:]}"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"`npm pack {package.name}` took over {WAIT} s; try again") from error
    return cache / package.file


def _member(package: tarfile.TarFile, name: str) -> str:
    file = package.extractfile(name)
    assert file  # the package's hash is known
    return file.read().decode("utf-8")
