"""Does the new network take the champion's place?"""

import numpy as np

from stages.promote.answers import Answers, ByPart
from stages.promote.gates import (
    against_baselines,
    against_champion,
    against_chance,
    by_itself,
    not_rolled_back,
)
from stages.records.evaluation import Exam
from stages.records.params import Promote
from stages.records.promotion import Decision, Figures, Judged


def decide(
    params: Promote,
    candidate: ByPart,
    champion: ByPart | None,
    exams: dict[str, Exam],
    baselines: dict[str, Answers | None],
    judged: Judged,
    *,
    why_not: str = "there was no champion yet",
    rolled_back: bool = False,
) -> Decision:
    """The candidate becomes the champion if it passes every gate, else the challenger.

    `candidate`: its answers to test and wild. `champion`: the present champion's answers to those
    of the same photos that it has not trained on; None if the two cannot be compared, and `why_not`
    says why. Then only the other gates count. `exams`: parts of the candidate's evaluation.json.
    `baselines`: see `against_baselines`. `judged`: how many candidates the test part has judged,
    and so how much luck this one may have. `rolled_back`: this network was champion before, and
    somebody rolled it back.
    """
    compared = candidate
    gates = []
    if champion:
        compared = {
            part: candidate[part].where(np.isin(candidate[part].ids, answers.ids))
            for part, answers in champion.items()
        }
        gates += against_champion(compared, champion, params, judged.luck)
    gates += against_chance(candidate["test"], judged.luck)
    gates += against_baselines(candidate["test"], baselines, params) + by_itself(exams, params)
    gates += not_rolled_back(rolled_back)
    failed = [gate for gate in gates if not gate.passed]
    if failed:
        reason = "; ".join(f"{gate.gate}: {gate.about}" for gate in failed)
    elif champion:
        reason = gates[0].about
    else:
        reason = f"{why_not}, and every other gate is passed"
    return Decision(
        decision="challenger" if failed else "champion",
        reason=reason,
        gates=gates,
        candidate=_figures(compared),
        champion=_figures(champion) if champion else None,
        judged=judged,
    )


def _figures(answers: ByPart) -> dict[str, Figures]:
    return {part: each.figures() for part, each in answers.items()}
