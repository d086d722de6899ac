"""python -m stages.records.catalogue: the table of files in docs/architecture.md (`make docs`)

What a file holds is written here. Who writes it, and who depends on it, is read from DVC's files.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stages.records import (
    attempts,
    baselines,
    calibration,
    chain,
    evaluation,
    export,
    faces,
    findings,
    forgotten,
    manifest,
    mattes,
    predictions,
    promotion,
    splits,
    suspects,
    trials,
    weights,
)
from stages.records.folders import CODE, EXPORTS, INDEX, Folders, pictures
from stages.records.params import FOLDER

PAGE = Path("docs/architecture.md")
BEGIN, END = "<!-- catalogue -->\n", "<!-- /catalogue -->"
TASK = "<task>"


@dataclass(frozen=True)
class Entry:
    """A file, or a folder of files of one kind."""

    path: Path
    holds: str
    writer: str = ""  # the command, where it is no stage


at = Folders(TASK)
champion = at.promote / promotion.ROLES[0]
CATALOGUE = (
    Entry(
        forgotten.FORGOTTEN.path(Path()),
        "hashes of photos and persons that must not come back",
        "`python -m stages.collect.forget`",
    ),
    Entry(CODE, "for each stage, the code that decides its results, with its sha256"),
    Entry(FOLDER / f"{TASK}.yaml", "the task's parameters, complete and checked"),
    Entry(at.weights, "files of weights, checked by sha256"),
    Entry(weights.WEIGHTS.path(at.weights), "which weights there are, and where they are from"),
    Entry(pictures(at.raw), "photos without metadata, named by the sha256 they came with"),
    Entry(manifest.MANIFEST.path(at.raw), "a row for each photo: class, person, licence, source"),
    Entry(manifest.REJECTED.path(at.raw), "files that were refused, and why"),
    Entry(manifest.TRUTH.path(at.raw), "where the face is in a drawn photo"),
    Entry(manifest.masks(at.raw), "where the person is in a drawn photo"),
    Entry(pictures(at.faces), "face crops, RGB"),
    Entry(faces.FACES.path(at.faces), "a row for each photo: the face's place, measures, flags"),
    Entry(faces.GEOMETRY.path(at.faces), "where the eyes are in every crop"),
    Entry(pictures(at.mattes), "cut-outs, RGBA"),
    Entry(mattes.MATTES.path(at.mattes), "a row for each crop: the person's share of it, flags"),
    Entry(splits.SPLITS.path(at.splits), "the part and the group of each photo"),
    Entry(splits.REMOVED.path(at.splits), "photos that are in no part, and why"),
    Entry(splits.DUPLICATES.path(at.splits), "pairs of photos that are one shot"),
    Entry(suspects.SUSPECTS.path(at.suspects), "labels by how likely they are"),
    *(Entry(at.shards / part, f"pictures of {part}, labels, numbers") for part in splits.PARTS),
    Entry(baselines.BASELINES.path(at.baseline), "how each baseline was fitted"),
    Entry(predictions.BASELINE_PREDICTIONS.path(at.baseline), "each baseline's answers"),
    Entry(
        attempts.folder(at.searches / "<id>"),
        "each attempt at a trial while it trains, for the copy in MLflow",
        "`search`",
    ),
    Entry(
        at.searches / "<id>" / "final_fits/<trial>.json",
        "a member's last training, on train and val",
        "`search`",
    ),
    Entry(at.search / trials.MODEL, "the winning network"),
    Entry(at.search / trials.LITE, "the winning network, for answers without TensorFlow"),
    Entry(trials.TRIALS.path(at.search), "every trial: settings, epochs, score"),
    Entry(
        trials.VAL_OUTPUTS.path(at.search),
        "what it answered to val before it was trained on val too, if it was",
    ),
    Entry(trials.CLASSES.path(at.search), "the classes in the order of the network's outputs"),
    Entry(predictions.PREDICTIONS.path(at.evaluate), "the winner's answers to val, test and wild"),
    Entry(evaluation.EVALUATION.path(at.evaluate), "what the winner is worth, with intervals"),
    Entry(calibration.CALIBRATION.path(at.evaluate), "how outputs become probabilities"),
    Entry(evaluation.MAPS.path(at.evaluate), "answers whose occlusion maps are beside it"),
    Entry(evaluation.CURVES.path(at.evaluate), "the winner's epochs, for `dvc plots`"),
    *(
        Entry(evaluation.confusion(part).path(at.evaluate), f"answers to {part}, for `dvc plots`")
        for part in splits.EXAMS
    ),
    Entry(evaluation.METRICS.path(at.reports), "the few numbers that `dvc metrics` shows"),
    Entry(promotion.PROMOTION.path(at.promote), "the decision, with every gate"),
    Entry(promotion.HISTORY.path(at.promote), "who was champion when"),
    Entry(promotion.JUDGED.path(at.promote), "which networks each test part has judged"),
    Entry(promotion.LEADERBOARD.path(at.promote), "all systems on the same photos"),
    Entry(champion, "a whole chain: network, calibration, weights, parameters"),
    Entry(chain.CHAIN.path(champion), "the parameters that decide an answer"),
    Entry(chain.ORIGIN.path(champion), "what the network has learnt from, and its exam"),
    Entry(promotion.SEEN.path(champion), "photos that the network knows"),
    Entry(at.reports / chain.CARD, "the model card"),
    Entry(at.export, "the promoted network for other programs, in files of LiteRT and ONNX"),
    Entry(export.EXPORT.path(at.export), "what each of these files is, and what it is worth"),
    Entry(at.report, "the task's part of the report"),
    Entry(findings.findings_folder(), "results of experiments", f"`{findings.COMMAND}`"),
    Entry(INDEX, "the report, one page"),
    Entry(EXPORTS, "what exported networks are worth"),
)


def main() -> None:
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), Path()), encoding="utf-8")


def page(text: str, root: Path) -> str:
    """The document `text` with the table between its markers. `root`: the checkout."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table(root) + END + rest.split(END)[1]


def table(root: Path) -> str:
    outputs, dependencies = edges(root)
    lines = ["| file | holds | written by | read by |", "| --- | --- | --- | --- |"]
    for entry in CATALOGUE:
        readers = _listed(dependencies, entry.path)
        lines.append(f"| `{entry.path}` | {entry.holds} | {writer(entry, outputs)} | {readers} |")
    return "\n".join(lines) + "\n"


def writer(entry: Entry, outputs: dict[str, list[Path]]) -> str:
    return entry.writer or _listed(outputs, entry.path)


def edges(root: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """What each stage of DVC writes, and what it depends on."""
    files = (root / "dvc.yaml", root / "export/dvc.yaml")
    stages = {
        name: stage
        for file in files
        for name, stage in yaml.safe_load(file.read_text(encoding="utf-8"))["stages"].items()
    }
    outputs, dependencies = {}, {}
    for name, stage in stages.items():
        each = stage.get("do", stage)
        kinds = ("outs", "metrics", "plots")
        outputs[name] = [path for kind in kinds for path in _paths(each.get(kind, []))]
        tracked = [item for item in each.get("params", []) if isinstance(item, dict)]
        dependencies[name] = [*_paths(each["deps"]), *_paths(tracked)]
    return outputs, dependencies


def _paths(items: list[Any]) -> Iterator[Path]:
    for item in items:
        for name in item if isinstance(item, dict) else [item]:
            yield Path(name.replace("${key}", TASK))


def _listed(stages: dict[str, list[Path]], path: Path) -> str:
    """The stages that name the file, a folder that it is in, or one that is in it."""
    found = [
        stage
        for stage, paths in stages.items()
        if any(path.is_relative_to(each) or each.is_relative_to(path) for each in paths)
    ]
    return ", ".join(f"`{stage}`" for stage in found)


if __name__ == "__main__":
    main()
