"""All systems of a task on the present test and wild photos, from the files of the other stages."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from stages.common.errors import UserError
from stages.common.files import read_json
from stages.common.tables import read_table
from stages.promote import leaderboard
from stages.promote.answers import Answers, from_table, of_champion, unseen
from stages.promote.gates import Baseline
from stages.promote.history import Event, was_rolled_back
from stages.promote.promote import Decision, Exam, decide, sha256
from stages.records.params import Task
from stages.records.shards import Shards

PARTS = ("test", "wild")


def examine(
    task: str,
    params: Task,
    candidate: Path,
    champion: Path | None,
    splits: pd.DataFrame,
    history: list[Event],
    data: Path = Path("data"),
) -> tuple[Decision, pd.DataFrame]:
    """What becomes of the folder `candidate`, and leaderboard.csv's table.

    `champion`: the present one's folder, None where there is none; `splits`: splits.csv.
    """
    classes = list(params.classes)
    groups = splits.set_index("id")["group"]
    exam = _by_part(read_table(data / "evaluate" / task / "predictions.csv"), classes, groups)
    baselines = _baselines(data / "baseline" / task, classes, groups, exam)
    network = sha256(candidate)
    reigns = champion is not None and sha256(champion) == network
    other, why_not = None, "there was no champion yet"
    if champion and not reigns:
        other, why_not = _present(champion, candidate, splits, groups, task, data)
    decision = decide(
        params.promote,
        {part: exam[part] for part in PARTS},
        other,
        read_json(candidate / "evaluation.json"),
        [Baseline(each["name"], judged.get("test")) for each, judged in baselines],
        why_not=why_not,
        rolled_back=was_rolled_back(history, network),
    )
    if reigns:
        reason = "this network is the champion already; the gates are for newcomers"
        decision = replace(decision, decision="champion", reason=reason)
    ordered = params.bins is not None
    rows = [
        leaderboard.row(
            each["name"],
            each["kind"],
            judged,
            weights=each["weights"],
            parameters=each["parameters"],
            seconds=each["seconds"],
            ordered=ordered,
        )
        for each, judged in baselines
    ]
    rows += [_row("AutoKeras", "search winner", exam, candidate, ordered)]
    if other:
        name = f"champion until now ({sha256(champion)[:12]})"
        rows += [_row(name, "champion", other, champion, ordered)]
    return decision, leaderboard.table(rows)


def _row(name: str, kind: str, exam: Exam, folder: Path, ordered: bool) -> dict:
    search = leaderboard.of_search(read_json(folder / "trials.json"))
    return leaderboard.row(name, kind, exam, ordered=ordered, **search)


def _present(
    champion: Path, candidate: Path, splits: pd.DataFrame, groups: pd.Series, task: str, data: Path
) -> tuple[Exam | None, str]:
    """The champion's answers to the present photos that it has not trained on; or why not."""
    if _classes(champion) != _classes(candidate):
        return None, "the champion knows other classes, so the two cannot be compared"
    seen = read_table(champion / "seen.csv")
    exam: Exam = {}
    for part in PARTS:
        shards = Shards(data / "shards" / task / part)
        answers = of_champion(champion, candidate, shards, data / "raw" / task / "images", groups)
        exam[part] = answers.where(unseen(answers, splits, seen))
    if not len(exam["test"]):
        return None, "the champion has trained on every photo of the present test part"
    return exam, ""


def _classes(folder: Path) -> tuple[list[str], object]:
    """Names in order, and the numbers that they stand for."""
    return list(read_json(folder / "classes.json")), read_json(folder / "chain.json")["bins"]


def _by_part(table: pd.DataFrame, classes: list[str], groups: pd.Series) -> Exam:
    parts = ("val", *PARTS) if (table["part"] == "val").any() else PARTS
    return {part: from_table(table[table["part"] == part], classes, groups) for part in parts}


def _baselines(
    folder: Path, classes: list[str], groups: pd.Series, exam: Exam
) -> list[tuple[dict, dict[str, Answers]]]:
    """Each of baselines.json with its answers, in the order of the candidate's `exam`; one that
    failed has none."""
    table = read_table(folder / "predictions.csv")
    found = []
    for each in read_json(folder / "baselines.json"):
        rows = table[table["model"] == each["name"]]
        judged = _by_part(rows, classes, groups) if len(rows) else {}
        for part, answers in judged.items():
            if part in exam:
                order = pd.Index(answers.ids).get_indexer(exam[part].ids)
                if (order < 0).any():
                    raise UserError(
                        f"{folder}: {each['name']} lacks photos of the present {part} part; run "
                        "`dvc repro`"
                    )
                judged[part] = answers.where(order)
        found.append((each, judged))
    return found
