"""python -m stages.evaluate age"""

from stages.common.door import door
from stages.common.files import new_folder
from stages.records.evaluation import METRICS
from stages.records.folders import Folders
from stages.records.params import read
from stages.records.splits import EXAMS
from stages.records.trials import TRIALS, VAL_OUTPUTS


def main(task: str) -> None:
    from stages.evaluate.slices import read_columns

    params, at = read(task), Folders(task)
    columns = read_columns(params.evaluate.slices, at)  # first, as one may be unknown
    from stages.evaluate.evaluate import headline
    from stages.evaluate.examine import examine
    from stages.networks.lite import Lite
    from stages.networks.part import load_parts

    trials = TRIALS.read(at.search)
    val_outputs = VAL_OUTPUTS.read(at.search) if trials.final_fits else None
    found = examine(
        Lite(at.search), load_parts(at), params, trials, val_outputs, columns, at.mattes
    )
    with new_folder(at.evaluate) as out:
        found.write(out)
    METRICS.write(at.reports, {part: headline(found.evaluation.parts[part]) for part in EXAMS})


if __name__ == "__main__":
    door(main)
