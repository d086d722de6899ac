"""python -m stages.report.exports: reports/export.html, what exported networks are worth."""

import logging
from pathlib import Path

from markupsafe import Markup

from stages.common.door import enter
from stages.common.files import new_file
from stages.records.export import EXPORT, Card
from stages.records.folders import of_all_tasks
from stages.report.render import render

log = logging.getLogger(__name__)
PAGE = Path("reports/export.html")


def page(cards: list[Card]) -> str:
    style = Markup((Path(__file__).parent / "templates/style.css").read_text(encoding="utf-8"))
    return render("exports.html", {"cards": cards, "style": style})


def main() -> None:
    cards = [EXPORT.read(folder) for folder in of_all_tasks("export")]
    with new_file(PAGE) as part:
        part.write_text(page(cards), encoding="utf-8")
    log.info("Open %s", PAGE)


if __name__ == "__main__":
    enter(main)
