"""python -m stages.export age

`data/export/<task>`: the champion, or the challenger where there is none, as files that other
programs run, with a card that says what they are and how to use them.
"""

import logging
import os

from stages.common.door import door
from stages.common.files import new_folder
from stages.records.folders import Folders

log = logging.getLogger(__name__)


def main(task: str) -> None:
    at = Folders(task)
    os.environ["KERAS_BACKEND"] = "tensorflow"  # the only one that writes both formats
    from stages.common.backend import import_keras

    import_keras()
    from stages.export.bundle import bundle

    with new_folder(at.export) as out:
        card = bundle(at, out)
    for each in card.variants:
        size = f"{each.bytes / 1e6:.2f} MB" if each.files else "not shipped"
        log.info("%s %s: %s, %.1f ms", each.runtime, each.weights, size, each.milliseconds)


if __name__ == "__main__":
    door(main)
