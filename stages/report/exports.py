"""python -m stages.report.exports: reports/export.html, what exported networks are worth."""

import logging

from stages.common.door import enter
from stages.common.files import new_file
from stages.records.export import EXPORT
from stages.records.folders import EXPORTS, of_all_tasks
from stages.report.render import render

log = logging.getLogger(__name__)


def main() -> None:
    cards = [EXPORT.read(folder) for folder in of_all_tasks("export")]
    with new_file(EXPORTS) as part:
        part.write_text(render("exports.html", {"cards": cards}), encoding="utf-8")
    log.info("Open %s", EXPORTS)


if __name__ == "__main__":
    enter(main)
