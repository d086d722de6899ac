"""The page as people use it: a real browser, the real server, drawn faces."""

import base64
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from app.chain import Chain
from tests.page.conftest import LANGUAGES
from tests.promote.mini import TASK

pytestmark = pytest.mark.slow

PAPER = (0xE5, 0xF1, 0xF8)  # BGR


def answered(page, state: str = "answers"):
    page.locator(f'main[data-state="{state}"]').wait_for()
    return page


def choose(page, photo: Path, state: str = "answers"):
    with page.expect_response(re.compile("/api/tasks")):  # the last thing that the page asks for
        page.set_input_files("#file", photo)
    return answered(page, state)


def card(page, task: str = TASK):
    return page.locator(f'[data-task="{task}"]')


def shown(page, task: str = TASK) -> dict[str, str]:
    """The bars of a card: title -> percentage."""
    lines = card(page, task).locator(".bars li").all()
    return {each.locator("span").inner_text(): each.locator("b").inner_text() for each in lines}


def until(page, happens: Callable[[], object]) -> None:
    """The page's policy forbids what Playwright's own waiting for a condition does: `eval`."""
    deadline = time.monotonic() + 15
    while not happens():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def as_file(page, photo: Path):
    """A DataTransfer with the photo, as a drag or the clipboard has it."""
    # The page's policy forbids to fetch data: addresses, so that the bytes are unpacked here.
    script = """data => {
        const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], "one.jpg", {type: "image/jpeg"}));
        return transfer;
    }"""
    return page.evaluate_handle(script, base64.b64encode(photo.read_bytes()).decode())


def test_a_photo_from_a_file_gets_the_answers_of_the_chain(open_page, photos, project):
    page = choose(open_page(), photos / "one.jpg")
    expected = Chain(project / "data/promote" / TASK / "champion").answer(
        (photos / "one.jpg").read_bytes()
    )
    titles = {"cool": "Cool", "warm": "Warm"}
    percent = {titles[k]: f"{round(100 * v)}%" for k, v in expected.probabilities.items()}
    found = shown(page)
    assert found.keys() == percent.keys()
    assert all(found[t] == percent[t] or found[t][0] in "<>" for t in percent)
    assert titles[expected.label] in card(page).locator(".title").inner_text()
    worth = card(page).locator(".exam").inner_text()
    assert re.fullmatch(r"Right for 78 of 100 .+ \(73\sto\s83\)\.", worth)
    assert card(page).locator(".dots .sure").count() == 73
    assert page.locator(".face").count() == 1


def test_a_large_photo_on_its_side_is_shown_upright_and_as_sharp_as_a_screen(
    open_page, portraits, tmp_path
):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # turn it clockwise to see it upright
    lying = np.rot90(cv2.resize(portraits[0], (1500, 2000)))
    Image.fromarray(lying[..., ::-1]).save(tmp_path / "large.jpg", exif=exif)
    page = choose(open_page(), tmp_path / "large.jpg")
    script = """() => {
        const canvas = document.getElementById("photo");
        const pixel = (x, y) => [...canvas.getContext("2d").getImageData(x, y, 1, 1).data];
        return [canvas.width, canvas.height, pixel(600, 800), pixel(40, 40)];
    }"""
    width, height, *pixels = page.evaluate(script)
    assert (width, height) == (1200, 1600)
    small = cv2.resize(portraits[0], (1200, 1600), interpolation=cv2.INTER_AREA)
    for (x, y), pixel in zip([(600, 800), (40, 40)], pixels, strict=True):
        assert np.abs(small[y, x, ::-1] - np.array(pixel[:3], int)).max() < 12


def test_each_card_links_to_its_model_card(open_page):
    page = open_page()
    link = card(page).locator(".model-card")
    with page.expect_popup() as opened:
        link.click()
    assert opened.value.locator("h1").inner_text().startswith("Personal colour")


def test_a_network_that_was_not_promoted_says_so(open_page, photos):
    page = choose(open_page(), photos / "one.jpg")
    assert card(page, "house").locator(".failed").is_visible()
    assert "perhaps it only guesses" in card(page, "house").locator(".not-promoted").inner_text()
    worth = card(page, "house").locator(".exam").inner_text()
    assert re.fullmatch(r"Right for 29 of 37 .+ Of 100 it may be 73 to 83\.", worth)
    assert card(page).locator(".failed").is_hidden()
    assert card(page).locator(".not-promoted").inner_text() == ""


def test_drag(open_page, photos):
    page = open_page()
    transfer = as_file(page, photos / "one.jpg")
    page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
    assert page.locator(".stage.over").count() == 1
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    assert len(shown(answered(page))) == 2
    assert page.locator(".stage.over").count() == 0


def test_paste(open_page, photos):
    page = open_page()
    page.evaluate(
        """clipboardData => document.dispatchEvent(
            new ClipboardEvent("paste", {clipboardData, bubbles: true}))""",
        as_file(page, photos / "one.jpg"),
    )
    assert len(shown(answered(page))) == 2


def test_camera(open_page):
    page = open_page(permissions=["camera"])
    page.click("#use-camera")
    until(page, lambda: page.evaluate("document.querySelector('video').videoWidth > 0"))
    assert page.locator("#camera .oval").is_visible()
    page.click(".shutter")
    answered(page)
    assert page.locator("#camera").is_hidden()
    assert page.evaluate("document.querySelector('video').srcObject") is None
    assert page.evaluate("document.getElementById('photo').width") == 640
    assert page.locator(".face").count() == 1


def test_a_camera_that_is_forbidden_leaves_the_file(open_page, photos):
    page = open_page()
    page.evaluate("""() => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no"));
    }""")
    page.click("#use-camera")
    page.locator("#problem", has_text="camera").wait_for()
    choose(page, photos / "one.jpg")
    assert page.locator("#problem").is_hidden()


def test_of_two_faces_the_tapped_one_is_answered(open_page, photos):
    page = choose(open_page(), photos / "two.jpg")
    faces = page.locator(".face")
    assert faces.count() == 2
    assert page.locator("#several").inner_text().startswith("2 faces")
    pressed = [each.get_attribute("aria-pressed") for each in faces.all()]
    other = pressed.index("false")
    with page.expect_response(re.compile(rf"/api/answers\?.*face={other}")) as response:
        faces.nth(other).click()
    page.locator(".looking").first.wait_for(state="detached")
    assert faces.nth(other).get_attribute("aria-pressed") == "true"
    assert faces.nth(1 - other).get_attribute("aria-pressed") == "false"
    found = next(a for a in response.value.json()["answers"] if a["task"] == TASK)
    assert card(page).locator(".bars .best span").inner_text().lower() == found["label"]


def test_what_is_odd_about_a_photo_is_said(open_page, photos):
    page = choose(open_page(), photos / "grey.jpg")
    assert "hardly any colours" in page.locator("#warnings").inner_text()
    choose(page, photos / "one.jpg")
    page.locator("#warnings", has_text="colours").wait_for(state="detached")


def test_no_face(open_page, photos):
    page = choose(open_page(), photos / "one.jpg")
    choose(page, photos / "none.jpg", state="failed")
    assert page.locator("#problem").inner_text().startswith("No face found")
    assert page.locator(".bars:visible").count() == 0  # nor the answers of the photo before
    assert page.locator("#share-card").is_hidden()


def test_what_is_no_photo_or_too_large_is_refused_before_it_is_sent(open_page, photos, tmp_path):
    page = open_page()
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    page.set_input_files("#file", photos / "broken.jpg")
    page.locator("#problem", has_text="no jpg, png or webp").wait_for()
    noise = np.random.default_rng(1).integers(0, 255, (900, 900, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "large.png"), noise)
    page.set_input_files("#file", tmp_path / "large.png")
    page.locator("#problem", has_text="at most 1 MB").wait_for()
    assert "POST" not in sent


@pytest.mark.parametrize(
    ("language", "title", "shares"),
    [("en", "Personal colour", "Share card"), ("ko", "퍼스널 컬러", "공유 카드"),
     ("ja", "パーソナルカラー", "シェアカード")],
)  # fmt: skip
def test_the_browser_chooses_the_language(open_page, photos, language, title, shares):
    page = choose(open_page(language), photos / "one.jpg")
    assert page.locator("html").get_attribute("lang") == language
    assert card(page).locator(".task").inner_text() == title
    assert page.locator("#share-card").inner_text() == shares
    assert "{" not in page.locator("body").inner_text()


def test_the_language_can_be_switched_and_the_answers_stay(open_page, photos):
    page = choose(open_page("en"), photos / "one.jpg")
    before = list(shown(page).values())
    page.get_by_role("button", name="한국어").click()
    page.locator('html[lang="ko"]').wait_for()
    page.locator(".bars li", has_text="쿨톤").first.wait_for()
    assert list(shown(page).values()) == before
    assert page.url.endswith("?lang=ko")
    page.reload()
    page.locator(".card").first.wait_for()
    assert card(page).locator(".task").inner_text() == "퍼스널 컬러"


def test_where_the_answer_rests_is_shown_on_demand(open_page, photos):
    page = choose(open_page(), photos / "one.jpg")
    assert card(page).locator("figure").is_hidden()
    with page.expect_response(re.compile("/api/explanation")) as response:
        card(page).locator(".where").click()
    assert response.value.status == 200
    card(page).locator("figcaption", has_text=re.compile("bright|does not change")).wait_for()
    data = card(page).locator("figure canvas").evaluate("it => it.toDataURL()")
    picture = picture_of(data)
    assert picture.shape[:2] == (480, 480)
    assert picture.std() > 10  # a face in light and shade, not a blank square
    card(page).locator(".where").click()
    assert card(page).locator("figure").is_hidden()


def picture_of(address: str) -> np.ndarray:
    data = base64.b64decode(address.split(",")[1])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_the_share_card_has_the_photo_only_if_the_person_adds_it(
    open_page, photos, portraits, tmp_path
):
    page = choose(open_page(), photos / "one.jpg")
    page.click("#share-card")
    page.locator("#share[open]").wait_for()
    cards = []
    for name in ("without.png", "with.png"):
        with page.expect_download() as download:
            page.click("#share-save")
        assert download.value.suggested_filename == "honest-mirror.png"
        download.value.save_as(tmp_path / name)
        cards.append(cv2.imread(str(tmp_path / name)))
        before = page.get_attribute("#share-save", "href")
        page.check("#share-photo")
        if name == "without.png":
            until(page, lambda was=before: page.get_attribute("#share-save", "href") != was)
    without, added = cards
    assert without.shape == added.shape == (1350, 1080, 3)
    assert tuple(without[1340, 1070]) == PAPER
    skin = portraits[0][200:300, 180:300].reshape(-1, 3).mean(0)
    oval = np.s_[150:300, 790:920]
    off = [np.abs(each[oval].reshape(-1, 3).mean(0) - skin).max() for each in cards]
    assert off[1] < 30 < off[0]
    changed = np.any(without != added, axis=2)
    assert changed[:, :680].sum() == changed[440:].sum() == 0  # the rest is the same
    ink = (np.abs(without[456:1240].astype(int) - PAPER).max(2) > 60).mean()
    assert 0.02 < ink < 0.3  # and there is something to read
    assert "Personal" not in page.locator("#share canvas").get_attribute("aria-label")


def test_a_card_is_shared_where_the_browser_can(open_page, photos):
    page = open_page()
    page.evaluate("""() => {
        navigator.canShare = () => true;
        navigator.share = async ({files}) => { window.shared = files[0].type; };
    }""")
    choose(page, photos / "one.jpg")
    page.click("#share-card")
    page.click("#share-send")
    until(page, lambda: page.evaluate("window.shared") == "image/png")


def test_a_photo_goes_to_the_inbox_only_with_consent(open_page, photos, project):
    inbox = project / "inbox"
    page = choose(open_page(), photos / "one.jpg")
    assert not inbox.exists()
    card(page).locator(".wrong").click()
    form = card(page).locator("form")
    radio = form.locator("input[type=radio]")
    assert radio.count() == 1  # every class but the one that was answered
    label = radio.get_attribute("value")
    radio.check()
    form.locator(".button.first").click()
    assert form.is_visible()
    assert not inbox.exists()  # the browser asks for the tick first
    form.locator("[name=consent]").check()
    form.locator(".button.first").click()
    card(page).locator(".thanks", has_text="Thank you").wait_for()
    kept = list((inbox / TASK / label).iterdir())
    assert len(kept) == 1
    assert cv2.imread(str(kept[0])).shape == (480, 480, 3)
    assert card(page).locator(".wrong").is_hidden()
    shutil.rmtree(inbox)


def test_a_network_of_years_asks_for_the_years(open_page, photos):
    page = open_page()
    # As if the network told years; what would be kept is looked at.
    page.evaluate("""() => {
        const ask = window.fetch;
        window.fetch = async (path, options) => {
            if (path.startsWith("/api/wrong")) {
                const {photo, ...fields} = Object.fromEntries(options.body);
                window.kept = {...fields, photo: photo.size};
                return Response.json({}, {status: 201});
            }
            const answer = await ask(path, options);
            if (!path.startsWith("/api/answers")) return answer;
            const found = await answer.json();
            for (const each of found.answers) {
                Object.assign(each, {value: 30.2, value_low: 22, value_high: 38.6});
            }
            return Response.json(found);
        };
    }""")
    choose(page, photos / "one.jpg")
    years = card(page).locator(".years").inner_text()
    assert years == "about 30 years old (22 to 39 for 8 of 10 people)"
    card(page).locator(".wrong").click()
    form = card(page).locator("form")
    assert form.locator("input[type=radio]").count() == 2  # the group may be right
    form.locator("input[type=radio]").first.check()
    form.locator("[name=consent]").check()
    form.locator(".button.first").click()
    assert form.is_visible()  # the years are missing
    form.locator("[name=value]").fill("34")
    form.locator(".button.first").click()
    card(page).locator(".thanks").wait_for()
    kept = {"task": TASK, "label": "cool", "value": "34", "consent": "yes"}
    assert page.evaluate("window.kept") == kept | {"photo": (photos / "one.jpg").stat().st_size}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phone_does_not_scroll_sideways(open_page, photos, language):
    page = open_page(language, has_touch=True)
    choose(page, photos / "one.jpg")
    card(page).locator(".where").click()
    card(page).locator(".wrong").click()
    page.click(".banner summary")
    page.click("#share-card")
    page.locator("#share[open]").wait_for()
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 700})
        for part in ("html", "#share"):
            assert page.locator(part).evaluate("it => it.scrollWidth") <= width


def test_the_keyboard_alone_is_enough(open_page, photos):
    page = open_page(width=1280)

    def tab_to(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if name == page.evaluate("document.activeElement.innerText?.trim()"):
                return
        raise AssertionError(f"the tab key does not reach {name}")

    choosers = []
    page.on("filechooser", lambda each: choosers.append(each))
    tab_to("Choose a photo")
    page.keyboard.press("Enter")
    until(page, lambda: choosers)
    choosers[0].set_files(photos / "one.jpg")
    answered(page)
    tab_to("Where it looks")
    page.keyboard.press("Enter")
    card(page).locator("figcaption", has_text=re.compile("bright|does not change")).wait_for()
    tab_to("That is wrong")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert card(page).locator("input:checked").count() == 2
    page.locator("#share-card").focus()
    page.keyboard.press("Enter")
    page.locator("#share[open]").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("#share").is_hidden()
    assert page.evaluate("document.activeElement.id") == "share-card"


def violations(page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page, photos, scheme):
    page = open_page(color_scheme=scheme, permissions=["camera"])
    assert violations(page) == []
    page.click(".banner summary")
    choose(page, photos / "two.jpg")
    card(page).locator(".where").click()
    card(page).locator(".wrong").click()
    card(page).locator("figcaption", has_text=re.compile("bright|does not change")).wait_for()
    assert violations(page) == []
    page.click("#share-card")
    page.locator("#share[open]").wait_for()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.click("#use-camera")
    page.locator("#camera[open]").wait_for()
    assert violations(page) == []


@pytest.mark.parametrize("path", ["/docs", f"/cards/{TASK}"])
def test_axe_finds_nothing_on_the_pages_beside(open_page, address, path):
    page = open_page()
    page.goto(address + path)
    assert violations(page) == []


# The last test, as it changes what the others see.
def test_a_new_champion_answers_without_a_restart(open_page, photos, project):
    page = choose(open_page(), photos / "one.jpg")
    assert page.locator("#drawn").is_visible()
    before = shown(page)
    champion = project / "data/promote" / TASK / "champion"
    new = champion.parent / "new"
    shutil.copytree(champion, new)
    calibration = json.loads((new / "calibration.json").read_text())
    calibration["temperature"] *= 3
    (new / "calibration.json").write_text(json.dumps(calibration))
    origin = json.loads((new / "origin.json").read_text())
    (new / "origin.json").write_text(json.dumps(origin | {"sources": {"folder": 10}}))
    chain = json.loads((new / "chain.json").read_text())
    (new / "chain.json").write_text(json.dumps(chain | {"unsure_below": 1}))
    shutil.rmtree(champion)
    new.rename(champion)
    until(page, lambda: shown(choose(page, photos / "one.jpg")) != before)
    page.locator("#drawn").wait_for(state="hidden")  # it has seen real faces,
    assert card(page).locator(".doubt").inner_text() == "Not sure"  # and doubts more
    assert card(page).locator(".title").inner_text().startswith("Perhaps ")
