"""python -m tests.page.pictures [ADDRESS]: the pictures of the page in docs/page, of drawn faces.

Needs a server with drawn faces' networks (`make repro && make app`) and Chromium.
"""

import io
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from stages.collect.synthetic import draw, plan
from tests.page.conftest import browser_path

FOLDER = Path("docs/page")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 844}
LANGUAGES = ("en", "ko", "ja")
GAP, PAPER = 32, "#efe5d4"


def main(address: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        one, two = _photos(Path(folder))
        chromium = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])

        def opened(size: dict, scheme: str, language: str, photo: Path | None) -> Page:
            page = chromium.new_page(
                viewport=size, color_scheme=scheme, locale=language, reduced_motion="reduce"
            )
            page.goto(address)
            page.locator(".card").first.wait_for()
            if photo:
                page.set_input_files("#file", photo)
                page.locator('main[data-state="answers"]').wait_for()
                page.evaluate("scrollTo(0, 0)")
            page.evaluate("document.fonts.ready")
            return page

        for scheme in ("light", "dark"):
            for name, photo in (("start", None), ("answers", one)):
                pages = [opened(PHONE, scheme, language, photo) for language in LANGUAGES]
                shots = [page.screenshot(full_page=photo is not None) for page in pages]
                _save(f"{name}-{scheme}", shots)
        for language, scheme in zip(LANGUAGES, ("dark", "light", "dark"), strict=True):
            page = opened(DESK, scheme, language, two)
            _save(f"desk-{language}-{scheme}", [page.screenshot()])

        page = opened(PHONE, "light", "ko", one)
        page.locator(".where").first.click()
        page.locator(".explanation:not(.looking)").first.wait_for()
        where = page.locator(".card").first.screenshot()
        page.click("#share-card")
        page.locator("#share[open]").wait_for()
        page.check("#share-photo")
        page.wait_for_timeout(1000)
        _save("explanation-and-share", [where, page.locator("#share").screenshot()])
        phone = opened(PHONE, "dark", "ko", one)
        phone.evaluate("document.getElementById('answers').scrollIntoView()")
        desk = opened(DESK, "light", "en", one)
        _save("../page", [desk.screenshot(), phone.screenshot()])
        chromium.close()


def _photos(folder: Path) -> tuple[Path, Path]:
    """A photo of one drawn face, and one of two."""
    specs = plan(["a", "b"], signal="geometry", people=3, photos=1, wild=0, size=720, seed=9)
    faces = [cv2.cvtColor(draw(specs[each]).image, cv2.COLOR_RGB2BGR) for each in (0, 4)]
    cv2.imwrite(str(folder / "one.jpg"), faces[0])
    cv2.imwrite(str(folder / "two.jpg"), np.hstack(faces))
    return folder / "one.jpg", folder / "two.jpg"


def _save(name: str, shots: list[bytes]) -> None:
    """The screenshots side by side."""
    pictures = [Image.open(io.BytesIO(shot)) for shot in shots]
    width = sum(each.width + GAP for each in pictures) + GAP
    height = max(each.height for each in pictures) + 2 * GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    left = GAP
    for each in pictures:
        sheet.paste(each, (left, GAP))
        left += each.width + GAP
    sheet.save(FOLDER / f"{name}.webp", quality=78, method=6)


if __name__ == "__main__":
    main(*sys.argv[1:] or ["http://127.0.0.1:8000"])
