"""What the numbers are worth, in plain sentences."""

from typing import Any

from stages.report.render import percent


def verdict(test: dict[str, Any], wild: dict[str, Any]) -> list[str]:
    """Judge `evaluate`'s results of both exams against chance and against each other."""
    sentences = [_against_chance("test", test)]
    if not wild["n"]:
        return [
            *sentences,
            "There are no wild photos: nothing is known of other cameras and places.",
        ]
    return [*sentences, _against_chance("wild", wild), *_carries_over(test, wild)]


def level(exam: dict[str, Any]) -> str:
    """ "unknown", "good" (the 95 % interval is above the most frequent class's share), "bad" (all
    below it) or "noise" (it holds that share)."""
    if not exam["n"]:
        return "unknown"
    if exam["accuracy_low"] > exam["baseline_accuracy"]:
        return "good"
    return "bad" if exam["accuracy_high"] < exam["baseline_accuracy"] else "noise"


def _against_chance(part: str, exam: dict[str, Any]) -> str:
    if not exam["n"]:
        return f"There are no {part} photos: how good this network is, nobody knows."
    hits = round(exam["accuracy"] * exam["n"])
    found = f"Right on {hits} of {exam['n']} {part} photos"
    chance = f"always naming the most frequent class ({percent(exam['baseline_accuracy'])})"
    return {
        "good": f"{found}: better than {chance} by more than luck explains.",
        "noise": f"{found}: within the noise of {chance}. This does not show that it works.",
        "bad": f"{found}: worse than {chance}.",
    }[level(exam)]


def _carries_over(test: dict[str, Any], wild: dict[str, Any]) -> list[str]:
    if not test["n"]:
        return []
    points = round(100 * (wild["accuracy"] - test["accuracy"]))
    if wild["accuracy_high"] < test["accuracy_low"]:
        return [
            f"Wild is {-points} points below test, clearly: it leans on something that only the "
            "training photos have."
        ]
    if wild["accuracy_low"] > test["accuracy_high"]:
        return [f"Wild is {points} points above test, clearly: its photos are easier."]
    signed = f"{points:+d}".replace("-", "\N{MINUS SIGN}")
    return [f"Wild against test, {signed} points, is a difference that luck could make."]
