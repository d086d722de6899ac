"""python -m stages.collect TASK"""

from contextlib import nullcontext

from stages.collect.candidate import Context
from stages.collect.collect import collect
from stages.collect.downloads import DOWNLOADS
from stages.collect.forgotten import Forgotten
from stages.common.door import door
from stages.common.files import alone, new_folder
from stages.records.folders import Folders
from stages.records.params import read

OFFLINE = ("synthetic", "folder")


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
    online = any(each.source not in OFFLINE for each in params.collect.sources)
    # One task downloads at a time: hosts see no more requests than `web.turns` lets through, and no
    # file is fetched twice.
    turn = alone(context.downloads) if online else nullcontext()
    with turn, new_folder(at.raw) as folder:
        collect(params.collect, context, folder)


if __name__ == "__main__":
    door(main)
