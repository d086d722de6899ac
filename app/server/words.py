"""The languages of the page, and the reasons of the server in each of them."""

import json
from pathlib import Path
from typing import get_args

from starlette.requests import Request

from stages.records.params import Language

LANGUAGES: tuple[Language, ...] = get_args(Language)
FOLDER = Path(__file__).parents[1] / "words"
WORDS: dict[Language, dict[str, str]] = {
    language: json.loads((FOLDER / f"{language}.json").read_text("utf-8")) for language in LANGUAGES
}


class Refused(Exception):
    """Something that is not answered: a status of HTTP, and a key of the words with its values."""

    def __init__(self, status: int, code: str, **values: object) -> None:
        super().__init__(code)
        self.status, self.code, self.values = status, code, values

    def reason(self, language: Language) -> str:
        return WORDS[language][self.code].format(**self.values)


def language_of(request: Request) -> Language:
    """`?lang=`, else the first known one that the browser prefers, else English."""
    accepted = request.headers.get("accept-language", "").split(",")
    preferred = sorted(accepted, key=_weight, reverse=True)
    for wanted in [request.query_params.get("lang", ""), *preferred]:
        for language in LANGUAGES:
            if wanted.strip().lower()[:2] == language:
                return language
    return "en"


def _weight(item: str) -> float:
    """Of `ko;q=0.8`: 0.8."""
    try:
        return float(item.partition("q=")[2] or 1)
    except ValueError:
        return 0
