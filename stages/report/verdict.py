"""What the numbers are worth, in plain sentences."""

from typing import Any

from stages.report.render import fixed, percent, points, signed


def verdict(
    test: dict[str, Any],
    wild: dict[str, Any],
    *,
    people: bool = True,
    promotion: dict[str, Any] | None = None,
    champion: bool = False,
    systems: list[dict[str, Any]] = (),
) -> list[str]:
    """Judge `evaluate`'s results of both exams against chance, each other and simpler `systems`
    (rows of `promotion.systems`). `people`: who is on the test photos is known, so that nobody on
    them was in training. `champion`: there is one, whatever became of this network."""
    sentences = [_against_chance("test", test), *_new_faces(test, people)]
    if wild["n"]:
        sentences += [_against_chance("wild", wild), *_carries_over(test, wild)]
    else:
        sentences.append("There are no wild photos: nothing is known of other cameras and places.")
    return [*sentences, *_against_simpler(systems), *_not_promoted(promotion, champion)]


def level(exam: dict[str, Any]) -> str:
    """ "unknown" (there are no photos), or what `beyond` says of the exam's first number."""
    if not exam["n"]:
        return "unknown"
    if names_numbers(exam):
        low, high = exam["intervals"]["mae"]
        return beyond(-high, -low, -exam["mae_baseline"])  # less error is better
    return beyond(exam["accuracy_low"], exam["accuracy_high"], exam["baseline_accuracy"])


def names_numbers(exam: dict[str, Any]) -> bool:
    """Its error in numbers is what counts: a regression, and the number of each photo is known."""
    return exam.get("mae") is not None


def beyond(low: float, high: float, chance: float) -> str:
    """ "good" (the interval is above `chance`), "bad" (all of it is below) or "noise" (it holds
    it)."""
    if low > chance:
        return "good"
    return "bad" if high < chance else "noise"


def _against_chance(part: str, exam: dict[str, Any]) -> str:
    if not exam["n"]:
        return f"There are no {part} photos: how good this network is, nobody knows."
    if names_numbers(exam):
        found = f"Off by {fixed(exam['mae'], 1)} on average, on {exam['n']} {part} photos"
        chance = f"always naming their most central number ({fixed(exam['mae_baseline'], 1)})"
    else:
        hits = round(exam["accuracy"] * exam["n"])
        found = f"Right on {hits} of {exam['n']} {part} photos"
        chance = f"always naming the most frequent class ({percent(exam['baseline_accuracy'])})"
    return {
        "good": f"{found}: better than {chance} by more than luck explains.",
        "noise": f"{found}: within the noise of {chance}. This does not show that it works.",
        "bad": f"{found}: worse than {chance}.",
    }[level(exam)]


def _new_faces(test: dict[str, Any], people: bool) -> list[str]:
    if not test["n"]:
        return []
    if not people:
        return [
            "Who is on the test photos is not known: people of the training photos may be among "
            "them, and the number too high."
        ]
    if level(test) == "good":
        return []
    return [
        "Nobody on the test photos was in training: as far as they can show, this network knows "
        "nothing about a face that it has never seen."
    ]


def _carries_over(test: dict[str, Any], wild: dict[str, Any]) -> list[str]:
    if not test["n"]:
        return []
    if names_numbers(test) and names_numbers(wild):
        (low, high), (wild_low, wild_high) = (e["intervals"]["mae"] for e in (test, wild))
        lost, gained = wild_low > high, wild_high < low
        about = f"The error on wild against test, {signed(wild['mae'] - test['mae'], 1)}"
    else:
        lost = wild["accuracy_high"] < test["accuracy_low"]
        gained = wild["accuracy_low"] > test["accuracy_high"]
        about = f"Wild against test, {points(wild['accuracy'] - test['accuracy'])}"
    if lost:
        return [
            f"{about}, is clearly worse: it leans on something that only the training photos have."
        ]
    if gained:
        return [f"{about}, is clearly better: its photos are easier."]
    return [f"{about}, is a difference that luck could make."]


def _against_simpler(systems: list[dict[str, Any]]) -> list[str]:
    """On test, by balanced accuracy: who does as well as the search's winner."""
    judged = [row for row in systems if row["test"]["balanced_accuracy"] is not None]
    ours = [row for row in judged if row["kind"] == "search winner"]
    simpler = [row for row in judged if row["kind"] in ("majority", "classical", "network")]
    if not ours or not simpler:
        return []
    reached = ours[0]["test"]["balanced_accuracy"]
    by_score = sorted(simpler, key=lambda row: -row["test"]["balanced_accuracy"])
    names = [f"{r['system']} ({percent(r['test']['balanced_accuracy'])})" for r in by_score]
    better = [r for r in by_score if r["test"]["balanced_accuracy"] >= reached]
    if better:
        return [
            f"It does not beat every simpler system: {', '.join(names[: len(better)])} against its "
            f"{percent(reached)} balanced accuracy on test."
        ]
    return [
        f"On test every simpler system is below its {percent(reached)} balanced accuracy; the best "
        f"is {names[0]}."
    ]


def _not_promoted(promotion: dict[str, Any] | None, champion: bool) -> list[str]:
    if promotion is None or promotion["decision"] == "champion":
        return []
    failed = [f'"{gate["gate"]}"' for gate in promotion["gates"] if not gate["passed"]]
    kept = "the champion stays" if champion else "there is no champion"
    return [f"Not promoted, {kept}: it did not pass {', '.join(failed)}."] if failed else []
