"""The champion: systems on the same photos, gates, history."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from stages.records.baselines import Baseline
from stages.records.predictions import BaselinePrediction
from stages.records.promotion import Decision, Event, Gate, Standing
from stages.report.bars import Bar, bar

SIMPLE = ("majority", "classical", "network")  # kinds of systems that no search found


@dataclass(frozen=True)
class Reached:
    """A system's balanced accuracy on an exam."""

    value: float
    low: float
    high: float
    bar: Bar


@dataclass(frozen=True)
class System:
    standing: Standing
    test: Reached | None  # None: it was not judged there
    wild: Reached | None


def systems(leaderboard: Sequence[Standing]) -> list[System]:
    """Each with bars whose tick is what naming the most frequent class reaches."""
    majority = next((row for row in leaderboard if row.kind == "majority"), None)
    return [
        System(row, _reached(row, "test", majority), _reached(row, "wild", majority))
        for row in leaderboard
    ]


def _reached(row: Standing, part: str, majority: Standing | None) -> Reached | None:
    metric = f"{part}_balanced_accuracy"
    value, low, high = (getattr(row, metric + end) for end in ("", "_low", "_high"))
    if value is None:
        return None
    chance = getattr(majority, metric, None)
    level = "plain" if row.kind in SIMPLE else "ours"
    return Reached(value, low, high, bar(value, low, high, tick=chance, level=level))


@dataclass(frozen=True)
class BaselineRow:
    baseline: Baseline
    val_accuracy: float | None  # None: it has no answers


def baseline_rows(
    baselines: Iterable[Baseline], predictions: Sequence[BaselinePrediction]
) -> list[BaselineRow]:
    """Rows below the trials of the search: each baseline with its accuracy on val."""

    def accuracy(name: str) -> float | None:
        asked = [p for p in predictions if p.model == name and p.part == "val"]
        return sum(p.label == p.predicted for p in asked) / len(asked) if asked else None

    return [BaselineRow(baseline, accuracy(baseline.name)) for baseline in baselines]


@dataclass(frozen=True)
class JudgedGate:
    gate: Gate
    judged: Literal["passed", "not passed", "not judged"]


def gates(decision: Decision) -> list[JudgedGate]:
    """ "not judged" are gates that let the candidate through because there was no figure."""

    def judged(gate: Gate) -> Literal["passed", "not passed", "not judged"]:
        if not gate.passed:
            return "not passed"
        return "not judged" if gate.value is None else "passed"

    return [JudgedGate(gate, judged(gate)) for gate in decision.gates]


def history(events: Iterable[Event]) -> list[Event]:
    """The latest first; times to the minute, and the data's hashes short."""
    shown = [
        replace(
            event,
            time=event.time[:16].replace("T", " "),
            data={path: md5[:8] for path, md5 in event.data.items()},
        )
        for event in events
    ]
    return shown[::-1]
