"""python -m benchmarks.fuzz_collect [--files 10000] [--kills 20]

Hostile files through `collect`: does it end, in bounded memory and time for each, with every file
in manifest.csv or rejected.csv, and with the pixels that the kept ones had? And killed at random
moments (kill -9): is the next run's output, byte for byte, that of an undisturbed one?
"""

import argparse
import io
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms

from stages.collect.candidate import Candidate, check, read
from stages.common.images import decode
from stages.records.folders import Folders, pictures
from stages.records.forgotten import FORGOTTEN
from stages.records.manifest import MANIFEST, REJECTED
from tests.params_yaml import complete, write_params

ROOT = Path(__file__).parents[1]
LABELS = ("minor", "young", "middle", "senior")  # the classes of `age`
FEWEST = 3  # good photos a class, so that the stage does not refuse the class
ODD_NAMES = (
    *("{n}.{e}", "-rf {n}.{e}", "two\nlines{n}.{e}", "..{n}.{e}x", '"{n}",\r.{e}'),
    *("a\\..\\{n}.{e}", "민지{n}.{e}", "\u202e{n}.{e}", "%2e%2e%2f{n}.{e}", "=cmd({n}).{e}"),
    *("Icon{n}\r", "@{n}\r\n.{e}", "'+{n}.{e}"),
    *("$(x){n};.{e}", "<b>{n}.{e}", "{n}" + "x" * 180 + ".{e}", " {n} .{e}", "con{n}.{e}"),
)


def write_hostile(folder: Path, count: int, seed: int = 0) -> set[str]:
    """Fill `folder` with `count` files, bad ones and a few good ones.

    Returns their names as manifest.csv and rejected.csv have them.
    """
    rng = np.random.default_rng(seed)
    secret = folder.parent / "secret.jpg"
    for label in LABELS:
        (folder / label).mkdir(parents=True)
    secret.write_bytes(encoded(_noise(rng), "JPEG"))
    good = [encoded(_noise(rng), "JPEG") for _ in range(FEWEST * len(LABELS))]
    names = set()
    for number, data in enumerate(good):
        name = f"{LABELS[number % len(LABELS)]}/good{number}.jpg"
        (folder / name).write_bytes(data)
        names.add(name)
    good_ones, others = bases(rng), odd(rng)
    for number in range(count - len(good)):
        label = LABELS[number % len(LABELS)]
        name = f"{label}/{_odd_name(number, rng)}"
        kind = number % 10
        if kind == 9:
            _link_or_pipe(folder / name, number, secret)
        elif kind == 8:
            (folder / name).write_bytes(others[number // 10 % len(others)])
        else:
            (folder / name).write_bytes(broken(good_ones[number % len(good_ones)], kind, rng))
        names.add(name)
    return names


def project(path: Path, photos: Path) -> Path:
    """A folder in which `python -m stages.collect age` collects `photos`."""
    content = complete()
    content["tasks"]["age"]["collect"] = {"path": str(photos), "sources": [{"source": "folder"}]}
    path.mkdir(parents=True, exist_ok=True)
    write_params(content, path)
    FORGOTTEN.write(path, [])
    return path


def start(path: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "stages.collect", "age"],
        cwd=path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        stderr=subprocess.PIPE,
        text=True,
    )


def accounted(path: Path) -> Counter[str]:
    """How often each name is in manifest.csv and rejected.csv together."""
    raw = Folders("age", path).raw
    return Counter(row.name for row in [*MANIFEST.read(raw), *REJECTED.read(raw)])


def outputs(path: Path) -> dict[Path, bytes]:
    """File -> its bytes."""
    files = sorted(p for p in Folders("age", path).raw.rglob("*") if p.is_file())
    return {p.relative_to(path): p.read_bytes() for p in files}


def kill_and_repeat(path: Path, whole: dict[Path, bytes], seconds: float, seed: int) -> bool:
    """Kill a run after a random share of `seconds`, then run again.

    True if the killed run left either nothing or the whole output, and the second run the whole.
    """
    process = start(path)
    time.sleep(random.Random(seed).uniform(0, seconds))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if outputs(path) not in ({}, whole):
        return False
    again = start(path)
    again.communicate()
    return again.returncode == 0 and outputs(path) == whole


def one_by_one(photos: Path, scratch: Path) -> tuple[float, int]:
    """Check each file in this process: the seconds of the slowest, and how many kept files have
    other pixels than the file that they were made of."""
    slowest, other = 0.0, 0
    pictures(scratch).mkdir(parents=True)
    for path in sorted(photos.rglob("*")):
        if path.is_file() and not path.is_symlink():
            candidate = Candidate(path.name, "", "", "pool", "folder", partial(read, path))
            began = time.perf_counter()
            photo = check(candidate, scratch).photo
            slowest = max(slowest, time.perf_counter() - began)
            if photo:
                [kept] = pictures(scratch).iterdir()
                same = np.array_equal(decode(kept.read_bytes()), decode(path.read_bytes()))
                other += not same
                kept.unlink()
    return slowest, other


def _noise(rng: np.random.Generator) -> np.ndarray:
    small = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return cv2.resize(small, (64, 48), interpolation=cv2.INTER_CUBIC)


def encoded(image: np.ndarray | Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(file, form, **options)
    return file.getvalue()


def bases(rng: np.random.Generator) -> list[bytes]:
    """Good files of every kind, which are then damaged."""
    image = Image.fromarray(_noise(rng))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    both = {"exif": exif, "icc_profile": profile}
    palette, frames = image.quantize(32), {"save_all": True, "append_images": [image.rotate(90)]}
    return [
        encoded(image, "JPEG", **both),
        encoded(image, "JPEG", progressive=True),
        encoded(image.convert("CMYK"), "JPEG"),
        encoded(image.convert("L"), "JPEG"),
        encoded(image, "PNG", **both),
        encoded(image.convert("LA"), "PNG"),
        encoded(palette, "PNG", transparency=3),
        encoded(image, "PNG", **frames),
        encoded(image, "WEBP", **both),
        encoded(image.convert("RGBA"), "WEBP", lossless=True),
        encoded(image, "WEBP", **frames),
        cv2.imencode(".png", rng.integers(0, 65536, (48, 64), dtype=np.uint16))[1].tobytes(),
    ]


def broken(data: bytes, kind: int, rng: np.random.Generator) -> bytes:
    broken = bytearray(data)
    if kind < 2:  # cut short
        del broken[rng.integers(0, len(data)) :]
    elif kind == 2:  # a piece cut out or doubled
        first, last = sorted(rng.integers(0, len(data), 2))
        broken[first:last] = broken[first:last] * int(rng.integers(0, 3))
    else:  # bits flipped: in the headers, or anywhere
        reach = min(len(data), 200 if kind < 6 else len(data))
        for at in rng.integers(0, reach, rng.integers(1, 20)):
            broken[at] ^= 1 << int(rng.integers(8))
    return bytes(broken)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *chunks: bytes, data: bytes = b"\0" * 99) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = b"".join(chunks) + _chunk(b"IDAT", zlib.compress(data)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + body


def odd(rng: np.random.Generator) -> list[bytes]:
    """Files that are not what their name or header says, and files that unpack to gigabytes."""
    image = _noise(rng)
    jpeg, progressive = encoded(image, "JPEG"), encoded(image, "JPEG", progressive=True)
    at = jpeg.index(b"\xff\xc0") + 5
    large_jpeg = jpeg[:at] + struct.pack(">HH", 50_000, 50_000) + jpeg[at + 4 :]
    vp8x = b"VP8X" + struct.pack("<IB3x", 10, 0) + (16382).to_bytes(3, "little") * 2
    webp = b"WEBP" + vp8x + b"VP8 " + struct.pack("<I", 10) + b"\0" * 10
    zeros = zlib.compress(bytes(60_000_000), 9)
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    archive, black = io.BytesIO(), Image.new("RGB", (64, 48))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.jpg", bytes(60_000_000))
    return [
        b"",
        b"\xff\xd8\xff",
        b"<!doctype html><title>404</title><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        b"%PDF-1.7\n",
        b"MZ" + bytes(500),
        bytes(rng.integers(0, 256, 5000, dtype=np.uint8)),
        archive.getvalue(),
        jpeg + archive.getvalue(),  # a picture and an archive at once
        encoded(image, "GIF"),
        encoded(image, "TIFF"),
        encoded(image, "BMP"),
        png(50_000, 50_000),
        png(2**31 - 1, 2**31 - 1),
        png(0, 0),
        png(9_900, 9_900),  # within the limit, and nothing behind it
        large_jpeg,
        b"RIFF" + struct.pack("<I", len(webp)) + webp,
        png(64, 48, _chunk(b"iCCP", b"x\0\0" + zeros)),
        png(64, 48, _chunk(b"zTXt", b"x\0\0" + zeros)),
        png(64, 48, _chunk(b"iTXt", b"x\0\1\0\0\0" + zeros)),
        png(64, 48, *[_chunk(b"tEXt", b"k\0" + b"v" * 900)] * 500),
        png(64, 48, data=bytes(60_000_000)),
        progressive[:-2] + scan * 5000 + progressive[-2:],
        encoded(Image.fromarray(image), "WEBP", save_all=True, append_images=[black] * 300),
    ]


def _odd_name(number: int, rng: np.random.Generator) -> str:
    ending = ("jpg", "png", "webp", "JPEG", "html", "jpg.exe", "")[number % 7]
    return ODD_NAMES[number % len(ODD_NAMES)].format(n=number, e=ending)


def _link_or_pipe(path: Path, number: int, secret: Path) -> None:
    targets = (secret, Path("/etc/passwd"), secret.parent, path, path.with_name("nowhere"))
    if number // 10 % 6 == 5:
        os.mkfifo(path)
    else:
        path.symlink_to(targets[number // 10 % 6])


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.fuzz_collect", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        photos = Path(scratch, "photos")
        names = write_hostile(photos, options.files)
        path = project(Path(scratch, "project"), photos)
        began = time.monotonic()
        process = start(path)
        errors = process.communicate()[1]
        seconds = time.monotonic() - began
        if process.returncode:
            sys.exit(f"collect failed:\n{errors[-3000:]}")
        found = accounted(path)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        kept = len(MANIFEST.read(Folders("age", path).raw))
        missing, invented = len(names - set(found)), len(set(found) - names)
        twice = sum(n > 1 for n in found.values())
        slowest, other = one_by_one(photos, Path(scratch, "one"))
        print(f"{len(names)} files in {seconds:.0f} s; the largest process took {peak:.0f} MB")
        print(f"kept {kept}, rejected {sum(found.values()) - kept}")
        print(f"missing {missing}, twice {twice}, invented {invented}")
        print(f"the slowest file took {slowest:.2f} s; kept with other pixels: {other}")

        photos = Path(scratch, "few")
        write_hostile(photos, 120)
        path = project(Path(scratch, "killed"), photos)
        began = time.monotonic()
        start(path).communicate()
        seconds, whole = time.monotonic() - began, outputs(path)
        same = sum(kill_and_repeat(path, whole, seconds, seed) for seed in range(options.kills))
        print(
            f"killed {options.kills} times within {seconds:.1f} s: {same} runs after it identical"
        )


if __name__ == "__main__":
    main()
