"""python -m stages.collect TASK"""

from stages.collect.candidate import Context
from stages.collect.collect import collect
from stages.collect.downloads import DOWNLOADS
from stages.collect.forgotten import Forgotten
from stages.common.door import door
from stages.common.files import new_folder
from stages.records.folders import Folders
from stages.records.params import read


def main(task: str) -> None:
    at = Folders(task)
    params = read(task, at.root)
    context = Context(
        root=params.collect.path,
        classes=list(params.classes),
        key=f"tasks.{task}.collect",
        downloads=at.root / DOWNLOADS,
        forgotten=Forgotten(at.root, task),
        bins=params.bins,
    )
    with new_folder(at.raw) as folder:
        collect(params.collect, context, folder)


if __name__ == "__main__":
    door(main)
