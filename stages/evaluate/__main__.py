"""python -m stages.evaluate age"""

from stages.common.backend import import_keras
from stages.common.door import door
from stages.common.files import new_folder
from stages.records.evaluation import METRICS
from stages.records.faces import FACES
from stages.records.folders import Folders
from stages.records.manifest import MANIFEST
from stages.records.mattes import MATTES
from stages.records.params import read
from stages.records.splits import EXAMS, SPLITS
from stages.records.trials import MODEL, TRIALS


def main(task: str) -> None:
    from stages.evaluate.slices import slice_columns

    params, at = read(task), Folders(task)
    tables = MANIFEST.frame(at.raw), FACES.frame(at.faces), MATTES.frame(at.mattes)
    key = f"tasks.{task}.evaluate.slices"
    # Before TensorFlow starts, as it refuses columns that are not there
    columns = slice_columns(params.evaluate.slices, key, *tables)
    keras = import_keras()
    from stages.evaluate.evaluate import headline
    from stages.evaluate.examine import examine
    from stages.evaluate.part import load_part

    trials, splits = TRIALS.read(at.search), SPLITS.frame(at.splits)
    model = keras.saving.load_model(at.search / MODEL, compile=False)
    # After a final fit the network has trained on val too, so that val can teach nothing more.
    names = EXAMS if trials.final_fit else ("val", *EXAMS)
    parts = [load_part(at, name, splits) for name in names]
    found = examine(model, parts, params, trials, columns, at.mattes)
    with new_folder(at.evaluate) as out:
        found.write(out)
    exams = found.evaluation.parts
    METRICS.write(at.reports, {part: headline(exams[part]) for part in EXAMS})


if __name__ == "__main__":
    door(main)
