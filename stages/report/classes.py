"""The classes as the report shows them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Class:
    title: str
    hue: int  # degrees


def coloured(titles: Mapping[str, str]) -> dict[str, Class]:
    """Classes, in order, in colours as far from one another as they can be."""
    return {
        name: Class(title, round(250 + 360 * k / len(titles)) % 360)
        for k, (name, title) in enumerate(titles.items())
    }
