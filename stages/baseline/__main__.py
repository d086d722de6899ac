"""python -m stages.baseline age"""

from stages.baseline.baseline import answers, baselines
from stages.common.door import door
from stages.common.files import new_folder
from stages.records.baselines import BASELINES
from stages.records.folders import Folders
from stages.records.params import PARTS, read
from stages.records.predictions import BASELINE_PREDICTIONS
from stages.records.shards import Shards


def main(task: str) -> None:
    params, at = read(task), Folders(task)
    parts = {part: Shards(at.shards / part) for part in PARTS}
    classes = list(params.classes)
    results = baselines(params.baseline, at.weights, parts, len(classes), at.cache("baseline"))
    with new_folder(at.baseline) as out:
        BASELINE_PREDICTIONS.write(out, answers(results, parts, classes))
        BASELINES.write(out, [result.record for result in results])


if __name__ == "__main__":
    door(main)
