"""The source `commons`: photos of Wikimedia Commons, each with licence, author, credit and page.

It uses the MediaWiki API (https://commons.wikimedia.org/w/api.php) and keeps to its etiquette
(https://www.mediawiki.org/wiki/API:Etiquette). A licence is about copyright. It says nothing about
the rights of the people in a picture.
"""

import logging
from collections import deque
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
import yaml
from pydantic import TypeAdapter

from stages.collect.candidate import NOT_STATED, Candidate, Context, plain, read
from stages.collect.downloads import download
from stages.collect.forgotten import REASON
from stages.collect.urls import below
from stages.collect.web import Refused, Web
from stages.collect.web.turns import TRIES
from stages.common.errors import UserError
from stages.records.sources import Commons, Entry

BATCH = 50  # files in an answer
WIDTH = 1280  # pixels: Commons keeps pictures of this width ready, and no face needs more
MAX_ANSWER = 5_000_000  # bytes
ANSWERS = 500  # of one category or search, which is 25,000 files
MAX_HTML = 10_000  # characters of a description's field; HTMLParser's time grows with the square
TYPES = ("image/jpeg", "image/png", "image/webp")
FIELDS = ("LicenseShortName", "Artist", "Credit", "Attribution")
WAIT = ("maxlag", "ratelimited", "readonly")  # errors that pass
Query = dict[str, str | int]

log = logging.getLogger(__name__)


# What the API answers, as far as it is used: https://www.mediawiki.org/wiki/API:Imageinfo


class _Field(msgspec.Struct):
    value: object = ""  # HTML


class _Info(msgspec.Struct):
    url: str = ""
    thumburl: str = ""  # the picture at `WIDTH`
    descriptionurl: str = ""
    mime: str = ""
    extmetadata: dict[str, _Field] | list[object] = {}  # a list if it is empty


class _Page(msgspec.Struct):
    """A file."""

    title: str
    imageinfo: list[_Info] = []  # of its latest version

    @property
    def info(self) -> _Info:
        return self.imageinfo[0] if self.imageinfo else _Info()

    @property
    def address(self) -> str:
        return self.info.thumburl or self.info.url

    def field(self, name: str) -> str:
        """A field of the file's description as plain text."""
        fields = self.info.extmetadata
        text = _Text()
        if isinstance(fields, dict) and name in fields:
            text.feed(str(fields[name].value)[:MAX_HTML])
        text.close()
        return plain("".join(text.parts))


class _Pages(msgspec.Struct):
    pages: list[_Page] = []


class _Error(msgspec.Struct):
    code: str = ""
    info: str = ""


class _Answer(msgspec.Struct):
    query: _Pages | None = None
    more: Query | None = msgspec.field(name="continue", default=None)  # asks for the next answer
    batchcomplete: bool = False  # the pages so far are complete
    error: _Error | None = None


class _Offer(NamedTuple):
    label: str
    person: str
    page: _Page
    reason: str  # why it is not downloaded; "" if it is


def candidates(source: Commons, context: Context) -> list[Candidate]:
    """At most `source.limit` usable files of each class, taken from its entries in turn.

    Files that are not usable are returned with their `reason`. Raises `UserError` for a list that
    is wrong, and if the API does not answer.
    """
    web = Web(source.contact, source.allow_private, source.max_crawl_delay)
    offers = [
        offer
        for label, entries in _lists(source, context).items()
        for offer in _of_class(label, entries, source, context, web)
    ]
    wanted = [offer.page.address for offer in offers if not offer.reason]
    forgotten = context.forgotten.sha256s
    got = download(wanted, context.downloads, web, forgotten, desc="download commons")
    return [_candidate(offer, got) for offer in offers]


def _lists(source: Commons, context: Context) -> dict[str, list[Entry]]:
    """Class -> entries, from the parameters or from the file that they name."""
    if source.file is None:
        lists, where = source.classes or {}, f"{context.key}.classes"
    else:
        path = below(source.file, context)
        where = str(path)
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            lists = TypeAdapter(dict[str, list[Entry]]).validate_python(content)
        except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
            raise UserError(f"{where} is not a list of categories a class: {error}") from error
    if unknown := sorted(set(lists) - set(context.classes)):
        raise UserError(
            f"{where}: {', '.join(map(repr, unknown))} is no class; the classes are "
            f"{', '.join(map(repr, context.classes))}"
        )
    return lists


def _of_class(
    label: str, entries: list[Entry], source: Commons, context: Context, web: Web
) -> Iterator[_Offer]:
    """One file of each entry in turn. A file that two entries name belongs to the first of them."""
    queue = deque((entry, _files(entry, source.api, context, web)) for entry in entries)
    seen: set[str] = set()
    usable = 0
    while queue and usable < source.limit:
        entry, files = queue.popleft()
        page = next(files, None)
        if page is None:
            continue
        queue.append((entry, files))
        if page.title not in seen:
            seen.add(page.title)
            reason = _refusal(page, source.licences)
            if context.forgotten.person(entry.person):
                reason = REASON
            usable += not reason
            yield _Offer(label, plain(entry.person), page, reason)


def _files(entry: Entry, api: str, context: Context, web: Web) -> Iterator[_Page]:
    """The files of one category or search, as many as `ANSWERS` hold."""
    query: Query = {
        "action": "query",
        "format": "json",
        "formatversion": 2,
        "maxlag": 5,
        "prop": "imageinfo",
        "iiprop": "url|size|mime|extmetadata",
        "iiurlwidth": WIDTH,
        "iiextmetadatafilter": "|".join(FIELDS),
        "iiextmetadatalanguage": "en",
    }
    if entry.category:
        query |= {"generator": "categorymembers", "gcmtype": "file", "gcmlimit": BATCH}
        query |= {"gcmtitle": entry.category}
    else:
        query |= {"generator": "search", "gsrnamespace": 6, "gsrlimit": BATCH}
        query |= {"gsrsearch": entry.search or ""}
    more: Query | None = {}
    pages: dict[str, _Page] = {}
    found = False
    for _ in range(ANSWERS):
        answer = _ask(web, api, query | more, context.key)
        for page in answer.query.pages if answer.query else []:
            # If a description does not fit into one answer, its page comes again in the next.
            if page.imageinfo or page.title not in pages:
                pages[page.title] = page
        more = answer.more
        if answer.batchcomplete or more is None:
            found = found or bool(pages)
            yield from (pages[title] for title in sorted(pages))
            pages = {}
        if more is None:
            break
    else:
        name = entry.category or entry.search
        log.warning("%s: %r has no end; the first %d answers are used", api, name, ANSWERS)
    if not found:
        log.warning("%s: %r has no files; check its name", api, entry.category or entry.search)


def _ask(web: Web, api: str, query: Query, key: str) -> _Answer:
    """One answer of the API, after as many pauses as it asks for.

    Commons' robots.txt keeps crawlers away from the API. It does not count here, because the API is
    made for programs and has its own etiquette.
    """
    url = f"{api}?{urlencode(query)}"
    error = _Error()
    for _ in range(TRIES):
        text = BytesIO()
        try:
            headers = web.fetch(
                url, text, types=("application/json",), max_bytes=MAX_ANSWER, obey_robots=False
            )
            answer = msgspec.json.decode(text.getvalue(), type=_Answer)
            if answer.query and len(answer.query.pages) > BATCH:
                raise Refused(f"it sends {len(answer.query.pages)} files, of at most {BATCH}")
        except (Refused, ValueError, RecursionError) as reason:
            raise UserError(f"{key}.api: {api} does not answer as MediaWiki: {reason}") from reason
        if answer.error is None:
            return answer
        error = answer.error
        if error.code not in WAIT:
            break
        after = headers.get("Retry-After", "5")
        web.pause(api, float(after) if after.isdecimal() else 5)
    raise UserError(f"{key}.api: {api} answers {error.code}: {plain(error.info)}")


def _candidate(offer: _Offer, got: dict[str, Path | str]) -> Candidate:
    label, person, page, reason = offer
    file = reason or got[page.address]
    return Candidate(
        name=plain(page.title),
        label=label,
        person=person,
        part="pool",
        source="commons",
        load=partial(read, file) if isinstance(file, Path) else None,
        licence=page.field("LicenseShortName"),
        author=page.field("Artist"),
        credit=page.field("Attribution") or page.field("Credit"),
        page=plain(page.info.descriptionurl),
        reason=file if isinstance(file, str) else "",
    )


def _refusal(page: _Page, licences: list[str]) -> str:
    """Why a file is not even downloaded; "" if it is."""
    if not page.info.url:
        return "Commons offers no file under this title"
    if page.info.mime not in TYPES:
        return "not a jpg, png or webp picture"
    licence = page.field("LicenseShortName") or NOT_STATED
    if not any(allows(allowed, licence) for allowed in licences):
        return f"licence not allowed: {licence}"
    return ""


def allows(allowed: str, licence: str) -> bool:
    """Whether `licence` is `allowed` or a version of it.

    "CC BY" allows "CC BY 4.0" and "CC BY 3.0 de", but neither "CC BY-SA 4.0" nor "CC BY-NC".
    """
    return f"{licence} ".casefold().startswith(f"{allowed} ".casefold())


class _Text(HTMLParser):
    """Collects the visible text of a piece of HTML in `parts`."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")
        if tag in ("p", "div", "li", "td", "br"):
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)
