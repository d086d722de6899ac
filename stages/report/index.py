"""python -m stages.report.index: every task's section and the findings, in reports/index.html."""

import logging
from pathlib import Path

from markupsafe import Markup

from stages.common.door import enter
from stages.common.files import new_file
from stages.params.merge import load
from stages.report.findings import findings
from stages.report.render import render

log = logging.getLogger(__name__)


def index(sections: Path, titles: dict[str, str], found: Path) -> str:
    """The whole page: what `sections`/<task>/ holds, in the order of `titles` (task -> title), and
    the findings in the folder `found`.

    A task that has no section yet is listed as such.
    """
    tasks = [
        {
            "name": task,
            "title": title,
            "overview": _written(sections / task / "overview.html"),
            "section": _written(sections / task / "section.html"),
        }
        for task, title in titles.items()
    ]
    style = Markup((Path(__file__).parent / "templates/style.css").read_text(encoding="utf-8"))
    return render("index.html", tasks=tasks, findings=findings(found), style=style)


def _written(path: Path) -> Markup | None:
    """HTML of our own making, in which everything foreign is escaped already."""
    return Markup(path.read_text(encoding="utf-8")) if path.exists() else None


def main() -> None:
    titles = {name: task.title for name, task in load().tasks.items()}
    with new_file(Path("reports/index.html")) as part:
        page = index(Path("data/report"), titles, Path("reports/findings"))
        part.write_text(page, encoding="utf-8")
    log.info("Open reports/index.html; `make ui` shows every trial in MLflow")


if __name__ == "__main__":
    enter(main)
