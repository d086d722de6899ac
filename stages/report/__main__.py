"""python -m stages.report age: this task's part of the report, photos and all."""

import logging

from stages.common.door import door
from stages.common.files import new_folder
from stages.records.folders import Folders
from stages.records.params import read
from stages.report.section import overview, read_chapter, section

log = logging.getLogger(__name__)


def main(task: str) -> None:
    params, at = read(task), Folders(task)
    chapter = read_chapter(at, params.title, params.classes, params.split)
    with new_folder(at.report) as out:
        html = section(chapter)
        (out / "section.html").write_text(html, encoding="utf-8")
        (out / "overview.html").write_text(overview(chapter), encoding="utf-8")
    log.info("%s: %.1f MB", task, len(html) / 1e6)


if __name__ == "__main__":
    door(main)
