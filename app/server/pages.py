"""The HTML that visitors get, in their language."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt

from app.server import words
from stages.records.params import Language

HERE = Path(__file__).parent
PAGE = HERE.parent / "page"
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'"
)
_pages = Environment(
    loader=FileSystemLoader([PAGE, HERE / "templates"]),
    autoescape=True,
    undefined=StrictUndefined,
)


def render(name: str, language: Language, **content: object) -> str:
    text = words.WORDS[language]
    return _pages.get_template(name).render(lang=language, words=text, **content)


def index(language: Language, *, here: bool) -> str:
    """The page. `here`: its answers come from the visitor's browser, not from the server."""
    return render("index.html", language, here=here, policy=POLICY)


def card(markdown: str, title: str, language: Language) -> str:
    """A model card as a page."""
    text = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    # Columns of figures are marked by `style`, which the policy forbids.
    text = re.sub(r'style="text-align:(\w+)"', r'class="\1"', text)
    return render("card.html", language, title=title, card=text)
