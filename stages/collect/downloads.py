"""Downloaded files, kept in a folder: a list that was interrupted goes on where it stopped.

`<folder>/<sha256 of the URL>` holds a file's bytes, and `<folder>/<sha256 of the URL>.sha256` their
hash. A file without its hash, or with another one, is downloaded again.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from stages.collect.forgotten import REASON
from stages.collect.web import Refused, Web
from stages.common.files import new_file, sha256
from stages.common.parallel import progress

DOWNLOADS = Path(".downloads")  # in the checkout; shared by all tasks
WORKERS = 16  # threads, which wait for the network; `web.turns` limits those of one host
TYPES = ("image/", "application/octet-stream", "binary/octet-stream")

log = logging.getLogger(__name__)


class _Result(NamedTuple):
    file: Path | str  # or the reason why there is none
    passing: bool = False  # a later run may succeed


def download(
    urls: Iterable[str], folder: Path, web: Web, forgotten: frozenset[str], *, desc: str
) -> dict[str, Path | str]:
    """URL -> its file in `folder`, or the reason why there is none.

    Files that are already there are not downloaded again. `forgotten`: sha256s of files that are
    neither kept nor downloaded again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    urls = list(dict.fromkeys(urls))
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            jobs = [
                (url, pool.submit(_get, url, folder, web, forgotten))
                for url in _hosts_in_turn(urls)
            ]
            bar = progress(jobs, desc=desc, total=len(jobs), unit="file")
            got = {url: job.result() for url, job in bar}
        except BaseException:
            web.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if passing := sum(result.passing for result in got.values()):
        log.warning(
            "%d files could not be downloaded this time: `dvc repro -f` of this stage tries again",
            passing,
        )
    return {url: got[url].file for url in urls}


def store(key: str, data: bytes, folder: Path) -> Path:
    """Keep `data` as if it had been downloaded from `key`."""
    path = _path(key, folder)
    with new_file(path) as part:
        part.write_bytes(data)
    return path


def _path(key: str, folder: Path) -> Path:
    return folder / hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _hosts_in_turn(urls: list[str]) -> list[str]:
    """The first URL of each host, then the second of each, ...: so no host's list, which may be
    slow, occupies all threads."""
    seen: Counter[str] = Counter()
    places = []
    for url in urls:
        host = _host(url)
        places.append((seen[host], url))
        seen[host] += 1
    return [url for _, url in sorted(places, key=lambda place: place[0])]


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _get(url: str, folder: Path, web: Web, forgotten: frozenset[str]) -> _Result:
    path = _path(url, folder)
    record = path.with_suffix(".sha256")
    known = record.read_text() if record.is_file() else ""
    if known not in forgotten:
        if known and path.is_file() and sha256(path) == known:
            return _Result(path)
        try:
            with new_file(path) as part, part.open("w+b") as out:
                web.fetch(url, out, types=TYPES)
        except Refused as error:
            return _Result(str(error), error.passing)
        known = sha256(path)
        with new_file(record) as part:
            part.write_text(known)
    if known in forgotten:
        path.unlink(missing_ok=True)
        return _Result(REASON)
    return _Result(path)
