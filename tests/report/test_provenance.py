from stages.records.manifest import Photo, Rejected
from stages.report.provenance import provenance
from stages.report.render import render

EVIL = "<img src=x onerror=alert(1)>"


def photo(id, source, name, licence, author, credit, page):
    return Photo(
        id=id,
        sha256=id,
        label="cool",
        person="",
        source=source,
        name=name,
        licence=licence,
        author=author,
        width=1,
        height=1,
        phash="",
        part="pool",
        stripped=id in "12",
        credit=credit,
        page=page,
    )


MANIFEST = [
    photo("1", "commons", "File:A.jpg", "CC BY 4.0", "Anna", "Own work", "https://c.org/A"),
    photo("2", "commons", f"File:{EVIL}", "CC BY 4.0", "Anna", "Own work", "https://c.org/B"),
    photo("3", "commons", "File:C.jpg", "CC0", EVIL, "", "javascript:alert(1)"),
    photo("4", "folder", "cool/a.jpg", "not stated", "", "", ""),
]
REJECTED = [
    Rejected(name, "cool", reason, source, licence="", page="")
    for name, source, reason in (
        ("x", "commons", "licence not allowed: CC BY-NC 2.0"),
        ("y", "commons", "same picture as File:A.jpg"),
        ("z", "commons", "same picture under another label: File:B.jpg"),
        ("u", "urls", "the server answers 404"),
    )
]


def test_counts_by_source_and_licence_and_what_was_refused():
    commons, folder, urls = provenance(MANIFEST, REJECTED).sources
    assert (commons.name, commons.kept, commons.refused) == ("commons", 3, 3)
    assert commons.licences == {"CC BY 4.0": 2, "CC0": 1}
    assert commons.reasons == {
        "same picture as another": 2,
        "licence not allowed: CC BY-NC 2.0": 1,
    }
    assert (commons.stripped, folder.stripped) == (2, 0)
    assert folder.licences == {"not stated": 1} and folder.reasons == {}
    assert (urls.kept, urls.refused) == (0, 1)
    assert sum(s.kept for s in (commons, folder, urls)) == len(MANIFEST)
    assert sum(s.refused for s in (commons, folder, urls)) == len(REJECTED)


def test_everybody_is_credited_with_the_pages_of_their_photos():
    credits = provenance(MANIFEST, REJECTED).credits
    assert sum(credit.photos for credit in credits) == len(MANIFEST)
    [anna] = [credit for credit in credits if credit.author == "Anna"]
    assert (anna.licence, anna.credit, anna.photos) == ("CC BY 4.0", "Own work", 2)
    assert {photo.page for photo in anna.pages} == {"https://c.org/A", "https://c.org/B"}


def test_a_strangers_words_stay_words():
    facts = provenance(MANIFEST, REJECTED)
    page = render("provenance.html", {"provenance": facts, "task": "tone"})
    assert EVIL not in page and "&lt;img" in page and "javascript:" not in page
    assert 'href="https://c.org/A"' in page and "not stated" in page
    assert "unnamed authors" in page and "CC BY-NC 2.0" in page


def test_no_photos_at_all_is_no_error():
    empty = provenance([], [])
    assert empty.sources == empty.credits == []
