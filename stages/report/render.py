"""Facts into HTML. Everything is escaped: file names, class titles and errors come from outside."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

MINUS = "\N{MINUS SIGN}"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def fixed(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", MINUS)


def points(difference: float) -> str:
    """A difference of shares in percentage points."""
    return f"{signed(100 * difference, 0)} points"


def whole(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def seconds(number: float | None) -> str:
    if number is None:
        return "–"
    return f"{number:.1f} s" if number < 10 else f"{number:,.0f} s"


def sentence(text: str, stop: bool = True) -> str:
    """With a capital letter, and a full stop if it lacks one; nothing else is changed."""
    text = text[:1].upper() + text[1:]
    return f"{text}." if stop and not text.endswith((".", "!", "?")) else text


def cell(value: str | int | float | None) -> str:
    """A table's cell: numbers short, nothing as a dash."""
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def render(template: str, facts: Mapping[str, Any]) -> str:
    """Fill a file of templates/. Raises jinja2.UndefinedError for a fact that is missing."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        do.__name__: do for do in (percent, fixed, signed, points, whole, seconds, sentence, cell)
    }
    return environment.get_template(template).render(facts)
