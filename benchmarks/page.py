"""python -m benchmarks.page [--photos 1000] [--hostile 300]

The page's server with the networks of data/promote, as `make app` starts it: how soon it is ready,
how fast it answers, how much memory it takes with many visitors, and what hostile uploads do to it.

The photos are drawn faces with a camera's noise, of 1 and of 12 megapixels (1 and 5 MB).
"""

import argparse
import http.client
import itertools
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import psutil
import yaml
from PIL import Image

from benchmarks.checkout import ROOT
from benchmarks.fuzz_collect import bases, broken, encoded, odd, png
from stages.collect.synthetic import draw, plan

SIZES = {1: (870, 1160), 12: (3000, 4000)}  # megapixels: width, height
AT_A_TIME = 8
LATER = 20  # photos that a median is of
WARM = 50  # photos until memory is compared
END = 10  # seconds that a bad upload may take


class Reply(NamedTuple):
    status: int  # 0: none
    reason: str
    seconds: float


class Memory:
    peak = 0.0  # MB that the process held, at most


class Server:
    """`python -m app.server` on a free port."""

    def __init__(self, project: Path, port: int) -> None:
        self.port = port
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.server"], cwd=project, stderr=(project / "log").open("w")
        )
        self._log = project / "log"
        self._watched = psutil.Process(self._process.pid)

    def wait(self) -> float:
        """Seconds until it is ready."""
        while time.perf_counter() - self.began < 120:
            try:
                self.get("/healthz")
                return time.perf_counter() - self.began
            except OSError:
                time.sleep(0.05)
        sys.exit(f"the server did not start:\n{self._log.read_text()}")

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        return connection.getresponse().read()

    def ask(self, photo: bytes) -> Reply:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/api/answers", photo, {"Content-Type": "image/jpeg"})
            return _reply(connection, began)
        except (OSError, http.client.HTTPException) as error:
            return Reply(0, str(error), time.perf_counter() - began)

    def endless(self, chunk: bytes, pause: float) -> Reply:
        """What it says to a body without an end, a `chunk` every `pause` seconds."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest("POST", "/api/answers")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()

        def send() -> None:
            try:
                while time.perf_counter() - began < 2 * END:
                    connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    time.sleep(pause)
            except OSError:  # it has answered
                return

        threading.Thread(target=send, daemon=True).start()
        try:
            return _reply(connection, began)
        except (OSError, http.client.HTTPException) as error:
            return Reply(0, str(error), time.perf_counter() - began)

    def cpu(self) -> float:
        """Seconds of CPU that it has taken so far: its time on an idle machine with one core."""
        return sum(self._watched.cpu_times()[:2])

    @contextmanager
    def watched(self) -> Iterator["Memory"]:
        found, stop = Memory(), threading.Event()

        def watch() -> None:
            while not stop.wait(0.02):
                found.peak = max(found.peak, self._watched.memory_info().rss / 1e6)

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            yield found
        finally:
            stop.set()
            watching.join()

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def _reply(connection: http.client.HTTPConnection, began: float) -> Reply:
    response = connection.getresponse()
    content = json.loads(response.read())
    return Reply(response.status, content.get("reason", ""), time.perf_counter() - began)


@contextmanager
def server(**settings: int) -> Iterator[Server]:
    """With this checkout's networks. `settings`: of `app`, besides the port."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        content = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
        content["app"] |= {"port": port, "inbox": None, **settings}
        project = Path(folder)
        (project / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
        shutil.copytree(ROOT / "data/promote", project / "data/promote")
        for code in ("app", "stages"):
            (project / code).symlink_to(ROOT / code)
        found = Server(project, port)
        try:
            yield found
        finally:
            found.end()


def photos(megapixels: int, count: int) -> list[bytes]:
    """JPEG files of phone photos of drawn persons."""
    rng, (width, height) = np.random.default_rng(megapixels), SIZES[megapixels]
    specs = plan(["a", "b"], signal="age", people=count, photos=1, wild=0, size=640, seed=7)[:count]
    found = []
    for spec in specs:
        face = cv2.resize(draw(spec).image, (width, width), interpolation=cv2.INTER_CUBIC)
        below = height - width
        image = cv2.copyMakeBorder(face, below // 2, below - below // 2, 0, 0, cv2.BORDER_REFLECT)
        noise = rng.normal(0, 4, (*image.shape[:2], 1)).astype(np.float32)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
        found.append(encoded(image, "JPEG", quality=92))
    return found


def hostile(count: int) -> Iterator[bytes]:
    """Bad files of all kinds; some are good photos that only look odd."""
    rng = np.random.default_rng(0)
    [spec] = plan(["a"], signal="age", people=1, photos=1, wild=0, size=320, seed=3)
    good = encoded(draw(spec).image, "PNG")
    special = [
        encoded(Image.new("RGB", (10_000, 10_000)), "JPEG"),
        encoded(Image.new("1", (12_000, 12_000)), "PNG"),
        encoded(Image.new("RGB", (16_000, 16)), "PNG"),
        encoded(Image.new("RGB", (16, 16_000)), "JPEG"),
        encoded(Image.new("RGB", (8_000, 5_000)), "PNG"),
        encoded(Image.new("CMYK", (8_000, 5_000)), "JPEG"),
        encoded(Image.new("RGBA", (8_000, 5_000)), "PNG"),
        encoded(Image.new("I;16", (8_000, 5_000)), "PNG"),
        encoded(_frames(), "WEBP", save_all=True, append_images=[_frames()] * 30),
        encoded(_frames(), "PNG", save_all=True, append_images=[_frames()] * 30),
        encoded(_frames(), "GIF"),
        png(39_000, 1_000),
        good[: len(good) // 2],
        bytes(13 * 2**20),
        b"\xff\xd8\xff" + bytes(11 * 2**20),
        b"GET / HTTP/1.1\r\n\r\n",
        *odd(rng),
    ]
    yield from special
    several = [*bases(rng), good]
    for number in range(count - len(special)):
        yield broken(several[number % len(several)], number % 8, rng)


def _frames() -> Image.Image:
    return Image.effect_noise((640, 480), 60).convert("RGB")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.page", description=__doc__)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--hostile", type=int, default=300)
    options = parser.parse_args()
    small, large = photos(1, 8), photos(12, 4)
    print("| what | measured | bar |\n| --- | --- | --- |")
    with server() as page:
        ready = page.wait()
        row("ready after `make app`", f"{ready:.1f} s ({page.cpu():.1f} s of CPU)", "10 s")
        speed(page, small, large)
    with server() as page:
        page.wait()
        load(page, small * 3 + large, options.photos)
    with server() as page:
        page.wait()
        siege(page, options.hostile, small[0])


def speed(page: Server, small: list[bytes], large: list[bytes]) -> None:
    row("first answers, 12 megapixels", f"{page.ask(large[0]).seconds:.2f} s", "1.5 s")
    for megapixels, several, bar in ((12, large, 0.5), (1, small, 0.3)):
        times = [
            page.ask(photo).seconds for photo in itertools.islice(itertools.cycle(several), LATER)
        ]
        middle, slowest = statistics.median(times), max(times)
        measured = f"{middle:.2f} s (slowest {slowest:.2f} s)"
        row(f"later ones, {megapixels} megapixels, median", measured, f"{bar} s")


def load(page: Server, several: list[bytes], count: int) -> None:
    """`count` photos, `AT_A_TIME`."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        with page.watched() as first:
            list(pool.map(page.ask, repeated(several, WARM)))
        began = time.perf_counter()
        with page.watched() as later:
            replies = list(pool.map(page.ask, repeated(several, count - WARM)))
        seconds = time.perf_counter() - began
    statuses = Counter(reply.status for reply in replies)
    failed = len(replies) - statuses[200] - statuses[429]
    times = sorted(reply.seconds for reply in replies if reply.status == 200)
    p95 = times[int(0.95 * len(times))]
    name = f"{count} photos, {AT_A_TIME} at a time"
    row(f"{name}: failed, asked to come again", f"{failed}, {statuses[429]}", "0, any")
    row(f"{name}: median, p95", f"{statistics.median(times):.2f}, {p95:.2f} s", "")
    row(f"{name}: photos a second", f"{len(times) / seconds:.1f}", "")
    row(f"{name}: memory of the first {WARM}, at most", f"{first.peak:.0f} MB", "")
    row(f"{name}: more of the others", f"{later.peak - first.peak:+.0f} MB", "100 MB")


def siege(page: Server, count: int, good: bytes) -> None:
    with page.watched() as during:
        bodies = [page.endless(bytes(2**16), 0), page.endless(b"\xff", 0.5), page.endless(b"", 1)]
        replies = bodies + [page.ask(photo) for photo in hostile(count - len(bodies))]
    statuses = Counter(reply.status for reply in replies)
    said = sum(reply.status == 200 or bool(reply.reason) for reply in replies)
    slowest = max(reply.seconds for reply in replies)
    name = f"{len(replies)} hostile uploads"
    row(f"{name}: answered with a reason", f"{said}", f"{len(replies)}")
    row(f"{name}: slowest", f"{slowest:.1f} s", f"{END} s")
    row(f"{name}: statuses", ", ".join(f"{n} x {s}" for s, n in sorted(statuses.items())), "no 5xx")
    after = page.ask(good)
    row("... the next good photo", f"{after.status} in {after.seconds:.2f} s", "200")
    row("... memory, at most", f"{during.peak:.0f} MB", "1500 MB")


def repeated(several: list[bytes], count: int) -> Iterator[bytes]:
    return itertools.islice(itertools.cycle(several), count)


def row(what: str, measured: str, bar: str) -> None:
    print(f"| {what} | {measured} | {bar} |", flush=True)


if __name__ == "__main__":
    main()
