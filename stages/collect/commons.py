"""Photos of Wikimedia Commons by category or search, each with licence, author, credit and page.

The MediaWiki API: https://commons.wikimedia.org/w/api.php, https://www.mediawiki.org/wiki/API:Etiquette.
A licence is about copyright: who is on a picture has rights of their own, which it does not tell.
"""

import json
import logging
from collections import deque
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import yaml
from pydantic import TypeAdapter, ValidationError

from stages.collect.candidate import NOT_STATED, Candidate, Context, plain, read
from stages.collect.downloads import download
from stages.collect.forgotten import REASON
from stages.collect.urls import below
from stages.collect.web import Refused, Web
from stages.collect.web.turns import TRIES
from stages.common.errors import UserError
from stages.records.sources import Commons, Entry

BATCH = 50  # files an answer
WIDTH = 1280  # pixels: one of the widths that Commons keeps ready; no face needs more
MAX_ANSWER = 20_000_000  # bytes
TYPES = ("image/jpeg", "image/png", "image/webp")
FIELDS = ("LicenseShortName", "Artist", "Credit", "Attribution")

log = logging.getLogger(__name__)


class _Offer(NamedTuple):
    label: str
    person: str
    page: dict[str, Any]  # as the API tells it
    reason: str  # why it is not downloaded; "" if it is


def candidates(source: Commons, context: Context) -> list[Candidate]:
    """At most `source.limit` files a class, taken from its entries in turn; those that Commons
    offers but that may not or cannot be used are there with their `reason`.

    Raises `UserError` where the list is wrong or the API cannot be asked.
    """
    web = Web(source.contact, allow_private=source.allow_private)
    offers = [
        offer
        for label, entries in _lists(source, context).items()
        for offer in _of_class(label, entries, source, context, web)
    ]
    wanted = [_address(offer.page) for offer in offers if not offer.reason]
    got = download(
        wanted, context.downloads, web, context.forgotten.sha256s, desc="download commons"
    )
    return [_candidate(offer, got) for offer in offers]


def _lists(source: Commons, context: Context) -> dict[str, list[Entry]]:
    if source.classes is not None:
        lists, where = source.classes, f"{context.key}.classes"
    else:
        where = str(below(source.file, context, "file"))
        try:
            content = yaml.safe_load(Path(where).read_text(encoding="utf-8"))
            lists = TypeAdapter(dict[str, list[Entry]]).validate_python(content)
        except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
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
    """A file that two of the class's entries name is the first one's."""
    queue = deque((entry, _files(entry, source.api, context, web)) for entry in entries)
    seen, usable = set(), 0
    while queue and usable < source.limit:
        entry, files = queue.popleft()
        page = next(files, None)
        if page is None:
            continue
        queue.append((entry, files))
        if page["title"] not in seen:
            seen.add(page["title"])
            reason = _refusal(page, source.licences)
            if context.forgotten.person(entry.person):
                reason = REASON
            usable += not reason
            yield _Offer(label, plain(entry.person), page, reason)


def _files(entry: Entry, api: str, context: Context, web: Web) -> Iterator[dict[str, Any]]:
    """The API's pages of one category or search, each whole."""
    listing = (
        {"generator": "categorymembers", "gcmtype": "file", "gcmlimit": BATCH}
        | {"gcmtitle": entry.category}
        if entry.category
        else {"generator": "search", "gsrnamespace": 6, "gsrlimit": BATCH}
        | {"gsrsearch": entry.search}
    )
    query = {"action": "query", "format": "json", "formatversion": 2, "maxlag": 5} | listing
    query |= {"prop": "imageinfo", "iiprop": "url|size|mime|extmetadata", "iiurlwidth": WIDTH}
    query |= {"iiextmetadatafilter": "|".join(FIELDS)}
    query["iiextmetadatalanguage"] = "en"
    more: dict[str, Any] | None = {}
    pages: dict[str, dict[str, Any]] = {}
    found = False
    while more is not None:
        answer = _ask(web, api, query | more, context.key)
        for page in answer.get("query", {}).get("pages", []):
            # What does not fit into one answer (properties of the same files) comes in the next.
            pages[page["title"]] = pages.get(page["title"], {}) | page
        more = answer.get("continue")
        if answer.get("batchcomplete") or more is None:
            found = found or bool(pages)
            yield from (pages[title] for title in sorted(pages))
            pages = {}
    if not found:
        log.warning("%s: %r has no files; check its name", api, entry.category or entry.search)


def _ask(web: Web, api: str, query: dict[str, Any], key: str) -> dict[str, Any]:
    """One answer of the API, after as many tries as its maxlag and rate limit ask for.

    The API is not fetched by robots.txt, which keeps crawlers away from it, but by its etiquette.
    """
    url = f"{api}?{urlencode(query)}"
    for _ in range(TRIES):
        text = BytesIO()
        try:
            headers = web.fetch(
                url, text, types=("application/json",), max_bytes=MAX_ANSWER, heed_robots=False
            )
            answer = json.loads(text.getvalue())
        except (Refused, ValueError) as error:
            raise UserError(f"{key}.api: {api} does not answer as MediaWiki: {error}") from error
        error = answer.get("error")
        if not error:
            return answer
        if error.get("code") not in ("maxlag", "ratelimited", "readonly"):
            break
        after = headers.get("Retry-After", "5")
        web.pause(api, float(after) if after.isdecimal() else 5)
    raise UserError(f"{key}.api: {api} answers {error.get('code')}: {plain(error.get('info', ''))}")


def _candidate(offer: _Offer, got: dict[str, Path | str]) -> Candidate:
    label, person, page, reason = offer
    file = reason or got[_address(page)]
    return Candidate(
        name=plain(page["title"]),
        label=label,
        person=person,
        part="pool",
        source="commons",
        load=partial(read, file) if isinstance(file, Path) else None,
        licence=_field(page, "LicenseShortName"),
        author=_field(page, "Artist"),
        credit=_field(page, "Attribution") or _field(page, "Credit"),
        page=plain(_info(page).get("descriptionurl", "")),
        reason=file if isinstance(file, str) else "",
    )


def _refusal(page: dict[str, Any], licences: list[str]) -> str:
    """Why a file is not even downloaded; "" if it is."""
    info = _info(page)
    if not info.get("url"):
        return "Commons offers no file under this title"
    if info.get("mime") not in TYPES:
        return "not a jpg, png or webp picture"
    licence = _field(page, "LicenseShortName") or NOT_STATED
    if not any(allows(allowed, licence) for allowed in licences):
        return f"licence not allowed: {licence}"
    return ""


def allows(allowed: str, licence: str) -> bool:
    """ "CC BY" allows "CC BY 4.0" and "CC BY 3.0 de", but neither "CC BY-SA 4.0" nor "CC BY-NC"."""
    return f"{licence} ".casefold().startswith(f"{allowed} ".casefold())


def _info(page: dict[str, Any]) -> dict[str, Any]:
    return (page.get("imageinfo") or [{}])[0]


def _address(page: dict[str, Any]) -> str:
    return _info(page).get("thumburl") or _info(page)["url"]


def _field(page: dict[str, Any], name: str) -> str:
    """A field of the file's description, which is HTML, as plain text."""
    value = _info(page).get("extmetadata", {}).get(name, {}).get("value", "")
    text = _Text()
    text.feed(str(value))
    text.close()
    return plain("".join(text.parts))


class _Text(HTMLParser):
    """What of a piece of HTML is text for people."""

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
