"""The page's server, asked as a browser asks it, and by people who mean no good."""

import asyncio
import http.client
import io
import json
import re
import shutil
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from app import chain as chain_module
from app.chain import Chain
from app.server import site as site_module
from app.server import upload
from app.server.words import FOLDER, LANGUAGES, Refused
from benchmarks.fuzz_collect import png as header
from stages.common.images import decode
from stages.extract.crop import transform
from stages.promote.__main__ import main as promote
from stages.records.calibration import CALIBRATION, Temperature
from stages.records.chain import ORIGIN, Origin
from stages.records.promotion import PROMOTION
from tests.app.serving import Served, reply, serve
from tests.app.test_chain import photo_of, predictions
from tests.params_yaml import read_params
from tests.promote.mini import CLASSES, TASK, write_network

pytestmark = pytest.mark.slow
SECOND = "second"  # a task whose network was not promoted


@pytest.fixture(scope="module")
def project(promoted, tmp_path_factory) -> Path:
    """A project with a champion of one task and a challenger of another, both the same network."""
    root = tmp_path_factory.mktemp("site") / "project"
    shutil.copytree(promoted, root)
    folder = root / "data/promote" / SECOND
    shutil.copytree(root / "data/promote" / TASK, folder)
    (folder / "champion").rename(folder / "challenger")
    decision = json.loads(PROMOTION.path(folder).read_text())
    decision["gates"][0]["passed"] = False
    PROMOTION.path(folder).write_text(json.dumps(decision))
    params = read_params(root)
    own = {"title": {"en": "Second", "ko": "둘째"}}
    own["classes"] = {"cool": {"ja": "夏"}, "warm": "Hot"}
    params["tasks"][SECOND] = params["tasks"][TASK] | own
    text = yaml.safe_dump(params, allow_unicode=True, sort_keys=False)
    (root / "params.yaml").write_text(text, "utf-8")
    return root


@pytest.fixture(scope="module")
def page(project):
    with serve(project) as served:
        yield served


@pytest.fixture(scope="module")
def champion(project) -> Chain:
    return Chain(project / "data/promote" / TASK / "champion")


@pytest.fixture(scope="module")
def photo(promoted) -> bytes:
    return photo_of(promoted, TASK, predictions(promoted, TASK)["id"].iloc[0])


@pytest.fixture(scope="module")
def two(promoted) -> bytes:
    """A photo of two people."""
    ids = predictions(promoted, TASK)["id"]
    faces = [decode(photo_of(promoted, TASK, ids.iloc[number])) for number in (0, 4)]
    return png(np.hstack(faces))


def png(image: np.ndarray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(image).save(data, "png")
    return data.getvalue()


# What it answers


def assert_same(answer: dict, expected) -> None:
    assert list(answer["probabilities"]) == list(expected.probabilities)
    found, wanted = answer["probabilities"].values(), expected.probabilities.values()
    np.testing.assert_allclose(list(found), list(wanted), atol=1e-5)
    assert (answer["label"], answer["unsure"]) == (expected.label, expected.answer == "unsure")
    assert answer["confidence"] == pytest.approx(expected.confidence, abs=1e-5)
    assert (answer["warnings"], answer["reason"]) == (list(expected.flags), "")


def test_its_answers_are_those_of_the_chain(page, champion, promoted):
    for id in predictions(promoted, TASK)["id"][:6]:
        data = photo_of(promoted, TASK, id)
        expected = champion.answer(data)
        found = page.form("/api/answers", data)
        assert found.status == 200 and found.json == page.ask(data).json
        assert [each["task"] for each in found.json["answers"]] == [TASK, SECOND]
        for answer in found.json["answers"]:
            assert_same(answer, expected)
        height, width, _ = decode(data).shape
        assert (found.json["width"], found.json["height"]) == (width, height)
        box = found.json["faces"][found.json["face"]]
        assert (box["x"], box["y"], box["width"], box["height"]) == expected.box


def test_tasks_that_look_alike_share_the_work(page, photo, monkeypatch):
    calls = []
    original = chain_module.cut_out
    monkeypatch.setattr(chain_module, "cut_out", lambda *args: calls.append(1) or original(*args))
    for network in page.promoted.networks():
        detect = network.chain._detector.detect
        monkeypatch.setattr(
            network.chain._detector, "detect", lambda image, d=detect: calls.append(2) or d(image)
        )
    assert len(page.ask(photo).json["answers"]) == 2
    assert sorted(calls) == [1, 2]


def test_one_of_several_faces_can_be_chosen(page, champion, two):
    both = page.ask(two).json
    left, right = both["faces"]
    assert left["x"] + left["width"] / 2 < both["width"] / 2 < right["x"] + right["width"] / 2
    asked = [page.ask(two, f"?face={number}").json for number in (0, 1)]
    assert [each["face"] for each in asked] == [0, 1]
    assert both["answers"] == asked[both["face"]]["answers"]
    probabilities = [each["answers"][0]["probabilities"]["warm"] for each in asked]
    assert abs(probabilities[0] - probabilities[1]) > 1e-3
    assert_same(asked[both["face"]]["answers"][0], champion.answer(two))
    for number in (2, -1, -3):
        missing = page.ask(two, f"?face={number}")
        assert (missing.status, missing.json["code"]) == (422, "error.no_such_face")


def test_faces_are_counted_from_the_left_in_whichever_order_they_are_found(page, two, monkeypatch):
    before = page.ask(two, "?face=1").json
    faces = Chain.faces
    monkeypatch.setattr(Chain, "faces", lambda self, seen: faces(self, seen)[::-1])
    turned = page.ask(two, "?face=1").json
    assert turned["faces"] == before["faces"] and turned["answers"] == before["answers"]


def test_a_network_that_finds_another_face_alone_does_not_answer_about_it(page, two, monkeypatch):
    _, second = (each.chain for each in page.promoted.networks())
    faces = Chain.faces

    def left_one(self, seen):
        found = sorted(faces(self, seen), key=lambda face: face.box[0])
        return found[:1] if self is second else found

    monkeypatch.setattr(Chain, "faces", left_one)
    first, other = page.ask(two, "?face=0").json["answers"]
    assert first["label"] == other["label"] is not None
    first, other = page.ask(two, "?face=1").json["answers"]
    assert first["label"] is not None
    assert (other["label"], other["code"]) == (None, "error.no_face")


def test_a_photo_without_a_face_gets_a_reason(page):
    found = page.ask(png(np.full((200, 300, 3), 128, np.uint8)), "?lang=ja")
    assert (found.status, found.json["faces"], found.json["face"]) == (200, [], None)
    for answer in found.json["answers"]:
        assert (answer["label"], answer["code"]) == (None, "error.no_face")
        assert "顔" in answer["reason"]


def test_an_explanation_lies_where_the_network_looks(page, champion, photo):
    found = page.call("POST", f"/api/explanation?task={TASK}", photo, Content_Type="image/png").json
    importance = np.array(found["importance"])
    assert importance.shape == (found["rows"], found["columns"]) == (8, 8)
    assert importance.min() >= 0 and importance.sum() == pytest.approx(1, abs=1e-5)
    seen = chain_module.Seen(decode(photo))
    matrix = transform(champion.choose(seen), champion.geometry)
    box, angle = found["box"], np.radians(found["angle"])
    middle = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    size = champion.geometry.size
    right_edge = middle + box["width"] / 2 * np.array([np.cos(angle), np.sin(angle)])
    np.testing.assert_allclose(matrix @ [*middle, 1], [(size - 1) / 2] * 2, atol=0.5)
    np.testing.assert_allclose(matrix @ [*right_edge, 1], [size - 0.5, (size - 1) / 2], atol=1)


def test_an_explanation_needs_a_task_and_a_face(page, photo):
    unknown = page.call("POST", "/api/explanation?task=../x", photo, Content_Type="image/png")
    assert (unknown.status, unknown.json["code"]) == (404, "error.no_task")
    assert page.call("POST", "/api/explanation", photo).status == 422
    empty = png(np.zeros((200, 200, 3), np.uint8))
    nobody = page.call("POST", f"/api/explanation?task={TASK}", empty, Content_Type="image/png")
    assert (nobody.status, nobody.json["code"]) == (422, "error.no_face")


def test_tasks_say_what_they_are_worth(page, project):
    tone, second = page.get("/api/tasks?lang=ko").json["tasks"]
    assert (tone["promoted"], tone["failed"]) == (True, [])
    [gate] = second["failed"]
    assert not second["promoted"] and gate in PROMOTION.path(
        project / "data/promote" / SECOND
    ).read_text("utf-8")
    assert tone["exam"] is None or tone["exam"]["low"] <= tone["exam"]["right"]
    assert tone["years"] is None
    assert tone["drawn"] and page.get("/api/tasks").json["drawn"]


def test_an_exam_is_told_as_people_of_a_hundred(copy):
    folder = copy / "data/promote" / TASK / "champion"
    file = folder / "evaluation.json"
    evaluation = json.loads(file.read_text())
    evaluation["parts"]["test"] |= {
        "accuracy": 0.784,
        "accuracy_low": 0.731,
        "accuracy_high": 0.829,
        "mae": 5.4,
        "intervals": {"mae": [4.9, 6.1]},
    }
    file.write_text(json.dumps(evaluation))
    ORIGIN.write(
        folder, Origin({"synthetic": 3, "folder": 1}, "other photos of people it may know")
    )
    with serve(copy) as served:
        found = served.get("/api/tasks").json
    [task] = found["tasks"]
    photos = evaluation["parts"]["test"]["n"]
    exam = {"right": 78, "low": 73, "high": 83, "photos": photos, "people": "known"}
    assert task["exam"] == exam
    assert task["years"] == {"error": 5.4, "low": 4.9, "high": 6.1}
    assert not task["drawn"] and not found["drawn"]


def test_titles_have_languages_or_not(page):
    def titles(language):
        tone, second = page.get(f"/api/tasks?lang={language}").json["tasks"]
        return tone["title"], second["title"], [each["title"] for each in second["classes"]]

    assert titles("ko") == ("퍼스널 컬러", "둘째", ["夏", "Hot"])
    assert titles("ja") == ("パーソナルカラー", "Second", ["夏", "Hot"])
    assert titles("xx") == ("Personal colour", "Second", ["夏", "Hot"])


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "fr-FR,fr;q=0.9,ja;q=0.5,ko;q=0.8", "ko"),
        ("?lang=ja", "ko", "ja"),
        ("?lang=fr", "ko-KR", "ko"),
        ("", "de;q=x,,;q=", "en"),
    ],
)
def test_the_language_is_the_one_asked_for_or_the_browser_s(page, query, accepted, language):
    reason = page.call("POST", f"/api/answers{query}", b"", Accept_Language=accepted).json["reason"]
    assert reason == json.loads((FOLDER / f"{language}.json").read_text("utf-8"))["error.no_photo"]


def test_all_languages_have_the_same_words():
    words = [json.loads((FOLDER / f"{name}.json").read_text("utf-8")) for name in LANGUAGES]
    assert words[0].keys() == words[1].keys() == words[2].keys()
    for key in words[0]:
        named = [sorted(re.findall(r"\{(\w+)", each[key])) for each in words]
        assert named[0] == named[1] == named[2], key


# What it does not answer


def test_bad_photos_are_refused_with_a_reason(page, photo):
    for data, status, code in [
        (b"", 400, "error.no_photo"),
        (b"<svg/>", 415, "error.not_a_picture"),
        (header(10_000, 10_000), 422, "error.too_many_pixels"),
        (header(50_000, 50_000), 422, "error.too_many_pixels"),
        (header(16_000, 15), 422, "error.too_small"),
        (header(16_000, 16), 422, "error.too_narrow"),
        (header(100, 2_001), 422, "error.too_narrow"),
        (photo[: len(photo) // 2], 422, "error.damaged"),
        (header(100, 100), 422, "error.damaged"),
        (bytes(12 * 2**20 + 1), 413, "error.too_large"),
    ]:
        for found in (page.ask(data, "?lang=ko"), page.form("/api/answers?lang=ko", data)):
            assert (found.status, found.json["code"]) == (status, code)
            assert re.search("[가-힣]", found.json["reason"])
    assert page.form("/api/answers", None).json["code"] == "error.no_photo"
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        broken = page.call("POST", "/api/answers", b"--y\r\nz", Content_Type=kind)
        assert broken.json["code"] in ("error.bad_request", "error.no_photo")
    assert page.ask(photo).status == 200


@pytest.mark.parametrize("shape", [(16, 320), (2_000, 100), (16, 16)])
def test_odd_shapes_show_no_face(page, shape):
    found = page.ask(png(np.zeros((*shape, 3), np.uint8)))
    assert (found.status, found.json["faces"]) == (200, [])


def test_a_photo_that_a_library_fails_on_gets_a_reason(page, photo, monkeypatch):
    def fail(*_):
        raise cv2.error("assertion failed")

    explain = f"/api/explanation?task={TASK}"
    for part, url in (("faces", "/api/answers"), ("about", "/api/answers"), ("view", explain)):
        with monkeypatch.context() as patch:
            patch.setattr(Chain, part, fail)
            found = page.call("POST", url, photo, Content_Type="image/jpeg")
            assert (found.status, found.json["code"]) == (422, "error.odd_photo")
    assert page.ask(photo).status == 200


def test_a_large_photo_is_not_decoded(page, monkeypatch):
    decoded = []
    monkeypatch.setattr(Image.Image, "load", lambda image: decoded.append(image))
    assert page.ask(header(6_400, 6_400)).json["code"] == "error.too_many_pixels"
    assert not decoded


def endless(
    page: Served, chunk: bytes, pause: float, lines: list[bytes]
) -> http.client.HTTPConnection:
    """A request whose body never ends; `lines`: of its head, besides the first."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    connection.putrequest("POST", "/api/answers")
    for line in lines:
        connection.putheader(*line.split(b": "))
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    connection.auto_open = 0  # once it is closed, no more is sent: not on a new connection either

    def send() -> None:
        try:
            while True:
                connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                time.sleep(pause)
        except (OSError, http.client.NotConnected):
            return

    threading.Thread(target=send, daemon=True).start()
    return connection


@pytest.mark.parametrize(
    "lines", [[], [b"Content-Type: multipart/form-data; boundary=b"]], ids=["raw", "form"]
)
def test_a_body_without_an_end_is_cut_off(page, photo, lines):
    start = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="x"\r\n\r\n'
    chunk = (start if lines else b"") + bytes(2**20)
    answer = reply(endless(page, chunk, 0, lines))
    assert answer.status in ((400, 413) if lines else (413,))
    assert page.ask(photo).status == 200


def test_of_a_body_without_an_end_little_is_read():
    taken = 0

    class Endless:
        async def stream(self):
            nonlocal taken
            while True:
                taken += 1_000
                yield bytes(1_000)

    async def read():
        return [chunk async for chunk in upload._chunks(Endless(), 10_000)]

    # In a thread of its own: in this one, the loop of a browser's tests may be running.
    with ThreadPoolExecutor(1) as pool, pytest.raises(Refused):
        pool.submit(asyncio.run, read()).result()
    assert taken <= (1 + upload.REST) * 10_000 + 2_000


def test_a_slow_body_is_cut_off(page, photo, monkeypatch):
    monkeypatch.setattr(upload, "PATIENCE", 0.5)
    began = time.monotonic()
    answer = reply(endless(page, b"x", 0.1, []))
    assert (answer.status, answer.json["code"]) == (408, "error.slow")
    assert time.monotonic() - began < 5
    monkeypatch.undo()
    assert page.ask(photo).status == 200


def test_who_goes_away_harms_nobody(page, photo):
    for sent in (b"", b"\xff\xd8\xff"):
        with socket.create_connection(("127.0.0.1", page.port)) as connection:
            head = b"POST /api/answers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n"
            connection.sendall(head + sent)
    assert page.ask(photo).status == 200


def test_too_many_at_once_are_asked_to_come_again(project, photo, monkeypatch):
    monkeypatch.setattr(site_module, "QUEUE", 2)
    monkeypatch.setattr(upload, "PATIENCE", 2)
    with serve(project, concurrency=1) as served:
        waiting = [endless(served, b"x", 0.2, []) for _ in range(2)]
        time.sleep(0.5)
        busy = served.ask(photo)
        assert (busy.status, busy.json["code"]) == (429, "error.busy")
        assert busy.headers["retry-after"] == "1"
        assert {reply(each).status for each in waiting} == {408}
        assert served.ask(photo).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "", "127.0.0.1.evil.example"]
)
def test_a_name_that_is_not_ours_is_refused(page, photo, host):
    for found in (page.get("/", Host=host), page.call("POST", "/api/answers", photo, Host=host)):
        assert (found.status, found.json["code"]) == (400, "error.host")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "192.168.0.7"])
def test_our_names_and_addresses_are_known(page, host):
    assert page.get("/healthz", Host=host).json == {"ready": True}


def test_other_pages_cannot_send_photos(page, photo):
    for origin in ("https://evil.example", "null", f"http://localhost:{page.port}"):
        found = page.call("POST", "/api/answers", photo, Origin=origin)
        assert (found.status, found.json["code"]) == (403, "error.origin")
    assert page.call("POST", "/api/answers", photo, Origin=page.url).status == 200


def test_every_answer_has_the_headers_and_no_cookie(page):
    for path in ("/", "/api/tasks", "/static/words/ko.json", "/docs", "/nowhere", f"/cards/{TASK}"):
        found = page.get(path)
        assert found.headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in found.headers["content-security-policy"]
        assert found.headers["referrer-policy"] == "no-referrer"
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["permissions-policy"].startswith("camera=(self)")
        assert not {"set-cookie", "access-control-allow-origin", "server"} & set(found.headers)
    assert page.get("/nowhere?lang=ja").json["code"] == "error.not_found"
    assert page.get("/static/../server/site.py").status == 404


def test_documents_name_no_other_server(page):
    paths = page.get("/openapi.json").json["paths"]
    calls = {"/api/tasks", "/api/answers", "/api/explanation", "/api/wrong", "/healthz"}
    assert set(paths) == calls
    docs = page.get("/docs").body.decode()
    assert all(path in docs for path in calls)
    card = page.get(f"/cards/{TASK}").body.decode()
    assert "&lt;b&gt;웜톤" in card and "<b>웜톤" not in card and "<table>" in card
    for text in (docs, card, page.get("/").body.decode()):
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
        assert not re.search(r"<script>|<style>| style=| on\w+=", text)
    assert page.get("/cards/nothing").json["code"] == "error.no_task"


def test_photos_are_not_put_on_the_disk(page, photo, monkeypatch):
    def refuse(self):
        raise AssertionError("on the disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    large = photo + bytes(3 * 2**20)
    assert page.form("/api/answers", large).json == page.ask(photo).json


# The inbox


def test_without_an_inbox_nothing_is_kept(page, photo, project):
    before = sorted(project.rglob("*"))
    found = page.form("/api/wrong", photo, task=TASK, label="warm", consent="yes")
    assert (found.status, found.json["code"]) == (404, "error.no_inbox")
    assert page.get("/api/tasks").json["inbox"] is False
    assert sorted(project.rglob("*")) == before


@pytest.fixture(scope="module")
def inbox(project, tmp_path_factory):
    """A server that keeps photos, and where."""
    folder = tmp_path_factory.mktemp("given") / "inbox"
    with serve(project, inbox=folder) as served:
        yield served, folder


@pytest.fixture
def given(inbox):
    """The same, empty."""
    served, folder = inbox
    shutil.rmtree(folder, ignore_errors=True)
    return served, folder


def kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jpg"))


def test_only_with_consent_a_photo_is_kept(given, photo):
    served, folder = given
    assert served.get("/api/tasks").json["inbox"] is True
    for fields, code in [
        ({}, "error.consent"),
        ({"consent": "no"}, "error.consent"),
        ({"consent": "yes", "label": "../../x"}, "error.no_label"),
        ({"consent": "yes", "task": ".."}, "error.no_task"),
        ({"consent": "yes", "value": "34"}, "error.no_label"),
    ]:
        found = served.form("/api/wrong", photo, **({"task": TASK, "label": "warm"} | fields))
        assert (found.status, found.json["code"]) in [(422, code), (404, code)]
    assert not folder.exists()
    assert served.form("/api/wrong", photo, task=TASK, label="warm", consent="yes").status == 201
    [file] = kept(folder)
    assert file.parent == folder / TASK / "warm"
    assert (folder / ".gitignore").read_text() == "*\n"


def test_the_last_word_counts_and_nothing_but_pixels_is_kept(given, photo):
    served, folder = given
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "at home"
    data = io.BytesIO()
    Image.open(io.BytesIO(photo)).convert("RGB").rotate(90).save(data, "jpeg", exif=exif)
    for label in ("warm", "cool", "cool"):
        sent = served.form("/api/wrong", data.getvalue(), task=TASK, label=label, consent="yes")
        assert sent.status == 201
    [file] = kept(folder)
    assert file.parent.name == "cool"
    assert b"at home" not in file.read_bytes()
    with Image.open(file) as image:
        assert not image.getexif()
        np.testing.assert_allclose(np.asarray(image), decode(data.getvalue()), atol=60)


def test_of_several_people_only_the_one_who_gave_it_is_kept(given, two, champion):
    served, folder = given
    sent = served.form("/api/wrong?face=1", two, task=TASK, label="cool", consent="yes")
    assert sent.status == 201
    [file] = kept(folder)
    seen = chain_module.Seen(decode(file.read_bytes()))
    assert len(champion.faces(seen)) == 1
    right = decode(two)[:, -seen.image.shape[1] :]
    assert seen.image.shape[1] < decode(two).shape[1] / 2 + 5
    assert abs(float(seen.image.mean()) - float(right.mean())) < 25


def test_collect_reads_the_inbox_like_any_folder(given, promoted, tmp_path, monkeypatch):
    from stages.collect.__main__ import main as collect
    from stages.records.folders import Folders
    from stages.records.manifest import MANIFEST
    from tests.params_yaml import write_params

    served, folder = given
    table = predictions(promoted, TASK)
    for label in CLASSES:
        for id in table.loc[table["label"] == label, "id"][:3]:
            data = photo_of(promoted, TASK, id)
            assert (
                served.form("/api/wrong", data, task=TASK, label=label, consent="yes").status == 201
            )
    root = tmp_path / "next"
    root.mkdir()
    shutil.copy(promoted / "forgotten.csv", root)
    shutil.copytree(folder, root / "photos/inbox")
    params = read_params(promoted)
    licence = "given on the page, with consent"
    source = {"source": "folder", "folder": f"inbox/{TASK}", "licence": licence}
    params["tasks"][TASK]["collect"] = {"path": "photos", "sources": [source]}
    write_params(params, root)
    monkeypatch.chdir(root)
    collect(TASK)
    rows = MANIFEST.read(Folders(TASK, root).raw)
    assert len(rows) == len(kept(folder)) == 6
    assert {row.licence for row in rows} == {licence}
    assert {row.label for row in rows} == set(CLASSES)


# A new champion


def swap(root: Path, change) -> None:
    """`change` a copy of the champion, which then replaces it as `promote` does."""
    folder = root / "data/promote" / TASK
    new = folder.with_name(".new")
    shutil.copytree(folder, new)
    change(new / "champion")
    shutil.rmtree(folder)
    new.rename(folder)


def test_a_new_champion_takes_over_while_people_ask(copy, photo):
    with serve(copy) as served:
        before = served.ask(photo).json["answers"][0]["probabilities"]
        replies, stop = [], threading.Event()

        def ask() -> None:
            while not stop.is_set():
                replies.append(served.ask(photo))

        asking = threading.Thread(target=ask)
        asking.start()
        swap(copy, lambda folder: CALIBRATION.write(folder, Temperature(9.0)))
        deadline = time.monotonic() + 30
        while served.ask(photo).json["answers"][0]["probabilities"] == before:
            assert time.monotonic() < deadline
        stop.set()
        asking.join()
        after = Chain(copy / "data/promote" / TASK / "champion").answer(photo)
        assert_same(served.ask(photo).json["answers"][0], after)
    assert replies and {each.status for each in replies} == {200}


def test_a_damaged_champion_leaves_the_old_one(copy, photo, caplog):
    with serve(copy) as served:
        before = served.ask(photo).json
        swap(copy, lambda folder: (folder / "model.tflite").write_bytes(b"PK"))
        deadline = time.monotonic() + 30
        while "not a whole chain" not in caplog.text:
            assert served.ask(photo).json == before
            assert time.monotonic() < deadline
        assert served.ask(photo).json == before


def test_a_promotion_writes_what_the_network_has_learnt_from(copy, monkeypatch):
    monkeypatch.chdir(copy)
    write_network(0.95, "5", wrong=4)
    promote(TASK)
    for role in ("champion", "challenger"):
        folder = copy / "data/promote" / TASK / role
        if folder.is_dir():
            origin = ORIGIN.read(folder)
            assert set(origin.sources) == {"synthetic"} and origin.drawn
            assert origin.exam == "people never seen"
