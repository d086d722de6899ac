"""What the numbers are worth, in plain sentences."""

from collections.abc import Mapping, Sequence

from stages.records.findings import COMMAND
from stages.records.promotion import Decision
from stages.records.splits import Shows
from stages.report.promotion import SIMPLE, System
from stages.report.render import percent, points, signed
from stages.report.result import Result


def verdict(
    test: Result,
    wild: Result,
    *,
    beside: Mapping[str, Result] | None = None,
    shows: Shows = "people never seen",
    task: str = "",
    promotion: Decision | None = None,
    champion: bool = False,
    systems: Sequence[System] = (),
) -> list[str]:
    """Judge both exams against chance, against each other, and against simpler `systems`.

    `beside`: results by number of the parts, where a classification tells a number as well.
    `shows`: what the test photos are. `champion`: there is one, whatever became of this network.
    """
    sentences = [_against_chance("test", test), *_new_faces(test, shows, task)]
    if wild.first:
        sentences += [_against_chance("wild", wild), *_carries_over(test, wild)]
    else:
        sentences.append("There are no wild photos: nothing is known of other cameras and places.")
    sentences += [_against_chance(part, each) for part, each in (beside or {}).items()]
    return [*sentences, *_against_simpler(systems), *_not_promoted(promotion, champion)]


def _against_chance(part: str, result: Result) -> str:
    first, photos = result.first, f"{result.exam.n} {part} photos"
    if first is None:
        return f"There are no {part} photos: how good this network is, nobody knows."
    if first.is_error:
        found = f"Off by {first.text(first.value)} on average, on {photos}"
        chance = f"always naming their most central number ({first.text(first.chance)})"
    else:
        found = f"Right on {round(first.value * result.exam.n)} of {photos}"
        chance = f"always naming the most frequent class ({first.text(first.chance)})"
    return {
        "good": f"{found}: better than {chance} by more than luck explains.",
        "noise": f"{found}: within the noise of {chance}. This does not show that it works.",
        "bad": f"{found}: worse than {chance}.",
    }[first.level]


def _new_faces(test: Result, shows: Shows, task: str) -> list[str]:
    if test.first is None:
        return []
    if shows == "other photos of people it may know":
        return [
            "The test photos are other photos of people that it may know from training, since that "
            "is the question (split.keep_together is shot). What is left with new people, "
            f"`{COMMAND} person {task}` measures, side by side with known people."
        ]
    if shows == "people never seen, as far as their faces tell":
        return [
            "Who is on the test photos is not known, but nobody on them looks like anybody in "
            "training (split.same_face)."
        ]
    if shows != "people never seen":
        return [
            "Who is on the test photos is not known: people of the training photos may be among "
            "them, and the number too high."
        ]
    if test.first.level == "good":
        return []
    return [
        "Nobody on the test photos was in training: as far as they can show, this network knows "
        "nothing about a face that it has never seen."
    ]


def _carries_over(test: Result, wild: Result) -> list[str]:
    if test.error and wild.error:
        old, new = test.error, wild.error
        lost, gained = new.low > old.high, new.high < old.low
        about = f"The error on wild against test, {signed(new.value - old.value, 1)}"
    elif test.accuracy and wild.accuracy:
        old, new = test.accuracy, wild.accuracy
        lost, gained = new.high < old.low, new.low > old.high
        about = f"Wild against test, {points(new.value - old.value)}"
    else:
        return []
    if lost:
        return [
            f"{about}, is clearly worse: it leans on something that only the training photos have."
        ]
    if gained:
        return [f"{about}, is clearly better: its photos are easier."]
    return [f"{about}, is a difference that luck could make."]


def _against_simpler(systems: Sequence[System]) -> list[str]:
    """On test, by balanced accuracy: which systems do as well as the search's winner."""
    scores = [(s.test.value, s.standing) for s in systems if s.test]
    ours = [score for score, system in scores if system.kind == "search winner"]
    simpler = [(score, system.system) for score, system in scores if system.kind in SIMPLE]
    if not ours or not simpler:
        return []
    simpler.sort(key=lambda pair: -pair[0])
    better = [f"{name} ({percent(score)})" for score, name in simpler if score >= ours[0]]
    if better:
        return [
            f"It does not beat every simpler system: {', '.join(better)} against its "
            f"{percent(ours[0])} balanced accuracy on test."
        ]
    score, name = simpler[0]
    return [
        f"On test every simpler system is below its {percent(ours[0])} balanced accuracy; the best "
        f"is {name} ({percent(score)})."
    ]


def _not_promoted(promotion: Decision | None, champion: bool) -> list[str]:
    if promotion is None or promotion.decision == "champion":
        return []
    failed = [f'"{gate.gate}"' for gate in promotion.gates if not gate.passed]
    kept = "the champion stays" if champion else "there is no champion"
    return [f"Not promoted, {kept}: it did not pass {', '.join(failed)}."] if failed else []
