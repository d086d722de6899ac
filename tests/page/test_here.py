"""The page without a server: static files, and chains that run in a real browser."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from app.publish import runtime
from app.server.answers import answers, explanation
from app.server.promoted import load
from stages.common.errors import UserError
from stages.common.images import decode
from tests.app.serving import serve
from tests.page.conftest import LANGUAGES, _missing, browser_path
from tests.page.hosted import hosted, url_of
from tests.page.published import write
from tests.page.test_page import answered, card, shown, until, violations
from tests.promote.mini import REPO, TASK

pytestmark = pytest.mark.slow

# A program of one instruction, v128.const
SIMD = "AGFzbQEAAAABBAFgAAADAgEACgkBBwBBAP0PGgs="

ASK = """async ([data, call, ...about]) => {
    const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
    const source = await import("./static/source.js");
    return source[call](new Blob([bytes], { type: "image/jpeg" }), ...about);
}"""


@pytest.fixture(scope="session")
def site(project) -> Path:
    """A folder whose sub-folder `mirror` is the site."""
    try:
        vendored = runtime.load(None, REPO / ".cache/site", download=True)
    except UserError as error:
        _missing(str(error))
    copy = project.parent / "published"
    shutil.copytree(project, copy)
    (copy / "hosted").mkdir()
    write(copy, vendored).rename(copy / "hosted/mirror")
    return copy / "hosted"


@pytest.fixture
def host(site, tmp_path) -> Iterator[Callable]:
    """Starts a server of a copy of the site: its folder, its address, and what stops it."""
    with ExitStack() as running:

        def start():
            folder = tmp_path / "hosted"
            shutil.copytree(site, folder)
            server = running.enter_context(hosted(folder))
            return Host(folder / "mirror", f"{url_of(server)}mirror/", running.close)

        yield start


class Host(NamedTuple):
    folder: Path
    url: str
    stop: Callable[[], None]


def choose(page, photo: Path, state: str = "answers"):
    page.set_input_files("#file", photo)
    return answered(page, state)


def ask(page, photo: Path, call: str, *about):
    return page.evaluate(ASK, [base64.b64encode(photo.read_bytes()).decode(), call, *about])


def kept(page) -> None:
    """Waits until the page can do without a network."""
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")


def test_answers_are_those_of_the_chain(host, visit, project, photos, tmp_path):
    page = visit(host().url)
    networks = [load(project / "data/promote" / name) for name in (TASK, "house")]
    turned = tmp_path / "turned.jpg"  # as phones write it: pixels on their side, and a mark
    picture = Image.open(photos / "one.jpg").rotate(90, expand=True)
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(turned, exif=exif, quality=95)
    for photo, face in ((photos / "one.jpg", None), (photos / "two.jpg", 1), (turned, None)):
        wanted = answers(networks, decode(photo.read_bytes()), face, "en").model_dump()
        found = ask(page, photo, "answers", face)
        assert (found["width"], found["height"]) == (wanted["width"], wanted["height"])
        assert found["face"] == wanted["face"]
        assert len(found["faces"]) == len(wanted["faces"])
        for one, other in zip(found["faces"], wanted["faces"], strict=True):
            assert one == pytest.approx(other, abs=1.5)
        for one, other in zip(found["answers"], wanted["answers"], strict=True):
            assert one["task"] == other["task"]
            assert one["label"] == other["label"]
            assert one["warnings"] == other["warnings"]
            assert one["probabilities"] == pytest.approx(other["probabilities"], abs=0.03)


def test_an_explanation_is_that_of_the_chain(host, visit, project, photos):
    page = visit(host().url)
    network = load(project / "data/promote" / TASK)
    wanted = explanation(network, decode((photos / "one.jpg").read_bytes()), None)
    found = ask(page, photos / "one.jpg", "explanation", TASK, None)
    assert found["box"] == pytest.approx(wanted.box.model_dump(), abs=3)
    assert found["angle"] == pytest.approx(wanted.angle, abs=1)
    assert np.corrcoef(np.ravel(found["importance"]), np.ravel(wanted.importance))[0, 1] > 0.95


SPREAD = """async ([task, helper]) => {
    const worker = new Worker("static/chain/worker.js", { type: "module" });
    const says = (about) => new Promise((done) => {
        worker.onmessage = ({ data }) => done(data.found);
        worker.postMessage({ id: 1, call: "raw", about: [task, about] });
    });
    const { tasks } = await (await fetch("chains.json")).json();
    const { size } = tasks.find((each) => each.task === task).look;
    const look = { rows: size, columns: size, type: 64 }; // CV_8UC3 of OpenCV 5
    const pictures = Array.from({ length: 81 }, (_, light) => (
        { ...look, data: new Uint8Array(3 * size ** 2).fill(3 * light) }));
    const wanted = [];
    for (const each of pictures) wanted.push(await says(each));
    let own = 0;
    const run = (picture) => { // slow enough for others to join in
        const began = performance.now();
        while (performance.now() - began < (own ? 25 : 60));
        own += 1;
        return wanted[pictures.indexOf(picture)];
    };
    const told = [];
    const { spread } = await import("./static/chain/spread.js");
    const { signal } = new AbortController();
    const found = await spread(pictures, run, helper, (done) => told.push(done), signal);
    const plain = (all) => all.map((each) => [...each]);
    return { own, told, wanted: plain(wanted), found: plain(found) };
}"""


@pytest.mark.parametrize("helper", [TASK, "nobody"])
def test_other_workers_say_the_same_and_do_without_those_that_fail(host, visit, helper):
    page = visit(host().url)
    found = page.evaluate(SPREAD, [TASK, helper])
    assert found["found"] == found["wanted"]
    assert len({tuple(each) for each in found["wanted"]}) > 70
    assert found["told"][-1] == 81 and found["told"] == sorted(found["told"])
    alone = helper == "nobody" or page.evaluate("navigator.hardwareConcurrency") == 1
    assert (found["own"] == 81) == alone


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_a_phone_in_each_language(host, visit, photos, language):
    page = choose(visit(host().url, language), photos / "two.jpg")
    words = json.loads((REPO / f"app/words/{language}.json").read_text("utf-8"))
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator(".private").inner_text().strip() == words["photo.stays"]
    assert sum(int(each.strip("<> %")) for each in shown(page).values()) in (99, 100, 101)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".face").count() == 2
    assert violations(page) == []
    page.locator(".face").nth(1).click()
    answered(page)
    page.click("#share-card")
    page.locator("#share[open]").wait_for()
    assert page.locator("#share canvas").get_attribute("aria-label")


def test_it_says_what_it_is(host, visit):
    page = visit(host().url)
    assert page.locator("#drawn").inner_text().startswith("A demo")
    assert card(page, "house").locator(".failed").is_visible()
    page.goto(page.url.split("?")[0] + f"cards/{TASK}.html")
    assert page.locator("h1").first.inner_text()
    policy = page.evaluate("fetch('../licences.txt').then(answer => answer.text())")
    assert "not stated" in policy and "OpenCV" in policy


def test_what_is_no_photo_of_a_face(host, visit, photos):
    page = choose(visit(host().url), photos / "none.jpg", "failed")
    assert page.locator("#problem").inner_text().startswith("No face")
    page.set_input_files("#file", photos / "broken.jpg")
    until(page, lambda: "no jpg" in page.locator("#problem").inner_text())
    choose(page, photos / "one.jpg")


def test_without_a_camera(host, visit, photos):
    page = visit(host().url)
    page.evaluate(
        "navigator.mediaDevices.getUserMedia = async () => { throw new Error('denied'); }; null"
    )
    page.click("#use-camera")
    until(page, lambda: "camera cannot be used" in page.locator("#problem").inner_text())
    choose(page, photos / "one.jpg")


def test_a_damaged_file_is_named_and_fetched_again(host, visit, photos):
    server = host()
    chains = json.loads((server.folder / "chains.json").read_text())
    file = server.folder / "models" / chains["tasks"][0]["head"]
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    page = choose(visit(server.url), photos / "one.jpg", "failed")
    assert file.name in page.locator("#problem").inner_text()
    kept(page)
    file.write_bytes(whole)
    page.reload()
    page.locator(".card").first.wait_for()
    choose(page, photos / "one.jpg")


def test_without_a_network_after_the_first_visit(host, visit, photos):
    server = host()
    page = visit(server.url)
    kept(page)
    server.stop()
    page.goto(server.url + "?lang=ko")
    choose(page, photos / "one.jpg")
    assert page.locator("html").get_attribute("lang") == "ko"


def test_a_page_keeps_its_version_and_the_next_visit_has_the_new_one(host, visit, photos):
    server = host()
    page = visit(server.url)
    kept(page)
    second, third = page.context.new_page(), page.context.new_page()
    second.goto(server.url)
    card(second).wait_for()
    offer = json.loads((server.folder / "tasks/en.json").read_text())
    offer["tasks"][0]["title"] = "Another title"
    (server.folder / "tasks/en.json").write_text(json.dumps(offer))
    worker = (server.folder / "sw.js").read_text()
    (server.folder / "sw.js").write_text(
        worker.replace("const VERSION = `${SITE}", "const VERSION = `${SITE}2")
    )
    newest = "caches.match('newest').then(answer => answer.text())"
    first = page.evaluate(newest)
    third.goto(server.url)  # a visit looks for a new version
    until(page, lambda: page.evaluate(newest) != first)
    for each in (page, second, third):
        choose(each, photos / "one.jpg")  # asks for the titles anew
        assert card(each).locator(".task").inner_text() == "Personal colour"
    for each in (third, second, page):
        each.reload()
        until(each, lambda each=each: card(each).locator(".task").inner_text() == "Another title")
        choose(each, photos / "one.jpg")
    page.reload()
    # One version, and which page has which
    until(page, lambda: len(page.evaluate("caches.keys()")) == 2)


def test_a_full_disk_keeps_nobody_from_answers(host, visit, photos):
    server = host()
    page = visit(server.url)
    kept(page)
    origin = server.url.rpartition("/mirror")[0]
    page.context.new_cdp_session(page).send(
        "Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": 1}
    )
    written = "caches.open('more').then(cache => cache.put('more', new Response('more')))"
    with pytest.raises(Exception, match="Quota"):
        page.evaluate(written)
    page.reload()
    assert shown(choose(page, photos / "one.jpg"))


def test_make_app_serves_it_too(project, site, visit, photos, monkeypatch):
    monkeypatch.chdir(site.parent)
    (site.parent / "site").symlink_to(site / "mirror")
    with serve(project) as served:
        page = choose(visit(f"{served.url}/site/"), photos / "one.jpg")
        assert shown(page)
        assert "unsafe" not in served.get("/").headers["content-security-policy"]


def test_on_a_processor_without_simd(browser, host, photos):
    flags = ["--no-sandbox", "--js-flags=--no-enable-sse4-1"]
    chromium = browser.browser_type.launch(executable_path=browser_path(), args=flags)
    page = chromium.new_page()
    page.goto(host().url)
    page.locator(".card").first.wait_for()
    script = "code => WebAssembly.validate(Uint8Array.from(atob(code), each => each.charCodeAt(0)))"
    assert not page.evaluate(script, SIMD)
    choose(page, photos / "one.jpg")
    chromium.close()
