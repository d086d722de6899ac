"""Augment, then split: how much of a validation score is made of copies?

Two networks see the same pictures, as many of them in training and in validation. For the first,
pictures are dealt out, as the original team did, so that copies of one photo are on both sides. For
the second, photos are dealt out, as `split` does. Then both again with the labels shuffled among
the photos, so that there is nothing to learn but each photo's own label.
"""

from typing import Literal

import numpy as np

from experiments.findings.network import SEEDS, Answers, ask, join, learn
from experiments.findings.outcome import Outcome, Score, apart_in_words, score
from experiments.findings.photos import Copies, Photos, copies
from stages.common.parallel import progress

ASKED = 2000  # validation pictures at most
Dealt = Literal["pictures", "photos"]
SPLITS: dict[str, Dealt] = {"augment, then split": "pictures", "split, then augment": "photos"}
LABELS = ("true labels", "random labels")


def leak(photos: Photos) -> Outcome:
    """Of the task's train and val photos."""
    todo = [(how, labels, seed) for how in SPLITS for labels in LABELS for seed in SEEDS]
    answers: dict[tuple[str, str], list[Answers]] = {}
    pool = photos.of("train", "val")
    with copies(photos, pool, photos.augment) as made:
        # Shuffled labels are each photo's own, true ones a whole person's.
        groups = dict(zip(LABELS, (made.groups(pool), made.ids), strict=True))
        for how, labels, seed in progress(
            todo, desc=f"leak, {photos.task}", total=len(todo), unit="network"
        ):
            rng = np.random.default_rng(seed)
            given = made.shards.labels
            if labels == "random labels":
                given = shuffled_labels(photos, made, rng)
            train, val = deal(photos, made, SPLITS[how], rng)
            model = learn(made.shards, train, given, len(photos.classes), seed)
            said = ask(model, made.shards, val, given, groups[labels], seed)
            answers.setdefault((how, labels), []).append(said)
    return conclude([score(how, labels, join(said)) for (how, labels), said in answers.items()])


def shuffled_labels(photos: Photos, made: Copies, rng: np.random.Generator) -> np.ndarray:
    """int64 (N,): each photo has another photo's label, and so have its copies.

    Train and val are shuffled separately, so that neither says anything about the other.
    """
    label = {}
    for part in ("train", "val"):
        of_part = photos.of(part)
        shuffled = rng.permutation([photos.classes.index(photo.label) for photo in of_part])
        label |= {photo.id: k for photo, k in zip(of_part, shuffled, strict=True)}
    return np.array([label[id] for id in made.ids], np.int64)


def deal(
    photos: Photos, made: Copies, what: Dealt, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and for validation, as many of both for either `what`.

    `what` is dealt out: pictures at random, or photos as in splits.csv.
    """
    train = rng.permutation(made.rows(photos.of("train")))
    val = rng.permutation(made.rows(photos.of("val")))
    if what == "pictures":
        train, val = np.split(rng.permutation(np.concatenate([train, val])), [len(train)])
    return train, val[:ASKED]


def conclude(scores: list[Score]) -> Outcome:
    found = {(s.network, s.exam): s for s in scores}
    leaky, honest, leaky_random, honest_random = (found[h, n] for n in LABELS for h in SPLITS)
    sentence = (
        f"Augmenting before the split makes validation say {leaky.range}; on photos and people "
        f"that are new to it, the same network reaches {honest.range}, where guessing gives "
        f"{honest.chance:.2f}. {apart_in_words(leaky, honest, 'of it is recognition')} "
    )
    knows = leaky_random.low > leaky_random.chance
    fair = honest_random.low <= honest_random.chance <= honest_random.high
    sentence += (
        "With the labels shuffled among the photos there is nothing to know: augmented first, "
        f"validation {'still ' if knows else ''}says {leaky_random.range}, "
        f"{'above guessing' if knows else 'no more than guessing'}; split first, "
        f"{honest_random.range}, "
    )
    sentence += (
        "which is chance."
        if fair
        else "WHICH IS NOT CHANCE: something leaks, or this is the one run in twenty."
    )
    return Outcome(
        "Leak",
        "How much validation accuracy is made of copies of the same photo?",
        sentence,
        scores,
    )
