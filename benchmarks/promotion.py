"""python -m benchmarks.promotion: how often luck promotes a network, and how often merit does.

Test parts and answers are simulated, with the level of params.yaml. Of two networks, each is right
on a photo with its own probability; photos are harder or easier for both (their scores, normally
distributed, correlate by 0.5). Classes are equally frequent, and each photo shows another person.
Only the gates of test take part: chance, a baseline, the champion.

`before`: the gates until November 2026. A first champion had to be no worse than always naming one
class and than each baseline; a challenger had to have a gain in 90 % of 2,000 resamples.
`bootstrap`: the present shares of luck, but resamples decide. `now`: the present gates.
"""

import functools
import time
from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import ndtri

from stages.networks.metrics import resampled
from stages.promote.luck import allowed, of_gain, of_guessing
from tests.params_yaml import shipped

LEVEL = shipped()["defaults"]["promote"]["level"]
SIZES = (24, 100, 400)  # photos of a test part
CLASSES = 4
GOOD = 0.7  # share of the photos that a good network is right on
ALIKE = 0.5  # correlation of two networks' scores
CHALLENGERS = 20
RUNS = 400  # of each simulation
RESAMPLES = 2000
DRAWN = {"tone": (2, 10), "age, harry": (4, 12), "idol": (7, 21)}  # classes, people with 2 photos
Rule = Callable[[np.ndarray, np.ndarray, int], bool]  # new and old are right, which candidate


def main() -> None:
    start = time.perf_counter()
    print(f"promote.level {LEVEL:g}; {RUNS} runs of each simulation, so +-{2.5:g} points at 50 %\n")
    sizes = "".join(f"{f'{n} photos':>12}" for n in SIZES)
    print(f"{'promoted by luck':58}{sizes}")
    for title, how_often in luck():
        row("  " + title, [how_often(n) for n in SIZES])
    print(f"\n{'promoted by merit, against a champion right on 70 %':58}{sizes}")
    for better in (0.05, 0.1, 0.2):
        for name, rule, candidate in (
            ("before", before, 2),
            ("now, second candidate", now, 2),
            ("now, tenth candidate", now, 10),
        ):
            found = [merit(n, better, rule, candidate) for n in SIZES]
            row(f"  {100 * better:.0f} points better, {name}", found)
    print(f"\n{'beats chance on drawn test parts (2 photos of each)':58}", end="")
    print("".join(f"{f'{right:.0%} right':>12}" for right in (0.8, 0.9, 1)))
    for task, (classes, people) in DRAWN.items():
        for candidate in (1, 5):
            title = f"  {task}: {people} people, {classes} classes, candidate {candidate}"
            row(title, [drawn(classes, people, right, candidate) for right in (0.8, 0.9, 1)])
    print(f"\n{time.perf_counter() - start:.0f} s")


def row(title: str, shares: list[float]) -> None:
    print(f"{title:58}" + "".join(f"{share:12.1%}" for share in shares), flush=True)


def luck() -> Iterator[tuple[str, Callable[[int], float]]]:
    yield "a network that guesses, as first champion, before", guesses_before
    yield "... now", functools.partial(guesses, candidates=1)
    yield "one of 20 networks that guess, as first champion, now", guesses
    for name, rule in (("before", before), ("bootstrap", bootstrap), ("now", now)):
        title = "one of 20 equally good challengers" if name == "before" else "..."
        yield f"{title}, {name}", functools.partial(challengers, rule=rule)
    yield "no luck: as good as a baseline, first champion, before", equal_before
    yield "... now", equal_now


def guesses_before(n: int) -> float:
    labels, rng = np.arange(n) % CLASSES, np.random.default_rng(n)
    return float(np.mean([accuracy(guess(rng, labels) == labels) >= 1 / CLASSES for _ in runs()]))


def guesses(n: int, candidates: int = CHALLENGERS) -> float:
    """How often at least one of them becomes champion."""
    labels, rng = np.arange(n) % CLASSES, np.random.default_rng(n)

    def promoted(candidate: int) -> bool:
        predicted, limit = guess(rng, labels), allowed(LEVEL, candidate, candidate)
        # A short cut: so little above chance is never sure enough
        deviation = (CLASSES**-1 * (1 - CLASSES**-1) / n) ** 0.5
        if (predicted == labels).mean() < 1 / CLASSES - 0.75 * ndtri(limit) * deviation:
            return False
        return of_guessing(labels, predicted, np.arange(n), limit) <= limit

    return float(np.mean([any(promoted(k + 1) for k in range(candidates)) for _ in runs()]))


def guess(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    return rng.integers(0, CLASSES, len(labels))


def challengers(n: int, rule: Rule) -> float:
    """How often at least one of 20 has taken the place of a champion that is as good."""
    rng, replaced = np.random.default_rng(n), 0
    for _ in runs():
        champion, *others = right(rng, n, [GOOD] * (CHALLENGERS + 1))
        replaced += any(rule(other, champion, k + 2) for k, other in enumerate(others))
    return replaced / RUNS


def merit(n: int, better: float, rule: Rule, candidate: int) -> float:
    rng = np.random.default_rng(n)
    pairs = (right(rng, n, [GOOD + better, GOOD]) for _ in runs())
    return float(np.mean([rule(new, old, candidate) for new, old in pairs]))


def equal_before(n: int) -> float:
    rng = np.random.default_rng(n)
    pairs = (right(rng, n, [GOOD, GOOD]) for _ in runs())
    return float(np.mean([accuracy(new) >= accuracy(old) for new, old in pairs]))


def equal_now(n: int) -> float:
    """That it beats chance as well is beyond doubt here, at 70 %, but for the smallest part."""
    labels, rng, passed = np.arange(n) % CLASSES, np.random.default_rng(n), 0
    limit = share(1)
    for _ in runs():
        network, baseline = right(rng, n, [GOOD, GOOD])
        predicted = answers(rng, labels, network, CLASSES)
        keeps_up = gain(baseline, network) > 1 - LEVEL
        passed += keeps_up and of_guessing(labels, predicted, np.arange(n), limit) <= limit
    return passed / RUNS


def drawn(classes: int, people: int, certain: float, candidate: int) -> float:
    """Two photos of each person; the network errs on each photo by itself."""
    groups = np.repeat(np.arange(people), 2)
    labels, limit, rng = groups % classes, share(candidate), np.random.default_rng(people)
    found = []
    for _ in range(1 if certain == 1 else RUNS // 4):
        predicted = answers(rng, labels, rng.random(2 * people) < certain, classes)
        found.append(of_guessing(labels, predicted, groups, limit) <= limit)
    return float(np.mean(found))


def before(new: np.ndarray, old: np.ndarray, candidate: int) -> bool:
    return accuracy(new) > accuracy(old) and no_gain(new, old) <= 1 - LEVEL


def bootstrap(new: np.ndarray, old: np.ndarray, candidate: int) -> bool:
    return accuracy(new) > accuracy(old) and no_gain(new, old) <= share(candidate)


def now(new: np.ndarray, old: np.ndarray, candidate: int) -> bool:
    return gain(new, old) <= share(candidate)


def share(candidate: int) -> float:
    """Of luck, in a test part whose first candidate alone has been promoted before."""
    return allowed(LEVEL, candidate, 1 if candidate == 2 else candidate)


def gain(new: np.ndarray, old: np.ndarray) -> float:
    labels = np.arange(len(new)) % CLASSES
    mine, theirs = (np.where(correct, labels, -1) for correct in (new, old))
    return of_gain(labels, mine, theirs, np.arange(len(new)))


def no_gain(new: np.ndarray, old: np.ndarray) -> float:
    """Share of the resamples without a gain; ties count half."""
    ahead = new.astype(np.float32) - old
    weights, photos = resamples(len(new))
    by_class = [weights[k] @ ahead[k::CLASSES] / photos[k] for k in range(CLASSES)]
    gains = np.sum(by_class, axis=0)
    return float((gains < -1e-6).mean() + (np.abs(gains) <= 1e-6).mean() / 2)


@functools.cache
def resamples(n: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """For each class, how often each photo is in each resample, and how many photos that are."""
    whole = np.concatenate(list(resampled(np.arange(n), RESAMPLES, seed=0)))
    weights = [np.ascontiguousarray(whole[:, k::CLASSES]) for k in range(CLASSES)]
    return weights, [np.maximum(each.sum(1), 1) for each in weights]


def right(rng: np.random.Generator, n: int, shares: list[float]) -> np.ndarray:
    """bool (networks, n): which photos each is right on."""
    scores = ALIKE**0.5 * rng.normal(size=n)
    scores = scores + (1 - ALIKE) ** 0.5 * rng.normal(size=(len(shares), n))
    return scores < ndtri(shares)[:, None]


def answers(
    rng: np.random.Generator, labels: np.ndarray, correct: np.ndarray, classes: int
) -> np.ndarray:
    """The label where `correct`, else another class at random."""
    return np.where(correct, labels, (labels + rng.integers(1, classes, len(labels))) % classes)


def accuracy(correct: np.ndarray) -> float:
    """Balanced accuracy, as classes are equally frequent."""
    return float(correct.mean())


def runs() -> range:
    return range(RUNS)


if __name__ == "__main__":
    main()
