"""python -m stages.report age: this task's part of the report, photos and all."""

import logging
from pathlib import Path

from stages.common.door import door
from stages.common.files import new_folder
from stages.records.params import read
from stages.report.section import overview, read_facts, section

log = logging.getLogger(__name__)


def main(task: str) -> None:
    facts = read_facts(Path("data"), task, read(task))
    with new_folder(Path("data/report", task)) as out:
        html = section(facts)
        (out / "section.html").write_text(html, encoding="utf-8")
        (out / "overview.html").write_text(overview(facts), encoding="utf-8")
    log.info("%s: %.1f MB", task, len(html) / 1e6)


if __name__ == "__main__":
    door(main)
