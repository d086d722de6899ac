import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.collect.candidate import check
from stages.collect.commons import allows, candidates
from stages.collect.forgotten import person_hash
from stages.collect.web.turns import TRIES
from stages.common.errors import UserError
from stages.records.manifest import Photo
from stages.records.sources import Commons
from tests.collect.commons_api import JSON, CommonsApi


@pytest.fixture
def commons(server, jpeg):
    api = CommonsApi(server)

    def photo(number, licence, mime="image/jpeg"):
        return api.file(number, licence, jpeg(number), mime)

    api.files = {
        "Category:Anna": [photo(n, "CC BY-SA 4.0") for n in range(5)],
        "Category:Bella": [photo(n, "CC BY 2.0") for n in range(10, 13)],
        "Category:Mixed": [
            photo(20, None),
            photo(21, "CC BY-NC 4.0"),
            photo(22, "Public domain"),
            photo(23, "CC0", mime="image/svg+xml"),
            {"title": "File:Gone.jpg", "missing": True},
            photo(0, "CC BY-SA 4.0"),
        ],
    }
    api.files["sorting hat"] = api.files["Category:Bella"]
    return api


@pytest.fixture
def ask(commons, context, tmp_path):
    (tmp_path / "out/images").mkdir(parents=True)

    def ask(classes, forgotten=(), **options):
        source = {
            "source": "commons",
            "classes": classes,
            "contact": "me@example.org",
            "licences": ["CC BY", "CC BY-SA", "CC0", "Public domain"],
            "limit": 50,
            "api": f"{commons.server.url}/w/api.php",
            "allow_private": True,
        }
        found = candidates(Commons(**(source | options)), context(*forgotten))
        checked = [check(candidate, tmp_path / "out") for candidate in found]
        return [each.photo or each.row() for each in checked]

    return ask


def test_a_category_with_licence_author_credit_and_page(ask, commons):
    rows = ask({"cool": [{"category": "Category:Anna", "person": "anna"}]})
    assert [row.name for row in rows] == [f"File:{n:02}.jpg" for n in range(5)]
    assert all(isinstance(row, Photo) and row.person == "anna" for row in rows)
    assert rows[0].licence == "CC BY-SA 4.0"
    assert rows[0].author == "A. & B" and rows[0].credit == "Own work"
    assert rows[0].page == "https://commons.wikimedia.org/wiki/File:00.jpg"
    # 3 batches, the two larger ones in two answers each; robots.txt is for the files alone.
    assert len(commons.queries) == 5
    assert "me@example.org" in commons.server.headers["User-Agent"]


def test_only_licences_that_are_allowed_and_every_file_is_accounted_for(ask, commons):
    rows = {row.name: row for row in ask({"cool": ["Category:Mixed"]})}
    assert {name: getattr(row, "reason", "") for name, row in rows.items()} == {
        "File:20.jpg": "licence not allowed: not stated",
        "File:21.jpg": "licence not allowed: CC BY-NC 4.0",
        "File:22.jpg": "",
        "File:23.jpg": "not a jpg, png or webp picture",
        "File:Gone.jpg": "Commons offers no file under this title",
        "File:00.jpg": "",
    }
    assert rows["File:20.jpg"].licence == "not stated"
    assert commons.server.times("/thumb/20.jpg") == 0


def test_a_file_without_description_has_no_licence(ask, commons):
    [page] = commons.files["Category:Bare"] = [commons.file(30, None, b"")]
    page["imageinfo"][0]["extmetadata"] = []  # MediaWiki's way to write an empty mapping
    [row] = ask({"cool": ["Category:Bare"]})
    assert row.reason == "licence not allowed: not stated"


@pytest.mark.parametrize(
    ("allowed", "licence", "yes"),
    [
        *[("CC BY", x, True) for x in ("CC BY", "CC BY 4.0", "CC BY 3.0 de", "cc by 2.0")],
        *[("CC BY", x, False) for x in ("CC BY-SA 4.0", "CC BY-NC 2.0", "CC BYE", "", "CC")],
        ("CC BY-SA", "CC BY-SA 4.0", True),
        ("not stated", "not stated", True),
    ],
)
def test_licences_by_name(allowed, licence, yes):
    assert allows(allowed, licence) == yes


def test_the_limit_takes_from_each_entry_in_turn_and_asks_for_no_more(ask, commons):
    entries = [{"category": "Category:Anna", "person": "anna"}, {"search": "sorting hat"}]
    rows = ask({"warm": entries}, limit=3)
    assert [row.name for row in rows] == ["File:00.jpg", "File:10.jpg", "File:01.jpg"]
    assert commons.server.times("/thumb/4.jpg") == 0


def test_a_file_of_two_entries_is_one_photo(ask):
    rows = ask({"cool": ["Category:Anna", "Category:Mixed"]})
    assert [row.name for row in rows].count("File:00.jpg") == 1


def test_lag_limits_and_failures_are_retried(ask, commons, monkeypatch):
    lag = {"error": {"code": "maxlag", "info": "Waiting for db: 6 seconds lagged", "lag": 6}}
    commons.trouble = [
        (200, JSON | {"Retry-After": "0"}, json.dumps(lag).encode()),
        (429, {"Retry-After": "0"}, b"<html>too many requests"),
        (503, {}, b""),
        (200, JSON | {"Retry-After": "0"}, b'{"error": {"code": "ratelimited", "info": ""}}'),
    ]
    assert len(ask({"cool": ["Category:Anna"]})) == 5 and not commons.trouble


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, JSON, b'{"error": {"code": "badvalue", "info": "Unrecognized"}}'), "badvalue: Unr"),
        ((200, {"Content-Type": "text/html"}, b"<html>"), "does not answer as MediaWiki"),
        ((200, JSON, b"<html>"), "does not answer as MediaWiki"),
        ((404, {}, b""), "the server answers 404"),
    ],
)
def test_an_api_that_refuses_is_named(ask, commons, answer, said):
    commons.trouble = [answer]
    with pytest.raises(UserError, match="sources.0.api") as error:
        ask({"cool": ["Category:Anna"]})
    assert said in str(error.value)


JSON_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
ADDRESSES = ["", "http://[", "http://a:99999/", "//x", "http://\x00/", "\ud800", "http://a..b/"]
PLACES = [
    *([], ["query"], ["query", "pages"], ["query", "pages", 0], ["continue"], ["batchcomplete"]),
    *(["query", "pages", 0, "title"], ["query", "pages", 0, "imageinfo"], ["error"]),
    *(["query", "pages", 0, "imageinfo", 0, name] for name in ("url", "thumburl", "mime")),
    ["query", "pages", 0, "imageinfo", 0, "descriptionurl"],
    ["query", "pages", 0, "imageinfo", 0, "extmetadata"],
    ["query", "pages", 0, "imageinfo", 0, "extmetadata", "Artist"],
    ["query", "pages", 0, "imageinfo", 0, "extmetadata", "Artist", "value"],
]


@pytest.mark.slow
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PLACES), JSON_VALUE | st.sampled_from(ADDRESSES))
def test_any_json_gives_files_or_one_line(ask, commons, place, value):
    """An answer that is right but for one place."""
    answer = {"query": {"pages": [commons.file(0, "CC BY 2.0", b"")]}, "batchcomplete": True}
    inner = whole = {"": answer}
    for name in (where := ["", *place])[:-1]:
        inner = inner[name]
    inner[where[-1]] = value
    commons.trouble = [(200, JSON, json.dumps(whole[""]).encode())]
    try:
        assert len(ask({"cool": ["Category:Nobody"]})) <= 1
    except UserError as error:
        assert "sources.0.api" in str(error)
    commons.trouble.clear()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b'{"query": {"pages": [{"title": "\xff"}]}}',
        b"[" * 100_000,
        b'{"query": {"pages": [{"title": "a", "imageinfo": [{"extmetadata": {"Artist": {"value": '
        + b"[" * 5000
        + b"]" * 5000
        + b"}}}]}]}}",
        b'{"continue": {"a": ' + b"9" * 5000 + b"}}",
        b'{"query": {"pages": [' + b",".join([b'{"title": "a"}'] * 51) + b"]}}",
        b'{"a": "' + b"x" * 5_000_000 + b'"}',
    ],
)
def test_an_answer_beyond_all_bounds_is_one_line(ask, commons, body):
    commons.trouble = [(200, JSON, body)]
    with pytest.raises(UserError, match=r"sources\.0\.api.*does not answer as MediaWiki"):
        ask({"cool": ["Category:Anna"]})


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("pages", [0, 1])
def test_answers_without_end_are_ended(ask, commons, monkeypatch, caplog, done, pages):
    monkeypatch.setattr("stages.collect.commons.ANSWERS", 20)
    file = commons.file(1, "CC BY 2.0", b"x")

    def answer(handler):
        commons.queries.append(handler.path)
        more = {"gcmcontinue": str(len(commons.queries)), "continue": "-||"}
        content = {"batchcomplete": done, "continue": more, "query": {"pages": [file] * pages}}
        return 200, JSON, json.dumps(content).encode()

    commons.server.routes["/w/api.php"] = answer
    rows = ask({"cool": ["Category:Endless"]})
    assert len(commons.queries) == 20 and "'Category:Endless' has no end" in caplog.text
    assert len(rows) == (pages and done)


@pytest.mark.slow
@pytest.mark.parametrize("html", ["<a ", "<!--", "<![CDATA[", "</", "&", "<b>", "<script>"])
def test_ten_times_as_long_a_description_takes_no_longer(ask, commons, html):
    """Else a page could stop the stage for minutes: a parser's time grows with the square."""
    [page] = commons.files["Category:Long"] = [commons.file(30, "CC BY 2.0", b"")]

    def seconds(length):
        page["imageinfo"][0]["extmetadata"]["Artist"]["value"] = html * length
        began = time.process_time()
        assert len(ask({"cool": ["Category:Long"]})) == 1
        return time.process_time() - began

    short = seconds(15_000)
    assert seconds(150_000) < 2.5 * max(short, 0.1)


def test_endless_lag_is_given_up(ask, commons):
    lag = (200, JSON | {"Retry-After": "0"}, b'{"error": {"code": "maxlag", "info": "lag"}}')
    commons.trouble = [lag] * TRIES
    with pytest.raises(UserError, match="maxlag"):
        ask({"cool": ["Category:Anna"]})


def test_a_category_without_files_is_logged(ask, caplog):
    assert ask({"cool": ["Category:Nobody"]}) == []
    assert "'Category:Nobody' has no files" in caplog.text


def test_photos_of_forgotten_persons_are_not_downloaded(ask, commons):
    tombstone = ("", "person", person_hash("anna"), "")
    ask({"cool": [{"category": "Category:Anna", "person": "Anna"}]}, forgotten=[tombstone])
    assert not [path for path in commons.server.asked if path.startswith("/thumb")]


def test_lists_come_from_a_file_and_wrong_ones_are_named(ask, context):
    root = context().root
    (root / "a.yaml").write_text("cool:\n  - Category:Bella\n")
    assert len(ask(None, file="a.yaml")) == 3
    (root / "a.yaml").write_text("cold: [Category:Bella]\n")
    with pytest.raises(UserError, match="'cold' is no class"):
        ask(None, file="a.yaml")
    for text in ("- a\n", "cool: 3\n", "cool: [\n", "cool: [{person: x}]\n"):
        (root / "a.yaml").write_text(text)
        with pytest.raises(UserError, match="a.yaml is not a list of categories"):
            ask(None, file="a.yaml")


def test_the_shipped_lists_fit_the_tasks():
    from pathlib import Path

    import yaml
    from pydantic import TypeAdapter

    from stages.params.merge import load
    from stages.records.sources import Entry

    root = Path(__file__).parents[2]
    for task in ("idol", "harry"):
        text = (root / f"stages/collect/commons_lists/{task}.yaml").read_text(encoding="utf-8")
        lists = TypeAdapter(dict[str, list[Entry]]).validate_python(yaml.safe_load(text))
        assert list(lists) == list(load(root / "params.yaml").tasks[task].classes)
        entries = [entry for entries in lists.values() for entry in entries]
        assert all(e.category.startswith("Category:") and e.person for e in entries)
        assert (
            len({e.category for e in entries}) == len({e.person for e in entries}) == len(entries)
        )
