"""The baselines that there are."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from stages.baseline import majority
from stages.baseline.system import Fitted, Job
from stages.common.backend import import_keras
from stages.records.params import Baseline, Network


@dataclass(frozen=True)
class System:
    name: str
    kind: Literal["majority", "classical", "network"]
    about: str  # for people
    fit: Callable[[Job], Fitted]
    modules: tuple[str, ...]  # their import closure and the versions of
    packages: tuple[str, ...]  # these distributions decide what it answers
    budget: Network | None = None  # of a network


MAJORITY = System(
    name="majority",
    kind="majority",
    about="always the most frequent class of train",
    fit=majority.fit,
    modules=("stages.baseline.majority",),
    packages=("numpy",),
)


ABOUT = {
    "hog": "logistic regression on the directions of edges (HOG) in the middle of the picture",
    "lab": "logistic regression on CIE Lab colour statistics of the middle of the picture",
}


def _classical(name: Literal["hog", "lab"]) -> System:
    keras = import_keras()
    from stages.baseline import linear
    from stages.networks import colour, edges

    describe = {"hog": edges.hog, "lab": colour.lab}[name]
    return System(
        name=name,
        kind="classical",
        about=ABOUT[name],
        fit=partial(linear.fit, describe=describe, name=name),
        modules=("stages.baseline.linear", describe.__module__),
        packages=("numpy", "scikit-learn", "keras", keras.backend.backend()),
    )


def _network(budget: Network) -> System:
    keras = import_keras()
    from stages.baseline import network
    from stages.baseline.networks import NETWORKS

    chosen = NETWORKS[budget.name]
    return System(
        name=budget.name,
        kind="network",
        about=chosen.about,
        fit=partial(network.fit, budget=budget, architecture=chosen),
        modules=("stages.baseline.network", "stages.baseline.networks"),
        packages=("numpy", "keras", keras.backend.backend()),
        budget=budget,
    )


def systems(params: Baseline) -> list[System]:
    """Those that a task asks for, in the order in which they are fitted."""
    return [MAJORITY, _classical(params.classical), *map(_network, params.networks)]
