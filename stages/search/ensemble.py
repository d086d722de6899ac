"""One answer from several trials: greedy ensemble selection.

Source: Caruana et al., "Ensemble Selection from Libraries of Models" (2004),
https://doi.org/10.1145/1015330.1015432. A trial's network on the mirrored picture is a candidate
like any other.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import keras
import numpy as np

from stages.records.trials import Member
from stages.search.trial.answers import Answers
from stages.search.trial.features import halves

SLOWER = 3  # times the best network's computation that an ensemble may take
ROUNDS = 20  # candidates in the mean, with repetition: weights are multiples of a twentieth


def choose(
    answers: Mapping[int, Answers], best: int, limit: int, error: Callable[[np.ndarray], float]
) -> tuple[list[Member], float]:
    """The members of the ensemble and its error on val.

    `answers`: of each trial; `error`: of answers to val, float32 (N, outputs).
    The ensemble starts with the trial `best`, and adds what lowers `error` of the mean answer most,
    until nothing does. At most `limit` different members are taken, and together they compute at
    most `SLOWER` times as much as the best one alone.
    """
    plain = {(trial, False): each.plain for trial, each in answers.items()}
    views = plain | {(trial, True): each.mirrored for trial, each in answers.items()}
    bag = [(best, False)]
    allowed = SLOWER * _together(bag, answers)
    lowest = error(views[bag[0]])
    while len(bag) < ROUNDS:
        total = sum(views[each] for each in bag)
        found = {}
        for candidate in views:
            members = {*bag, candidate}
            if len(members) <= limit and _together(members, answers) <= allowed:
                found[candidate] = error((total + views[candidate]) / (len(bag) + 1))
        candidate = min(found, key=lambda each: found[each])  # the first of equal ones
        if found[candidate] >= lowest:
            break
        lowest = found[candidate]
        bag.append(candidate)
    counts = Counter(bag).items()
    return [Member(trial, mirrored, n / len(bag)) for (trial, mirrored), n in counts], lowest


def _together(members: Iterable[tuple[int, bool]], answers: Mapping[int, Answers]) -> float:
    """Multiplications of all members for a picture; a common trunk counts once for each view."""
    members = list(members)
    trunks = {(answers[t].trunk, mirrored): answers[t].trunk_cost for t, mirrored in members}
    return sum(trunks.values()) + sum(answers[t].cost for t, _ in members)


def mean_answer(answers: Mapping[int, Answers], members: Sequence[Member]) -> np.ndarray:
    """What the ensemble says of val."""
    views = [answers[m.trial].mirrored if m.mirrored else answers[m.trial].plain for m in members]
    weighed = [m.weight * view for m, view in zip(members, views, strict=True)]
    return np.sum(weighed, axis=0)


def combined(networks: Mapping[int, keras.Model], members: Sequence[Member]) -> keras.Model:
    """One network that gives the weighted mean answer; a common trunk is computed once a view."""
    if members == [Member(members[0].trial, False, 1.0)]:
        return networks[members[0].trial]
    first = networks[members[0].trial]
    pixels = keras.Input(first.input_shape[1:], dtype="uint8", name="pixels")
    views = {False: pixels, True: keras.ops.flip(pixels, axis=2)}
    features: dict[tuple[str, bool], keras.KerasTensor] = {}
    trunks: dict[str, keras.Model] = {}
    learners: dict[int, tuple[str, keras.Model]] = {}
    for trial, network in networks.items():
        parts = halves(network)
        name = parts.key if parts else ""
        if parts and name not in trunks:
            trunks[name] = _named(parts.trunk, f"trunk_{len(trunks) + 1}")
        learners[trial] = name, _named(parts.head if parts else network, f"trial_{trial + 1}")
    weighed = []
    for member in members:
        name, learner = learners[member.trial]
        seen = views[member.mirrored]
        if name:
            if (name, member.mirrored) not in features:
                features[name, member.mirrored] = trunks[name](seen)
            seen = features[name, member.mirrored]
        weighed.append(keras.layers.Rescaling(member.weight, dtype="float32")(learner(seen)))
    return keras.Model(pixels, keras.layers.Add()(weighed) if len(weighed) > 1 else weighed[0])


def _named(network: keras.Model, name: str) -> keras.Model:
    return keras.Model(network.inputs, network.outputs[0], name=name)
