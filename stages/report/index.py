"""python -m stages.report.index: every task's section and the findings, in reports/index.html."""

import logging
from pathlib import Path

from markupsafe import Markup

from stages.common.door import enter
from stages.common.files import new_file
from stages.params.merge import load
from stages.records.findings import read_findings
from stages.records.folders import INDEX, Folders
from stages.report.findings import shown
from stages.report.render import render

log = logging.getLogger(__name__)


def index(titles: dict[str, str], root: Path = Path()) -> str:
    """The whole page: the chapters of the tasks in `titles` (task -> title), and all findings.

    A task that has no chapter yet is listed as such. Raises `UserError` for a file that is not a
    finding.
    """
    tasks = [
        {
            "name": task,
            "title": title,
            "overview": _written(Folders(task, root).report / "overview.html"),
            "section": _written(Folders(task, root).report / "section.html"),
        }
        for task, title in titles.items()
    ]
    findings = [shown(finding) for finding in read_findings(root)]
    return render("index.html", {"tasks": tasks, "findings": findings})


def _written(path: Path) -> Markup | None:
    """HTML of our own making, in which everything foreign is escaped already."""
    return Markup(path.read_text(encoding="utf-8")) if path.exists() else None


def main() -> None:
    titles = {name: task.title for name, task in load().tasks.items()}
    with new_file(INDEX) as part:
        part.write_text(index(titles), encoding="utf-8")
    log.info("Open %s; `make ui` shows every trial in MLflow", INDEX)


if __name__ == "__main__":
    enter(main)
