"""The page as a folder of files that any web host can serve: its answers come from the browser."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from app.publish import chains
from app.publish.runtime import Runtime
from app.server import pages, wire, words, worth
from app.server.promoted import Network
from app.server.upload import MB
from stages.common.closure import ROOT
from stages.common.files import new_folder
from stages.params.merge import Titles
from stages.records.export import EXPORT, Card
from stages.records.folders import Folders
from stages.records.json_file import JsonFile
from stages.records.params import App
from stages.records.promotion import answering

LANGUAGE = "en"  # of the files' own text; the page takes the visitor's
CHAINS = JsonFile("chains.json", chains.Chains)
WORKER = Path(__file__).parent / "templates/sw.js"


class Source(NamedTuple):
    """A task's network, and its exported files."""

    network: Network
    chain: Path
    exported: Path
    card: Card


class Size(NamedTuple):
    files: int
    bytes: int
    compressed: int  # each file by gzip, as hosts send it


def find(networks: Iterable[Network], root: Path = Path()) -> list[Source]:
    """Each network with its exported files. Raises `UserError` where it has not been exported."""
    found = []
    for network in networks:
        at = Folders(network.task, root)
        chain = at.promote / answering(at.promote)
        found.append(Source(network, chain, at.export, EXPORT.read(at.export)))
    return found


def notice(sources: Sequence[Source]) -> list[str]:
    """What a publisher must know beforehand: a line each."""
    lines = []
    for network, _, _, card in sources:
        photos = ", ".join(f"{count} {licence}" for licence, count in card.photos.items())
        drawn = " It knows drawn faces only: the page calls it a demo." if card.drawn else ""
        stopped = "" if network.promoted else " It did not pass its exam: the page says so."
        lines.append(
            f"{network.task}: learnt from photos under: {photos or 'unknown'}.{drawn}{stopped}"
        )
    weights = {name: licence for each in sources for name, licence in each.card.weights.items()}
    lines += [f"weights of {name}: {licence}" for name, licence in weights.items()]
    lines.append(
        "Whoever publishes the folder passes these networks on and answers for it: a licence that "
        "forbids commercial use or changes binds here too, and the people on the photos have "
        "rights of their own."
    )
    return lines


def publish(
    out: Path, sources: Sequence[Source], runtime: Runtime, app: App, titles: Mapping[str, Titles]
) -> Size:
    """Write the folder `out` anew. Raises `UserError` if a browser cannot run one of the chains."""
    models = chains.Models()
    tasks = tuple(chains.task(*source, models) for source in sources)
    with new_folder(out) as part:
        shutil.copytree(pages.PAGE, part / "static", ignore=shutil.ignore_patterns("README.md"))
        shutil.copytree(words.FOLDER, part / "static/words")
        for name, path in models.files.items():
            _write(part / "models" / name, path.read_bytes())
        _write(part / "runtime/opencv.js", runtime.script.encode())
        _write(part / "runtime/opencv.wasm", runtime.program)
        CHAINS.write(part, chains.Chains(app.max_megapixels, models.hashes, tasks))
        _write(part / "index.html", pages.index(LANGUAGE, here=True).encode())
        _write_tasks(part, [each.network for each in sources], app, titles)
        notices = [(ROOT / name).read_text("utf-8") for name in ("NOTICE", "LICENSE")]
        text = "\n\n".join([*notice(sources), *notices, "OpenCV.js\n", runtime.licence])
        _write(part / "licences.txt", text.encode())
        _write_worker(part)
        return _size(part)


def _write_tasks(
    part: Path, networks: Sequence[Network], app: App, titles: Mapping[str, Titles]
) -> None:
    for language in words.LANGUAGES:
        found = [
            worth.task(each, titles.get(each.task), language).model_copy(
                update={"card": f"cards/{each.task}.html"}
            )
            for each in networks
        ]
        offer = wire.Tasks(
            drawn=all(each.drawn for each in found),
            inbox=False,
            max_bytes=app.max_megabytes * MB,
            tasks=found,
        )
        _write(part / f"tasks/{language}.json", offer.model_dump_json().encode())
        if language == LANGUAGE:
            for network, task in zip(networks, found, strict=True):
                page = pages.card(network.card, task.title, language)
                _write(part / task.card, page.encode())


def _write_worker(part: Path) -> None:
    """The service worker, which keeps all files; another content is another version of it."""
    files = {str(path.relative_to(part)): path for path in _files(part)}
    digest = hashlib.sha256()
    for name, path in files.items():
        digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    text = WORKER.read_text("utf-8").replace("VERSION_HERE", digest.hexdigest()[:16])
    names = ["./", *(name for name in files if name != "index.html")]
    _write(part / "sw.js", text.replace("[] /* FILES_HERE */", json.dumps(names)).encode())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _size(folder: Path) -> Size:
    contents = [path.read_bytes() for path in _files(folder)]
    return Size(
        len(contents), sum(map(len, contents)), sum(len(gzip.compress(each)) for each in contents)
    )


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
