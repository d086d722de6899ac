"""The page's words and its typeface: nothing is missing in any language."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from fontTools.ttLib import TTFont

from stages.records.flags import CUTOUT_FLAGS, FACE_FLAGS
from stages.records.params import Language
from tests.promote.mini import REPO

APP = REPO / "app"
WORDS = {
    language: json.loads((APP / f"words/{language}.json").read_text("utf-8"))
    for language in get_args(Language)
}


def test_each_language_has_the_same_keys_and_values():
    english = WORDS["en"]
    for words in WORDS.values():
        assert list(words) == sorted(words)
        assert words.keys() == english.keys()
        for key, text in words.items():
            assert text.strip()
            wanted = set(re.findall(r"{\w+}", english[key]))
            assert set(re.findall(r"{\w+}", text)) == wanted, key


def test_every_key_that_the_page_names_has_words_and_the_other_way_round():
    text = "".join(
        p.read_text("utf-8") for p in [*APP.glob("page/**/*.js"), *APP.glob("page/*.html")]
    )
    named = set(re.findall(r'"([a-z]+(?:\.[a-z_]+)*)"', text))
    named |= {f"warning.{flag}" for flag in (*FACE_FLAGS, *CUTOUT_FLAGS)}
    families = ("error.", "honest.", "worth.")  # whose last part is found while the page runs
    for key in WORDS["en"]:
        assert key in named or key.startswith(families), f"nothing says {key}"
    families = {key.split(".")[0] for key in WORDS["en"] if "." in key}
    for key in named:
        if key.split(".")[0] in families and "." in key:
            assert key in WORDS["en"]


@pytest.mark.parametrize("language", WORDS)
def test_the_typeface_has_every_letter_of_the_page(language):
    fonts = [TTFont(path) for path in (APP / "page/fonts").glob("*.woff2")]
    letters = set().union(*(font.getBestCmap() for font in fonts))
    titles = yaml.safe_load((REPO / "params.yaml").read_text("utf-8"))["tasks"].values()
    text = json.dumps([*WORDS[language].values(), *map(_titles, titles)], ensure_ascii=False)
    text += (APP / "page/index.html").read_text("utf-8")
    missing = {letter for letter in text if letter.isprintable() and ord(letter) not in letters}
    assert missing == set(), "app/page/fonts/README.md says how to add letters"


def _titles(task: dict) -> list:
    return [task["title"], task["classes"]]


def test_the_page_has_nothing_inline():
    page = Path(APP / "page/index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>|https?://", page)
