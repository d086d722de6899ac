"""All systems of a task on the present test and wild photos, from the files of other stages."""

from pathlib import Path

import pandas as pd
from msgspec.structs import replace

from stages.common.errors import UserError
from stages.common.files import sha256
from stages.promote import leaderboard
from stages.promote.answers import Answers, ByPart, from_table, of_champion, unseen
from stages.promote.decide import decide
from stages.promote.history import was_rolled_back
from stages.records.baselines import BASELINES, Baseline
from stages.records.chain import CHAIN
from stages.records.evaluation import EVALUATION
from stages.records.folders import Folders, photos
from stages.records.params import Task
from stages.records.predictions import BASELINE_PREDICTIONS, PREDICTIONS
from stages.records.promotion import SEEN, Decision, Event, Judged, Standing
from stages.records.shards import Shards
from stages.records.splits import EXAMS, Together
from stages.records.trials import CLASSES, MODEL, TRIALS


def examine(
    at: Folders,
    params: Task,
    candidate: Path,
    champion: Path | None,
    splits: pd.DataFrame,
    history: list[Event],
    judged: Judged,
) -> tuple[Decision, list[Standing]]:
    """What becomes of the chain in the folder `candidate`, and the leaderboard.

    `champion`: the present champion's folder; `splits`: the frame of splits.csv; `judged`: how many
    candidates its test part has judged.
    """
    classes, ordered = list(params.classes), params.bins is not None
    groups = splits.set_index("id")["group"]
    exam = _by_part(PREDICTIONS.frame(at.evaluate), classes, groups)
    baselines = _baselines(at.baseline, classes, groups, exam)
    network = sha256(candidate / MODEL)
    reigns = champion is not None and sha256(champion / MODEL) == network
    other, why_not = None, "there was no champion yet"
    if champion and not reigns:
        together = params.split.keep_together
        other, why_not = _present(champion, candidate, splits, together, at)
    decision = decide(
        params.promote,
        {part: exam[part] for part in EXAMS},
        other,
        EVALUATION.read(candidate).parts,
        {each.name: answers.get("test") for each, answers in baselines},
        judged,
        why_not=why_not,
        rolled_back=was_rolled_back(history, network),
    )
    if reigns:
        reason = "this network is the champion already; the gates are for newcomers"
        decision = replace(decision, decision="champion", reason=reason)
    rows = [leaderboard.of_baseline(each, answers, ordered) for each, answers in baselines]
    trials = TRIALS.read(candidate)
    rows += [leaderboard.of_network("AutoKeras", "search winner", exam, trials, ordered)]
    if champion and other:
        name = f"champion until now ({sha256(champion / MODEL)[:12]})"
        trials = TRIALS.read(champion)
        rows += [leaderboard.of_network(name, "champion", other, trials, ordered)]
    return decision, rows


def _present(
    champion: Path, candidate: Path, splits: pd.DataFrame, together: Together, at: Folders
) -> tuple[ByPart | None, str]:
    """The champion's answers to the present photos that it has not trained on; or why not."""
    if _classes(champion) != _classes(candidate):
        return None, "the champion knows other classes, so the two cannot be compared"
    seen, files = SEEN.frame(champion), photos(at.raw)
    groups = splits.set_index("id")["group"]
    exam = {}
    for part in EXAMS:
        answers = of_champion(champion, candidate, Shards(at.shards / part), files, groups)
        exam[part] = answers.where(unseen(answers, splits, seen, together))
    if not len(exam["test"]):
        return None, "the champion has trained on every photo of the present test part"
    return exam, ""


def _classes(folder: Path) -> tuple[list[str], object]:
    """Names in order, and the numbers that they stand for."""
    return list(CLASSES.read(folder)), CHAIN.read(folder).bins


def _by_part(table: pd.DataFrame, classes: list[str], groups: pd.Series) -> ByPart:
    parts = ("val", *EXAMS) if (table["part"] == "val").any() else EXAMS
    return {part: from_table(table[table["part"] == part], classes, groups) for part in parts}


def _baselines(
    folder: Path, classes: list[str], groups: pd.Series, exam: ByPart
) -> list[tuple[Baseline, ByPart]]:
    """Each of baselines.json with its answers, in the order of the candidate's `exam`; a baseline
    that failed has none."""
    table = BASELINE_PREDICTIONS.frame(folder)
    found = []
    for each in BASELINES.read(folder):
        rows = table[table["model"] == each.name]
        judged = _by_part(rows, classes, groups) if len(rows) else {}
        for part in set(judged) & set(exam):
            judged[part] = _in_order(judged[part], exam[part], part, f"{folder}: {each.name}")
        found.append((each, judged))
    return found


def _in_order(answers: Answers, wanted: Answers, part: str, whose: str) -> Answers:
    """The answers to the photos of `wanted`. Raises `UserError` if some are missing."""
    order = pd.Index(answers.ids).get_indexer(pd.Index(wanted.ids))
    if (order < 0).any():
        raise UserError(f"{whose} lacks photos of the present {part} part; run `dvc repro`")
    return answers.where(order)
