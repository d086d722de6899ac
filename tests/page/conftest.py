"""The real server with the networks of a small project, and a real browser."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from stages.collect.synthetic import draw, plan
from tests.app.conftest import promoted  # noqa: F401
from tests.app.serving import serve
from tests.params_yaml import read_params
from tests.promote.mini import TASK

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LANGUAGES = ("en", "ko", "ja")
TITLES = {
    "title": {"en": "Personal colour", "ko": "퍼스널 컬러", "ja": "パーソナルカラー"},
    "classes": {
        "cool": {"en": "Cool", "ko": "쿨톤", "ja": "ブルベ"},
        "warm": {"en": "Warm", "ko": "웜톤", "ja": "イエベ"},
    },
}


def browser_path() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def _missing(what: str) -> None:
    """Skip; but CI must never pass without the browser tests."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def project(promoted, tmp_path_factory) -> Path:  # noqa: F811
    """A champion, and a challenger of another task that failed a gate; an inbox is set."""
    root = tmp_path_factory.mktemp("page") / "project"
    shutil.copytree(promoted / "data/promote", root / "data/promote")
    _examine(root / "data/promote" / TASK / "champion", 250)
    house = root / "data/promote/house"
    shutil.copytree(root / "data/promote" / TASK, house)
    (house / "champion").rename(house / "challenger")
    _examine(house / "challenger", 37)
    promotion = json.loads((house / "promotion.json").read_text())
    promotion["decision"] = "challenger"
    promotion["gates"][0]["passed"] = False
    (house / "promotion.json").write_text(json.dumps(promotion))
    params = read_params(promoted)
    params["tasks"][TASK] |= TITLES
    (root / "params.yaml").write_text(yaml.safe_dump(params, allow_unicode=True), "utf-8")
    return root


def _examine(network: Path, photos: int) -> None:
    """As if its exam had so many photos."""
    found = json.loads((network / "evaluation.json").read_text())
    figures = {"accuracy": 0.784, "accuracy_low": 0.73, "accuracy_high": 0.83, "n": photos}
    found["parts"]["test"] |= figures
    (network / "evaluation.json").write_text(json.dumps(found))


@pytest.fixture(scope="session")
def address(project) -> Iterator[str]:
    """Where the project is served."""
    with serve(project, max_megabytes=1, inbox=project / "inbox") as served:
        yield served.url


@pytest.fixture(scope="session")
def portraits() -> list[np.ndarray]:
    """Two drawn faces, uint8 (480, 480, 3) BGR."""
    specs = plan(["a", "b"], signal="geometry", people=3, photos=1, wild=0, size=480, seed=9)
    return [cv2.cvtColor(draw(specs[each]).image, cv2.COLOR_RGB2BGR) for each in (0, 4)]


@pytest.fixture(scope="session")
def photos(portraits, tmp_path_factory) -> Path:
    """A folder with one.jpg, two.jpg (two faces), grey.jpg, none.jpg (no face) and broken.jpg."""
    folder = tmp_path_factory.mktemp("photos")
    cv2.imwrite(str(folder / "one.jpg"), portraits[0])
    cv2.imwrite(str(folder / "two.jpg"), np.hstack(portraits))
    cv2.imwrite(str(folder / "grey.jpg"), cv2.cvtColor(portraits[0], cv2.COLOR_BGR2GRAY))
    cv2.imwrite(str(folder / "none.jpg"), np.full((300, 400, 3), (120, 160, 200), np.uint8))
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="session")
def browser(portraits, tmp_path_factory) -> Iterator:
    """Chromium; its camera sees the first portrait."""
    path = browser_path()
    if path is None:
        _missing(f"no browser on the PATH: none of {', '.join(BROWSERS)}")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("the Python package playwright is missing: make test installs it")
    video = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    wide = cv2.copyMakeBorder(portraits[0], 0, 0, 80, 80, cv2.BORDER_REPLICATE)
    video.write_bytes(cv2.imencode(".jpg", wide)[1].tobytes() * 5)
    arguments = [
        "--no-sandbox",  # Chromium has none where root starts it, as CI does
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={video}",
    ]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser) -> Iterator:
    """Opens an address in a fresh profile of the browser.

    Fails if the page asks another address for anything, or if the browser reports an error.
    """
    contexts, trouble = [], []

    def opened(address: str, language: str = "en", width: int = 390, *, strict=True, **options):
        """`strict`: what a page writes to the console is an error, too."""
        context = browser.new_context(
            locale=language,
            viewport={"width": width, "height": 844 if width < 800 else 800},
            reduced_motion="reduce",
            **options,
        )
        contexts.append(context)
        context.on(
            "request",
            lambda asked: (
                asked.url.startswith((address, "blob:", "data:"))
                or trouble.append(f"asked {asked.url}")
            ),
        )
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        if strict:
            page.on("console", lambda said: said.type == "error" and trouble.append(said.text))
        page.goto(address)
        page.locator(".card").first.wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert trouble == []


@pytest.fixture
def open_page(visit, address) -> Callable:
    """Opens the page of `make app`."""
    return partial(visit, address)
