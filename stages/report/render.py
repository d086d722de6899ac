"""Facts into HTML. Everything is escaped: file names, class titles and errors come from outside."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def fixed(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def render(template: str, **facts: Any) -> str:
    """Fill a file of templates/. Raises jinja2.UndefinedError for a fact that is missing."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "fixed": fixed}
    return environment.get_template(template).render(facts)
