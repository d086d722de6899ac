"""Files from the web, kept in a scratch folder: a list that was cut off goes on where it was.

`<folder>/<sha256 of the address>` holds the bytes, and the same name with .sha256 the sum of what
was got, without which they do not count.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from stages.collect.forgotten import REASON
from stages.collect.web import Refused, Web
from stages.common.files import new_file
from stages.common.parallel import progress

WORKERS = 16  # threads; they wait for the network, and at most web.PER_HOST of them for one host
TYPES = ("image/", "application/octet-stream", "binary/octet-stream")

log = logging.getLogger(__name__)


def download(
    urls: Iterable[str], folder: Path, web: Web, forgotten: frozenset[str], *, desc: str
) -> dict[str, Path | str]:
    """url -> its file in `folder`, or why there is none. Those got earlier are not asked for.

    `forgotten`: sha256s of bytes that are neither kept nor fetched again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    urls = list(dict.fromkeys(urls))
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            jobs = [
                (url, pool.submit(_get, url, folder, web, forgotten)) for url in _by_turns(urls)
            ]
            bar = progress(jobs, desc=desc, total=len(jobs), unit="file")
            got = {url: job.result() for url, job in bar}
        except BaseException:
            web.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if waiting := sum(passing for _, passing in got.values()):
        log.warning(
            "%d files could not be had for now: `dvc repro -f` of this stage tries again", waiting
        )
    return {url: got[url][0] for url in urls}


def store(key: str, data: bytes, folder: Path) -> Path:
    """`data` as the download of `key`."""
    path = folder / hashlib.sha256(key.encode()).hexdigest()
    with new_file(path) as part:
        part.write_bytes(data)
    return path


def _by_turns(urls: list[str]) -> list[str]:
    """The first of each host, the second of each host, ...: no host's list blocks the others."""
    turn: Counter[str] = Counter()
    places = []
    for url in urls:
        host = _host(url)
        places.append((turn[host], url))
        turn[host] += 1
    return [url for _, url in sorted(places, key=lambda place: place[0])]


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _get(
    url: str, folder: Path, web: Web, forgotten: frozenset[str]
) -> tuple[Path | str, bool]:  # the file or the reason, and whether that is passing
    path = folder / hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()
    record = path.with_suffix(".sha256")
    known = record.read_text() if record.is_file() else ""
    if known not in forgotten:
        if known and path.is_file() and _sha256(path) == known:
            return path, False
        try:
            with new_file(path) as part, part.open("w+b") as out:
                web.fetch(url, out, types=TYPES)
        except Refused as error:
            return str(error), error.passing
        known = _sha256(path)
        with new_file(record) as part:
            part.write_text(known)
    if known in forgotten:
        path.unlink(missing_ok=True)
        return REASON, False
    return path, False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
