"""python -m benchmarks.site FOLDER [--photos 300] [--seed 1]

The page without a server (`make site`) against the chains of data/promote: the same photos, a
random sample of those under FOLDER, are answered by both. How often labels agree, how far
probabilities are apart, how long an answer takes, how large the files are, and how much memory the
browser holds when the same photos are put into the page again and again. Needs Chromium.
"""

import argparse
import base64
import gzip
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import playwright.sync_api
import psutil

from app.server.answers import answers
from app.server.promoted import Network, Promoted
from app.server.words import Refused
from stages.common.images import BadImage, decode
from stages.params.merge import titles
from tests.page.conftest import browser_path
from tests.page.hosted import hosted, url_of

SITE = Path("site")
KINDS = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
ASK = """async ([data, type]) => {
    const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
    const { answers } = await import("./static/source.js");
    const began = performance.now();
    const found = await answers(new Blob([bytes], { type }));
    return { ...found, milliseconds: performance.now() - began };
}"""
ROUNDS, ROUND = 6, 20  # the same photos, so that their sizes do not count as growth


def asked(page: playwright.sync_api.Page, photo: Path) -> Any:
    data = base64.b64encode(photo.read_bytes()).decode()
    return page.evaluate(ASK, [data, KINDS[photo.suffix.lower()]])


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.site", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    photos = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in KINDS)
    rng = np.random.default_rng(options.seed)
    photos = [photos[at] for at in rng.permutation(len(photos))[: options.photos]]
    networks = Promoted(Path(), list(titles())).networks()
    print("| what | measured | bar |\n| --- | --- | --- |")
    sizes()
    with hosted(SITE) as server, playwright.sync_api.sync_playwright() as driver:
        path = browser_path()
        chromium = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = chromium.new_page(locale="en")
        began = time.perf_counter()
        page.goto(url_of(server))
        page.locator(".card").first.wait_for()
        asked(page, photos[0])
        row(
            "first answer, the page's opening included",
            f"{time.perf_counter() - began:.2f} s",
            "6 s",
        )
        answered = compare(page, networks, photos)
        memory(page, answered[:ROUND])
        chromium.close()


def sizes() -> None:
    contents = [path.read_bytes() for path in SITE.rglob("*") if path.is_file()]
    row("all files", f"{sum(map(len, contents)) / 1e6:.1f} MB", "25 MB")
    compressed = sum(len(gzip.compress(each, 9)) for each in contents)
    row("... by gzip", f"{compressed / 1e6:.1f} MB", "12 MB")


def compare(
    page: playwright.sync_api.Page, networks: list[Network], photos: list[Path]
) -> list[Path]:
    """Returns the photos that get answers."""
    answered: list[Path] = []
    times: list[float] = []
    only = Counter[str]()
    apart: dict[str, list[float]] = {each.task: [] for each in networks}
    sure: dict[str, list[bool]] = {each.task: [] for each in networks}
    faces = []
    for photo in photos:
        try:
            chain = answers(networks, decode(photo.read_bytes()), None, "en")
        except (BadImage, Refused):
            continue
        here = asked(page, photo)
        times.append(here["milliseconds"] / 1000)
        answered.append(photo)
        faces.append(len(chain.faces) == len(here["faces"]))
        for wanted, found in zip(chain.answers, here["answers"], strict=True):
            if wanted.label is None or found["label"] is None:
                only[wanted.task] += wanted.label != found["label"]
                continue
            far = max(abs(found["probabilities"][k] - v) for k, v in wanted.probabilities.items())
            apart[wanted.task].append(far)
            if not wanted.unsure:
                sure[wanted.task].append(wanted.label == found["label"])
    row("later answers, median", f"{statistics.median(times):.2f} s", "1.5 s")
    row("... 95th percentile", f"{np.quantile(times, 0.95):.2f} s", "")
    row("same number of faces", f"{sum(faces)} of {len(faces)}", "")
    for task in apart:
        same, far = sure[task], apart[task]
        share = f"{100 * sum(same) / max(len(same), 1):.1f} % of {len(same)}"
        row(f"{task}: answered by one of both alone", f"{only[task]}", "0")
        row(f"{task}: same label, of sure answers", share, "99 %")
        row(f"{task}: probabilities apart, median", f"{np.median(far):.4f}", "0.03")
        row(f"{task}: ... 99th percentile", f"{np.quantile(far, 0.99):.4f}", "0.10")
    return answered


def memory(page: playwright.sync_api.Page, photos: list[Path]) -> None:
    """Of the whole page, as people use it: each photo is chosen, answered and shown."""
    after = []
    for _ in range(ROUNDS):
        for photo in photos:
            page.evaluate("document.querySelector('main').dataset.state = 'asked'")
            page.set_input_files("#file", photo)
            page.locator("main[data-state=answers], main[data-state=failed]").wait_for()
        after.append(held())
    held_after = ", ".join(f"{each:.0f}" for each in after)
    row(f"memory of the browser after each {len(photos)} photos", f"{held_after} MB", "flat")


def held() -> float:
    """MB that all processes of the browser hold."""
    found = 0
    for process in psutil.Process().children(recursive=True):
        if "chrom" in process.name():
            found += process.memory_info().rss
    return found / 1e6


def row(what: str, measured: str, bar: str) -> None:
    print(f"| {what} | {measured} | {bar} |", flush=True)


if __name__ == "__main__":
    main()
