"""Photos that visitors gave with the right answer: a folder that `collect` reads like any other."""

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

from app.server.promoted import Network
from app.server.words import Refused
from stages.common.files import new_file


def value(text: str, label: str, network: Network) -> int | None:
    """The photo's number that a form names. Raises `Refused` if it or the label is impossible."""
    bins = network.chain.settings.bins
    if label not in network.chain.titles or (text and not bins):
        raise Refused(422, "error.no_label")
    if not text or not bins:
        return None
    first, last = bins[label]
    if not text.isdecimal() or not first <= int(text) <= last:
        raise Refused(422, "error.no_value", first=first, last=last)
    return int(text)


def keep(folder: Path, network: Network, label: str, value: int | None, image: np.ndarray) -> None:
    """Write `image`, (H, W, 3) `uint8` sRGB, to <folder>/<task>/<label>/<hash>[_A<value>].jpg.

    What else the photo's file said, such as where it was taken, is not kept. The same photo once
    more, with another label or number, replaces the first one.
    """
    data = io.BytesIO()
    Image.fromarray(image).save(data, "jpeg", quality=95)
    hash = hashlib.sha256(data.getvalue()).hexdigest()[:16]
    name = f"{hash}.jpg" if value is None else f"{hash}_A{value}.jpg"
    before = [*(folder / network.task).glob(f"*/{hash}*.jpg")]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")  # photos never go to git, wherever the inbox is
    with new_file(folder / network.task / label / name) as part:
        part.write_bytes(data.getvalue())
    for other in before:
        if other != folder / network.task / label / name:
            other.unlink(missing_ok=True)
