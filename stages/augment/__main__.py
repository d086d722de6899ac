"""python -m stages.augment age: training cut-outs to many copies, every part to shards."""

from stages.common.door import door


def main(task: str) -> None:
    from stages.augment.augment import augment
    from stages.records.folders import Folders
    from stages.records.params import read
    from stages.records.splits import SPLITS

    params, at = read(task), Folders(task)
    photos, classes = SPLITS.read(at.splits), list(params.classes)
    augment(photos, at.mattes, at.shards, params.augment, classes)


if __name__ == "__main__":
    door(main)
