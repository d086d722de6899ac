"""python -m stages.search age"""

import logging
import shutil

from stages.common.door import door
from stages.common.files import new_folder
from stages.records.folders import Folders
from stages.records.params import read
from stages.records.trials import CLASSES, LITE, MODEL, TRIALS, VAL_OUTPUTS
from stages.search.processes.run import run

log = logging.getLogger(__name__)


def main(task: str) -> None:
    params, at = read(task), Folders(task)
    trials, result = run(params, at)
    with new_folder(at.search) as out:
        for file in (MODEL, LITE):
            shutil.copy(result / file, out)
        if trials.final_fits:
            shutil.copy(VAL_OUTPUTS.path(result), out)
        TRIALS.write(out, trials)
        CLASSES.write(out, params.classes)
    best = trials.best
    log.info("best: trial %d, %s %.4f", best.trial + 1, trials.objective, best.score)
    if trials.stopped:
        log.info("ended early; `dvc repro -f -s search@%s` goes on with this search", task)


if __name__ == "__main__":
    door(main)
