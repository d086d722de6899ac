"""python -m stages.suspects age"""

import logging

from stages.common.door import door


def main(task: str) -> None:
    from stages.common.files import new_folder
    from stages.records.folders import Folders, picture
    from stages.records.splits import SPLITS
    from stages.records.suspects import SUSPECTS
    from stages.suspects.features import features
    from stages.suspects.suspects import suspects

    at = Folders(task)
    splits = SPLITS.frame(at.splits)
    crops = [picture(at.faces, id) for id in splits.id]
    table = suspects(splits, features(crops, at.cache("features")))
    with new_folder(at.suspects) as out:
        SUSPECTS.write_frame(out, table)
    logging.info("%s: %d of %d labels are suspect", task, table.suspect.sum(), len(table))


if __name__ == "__main__":
    door(main)
