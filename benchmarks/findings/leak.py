"""Augment, then split: how much of a validation score is made of copies?

The same pictures, the same network, the same number to learn from and to be asked about. Once
pictures are dealt out, as the original team did, so that copies of one photo stand on both sides;
once photos are, as `split` does. Then all of it again with the labels shuffled among the photos, so
that there is nothing to learn but which photo has which.
"""

import numpy as np

from benchmarks.findings.finding import Finding, Score, apart, score
from benchmarks.findings.network import SEEDS, ask, join, learn
from benchmarks.findings.photos import Photos, Pictures, pictures
from stages.common.parallel import progress

ASKED = 2000  # validation pictures, at most
SPLITS = {"augment, then split": "pictures", "split, then augment": "photos"}
LABELS = ("true labels", "random labels")


def leak(photos: Photos) -> Finding:
    """Of the task's train and val photos."""
    todo = [(how, labels, seed) for how in SPLITS for labels in LABELS for seed in SEEDS]
    answers = {}
    with pictures(photos, photos.of("train", "val"), photos.augment) as made:
        ids = made.index["id"]
        # Shuffled labels are each photo's own, true ones a whole person's.
        person = ids.map(photos.table.set_index("id").group)
        groups = dict(zip(LABELS, (person.to_numpy(str), ids.to_numpy(str)), strict=True))
        for how, labels, seed in progress(
            todo, desc=f"leak, {photos.task}", total=len(todo), unit="network"
        ):
            rng = np.random.default_rng(seed)
            named = made.shards.labels
            if labels == "random labels":
                named = shuffled_labels(photos, made, rng)
            train, val = deal(photos, made, SPLITS[how], rng)
            model = learn(made.shards, train, named, len(photos.classes), seed)
            said = ask(model, made.shards, val, named, groups[labels], seed)
            answers.setdefault((how, labels), []).append(said)
    return conclude([score(how, labels, join(said)) for (how, labels), said in answers.items()])


def shuffled_labels(photos: Photos, made: Pictures, rng: np.random.Generator) -> np.ndarray:
    """int (N,): each photo has another's label, and its copies have it too.

    Train and val are shuffled each for itself, so that neither tells anything of the other.
    """
    labels = photos.table.set_index("id").label.map(photos.classes.index)
    for part in ("train", "val"):
        ids = photos.of(part)["id"]
        labels[ids] = rng.permutation(labels[ids])
    return made.index["id"].map(labels).to_numpy(np.int64)


def deal(
    photos: Photos, made: Pictures, what: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and to be asked about; of either as many, whether `what` is dealt out
    is "pictures" or "photos" (those then as in splits.csv)."""
    train = rng.permutation(made.rows(photos.of("train")["id"]))
    val = rng.permutation(made.rows(photos.of("val")["id"]))
    if what == "pictures":
        train, val = np.split(rng.permutation(np.concatenate([train, val])), [len(train)])
    return train, val[:ASKED]


def conclude(scores: list[Score]) -> Finding:
    found = {(s.network, s.exam): s for s in scores}
    leaky, honest, leaky_random, honest_random = (found[h, n] for n in LABELS for h in SPLITS)
    sentence = (
        f"Augmenting before the split makes validation say {leaky.range}; asked about photos and "
        f"people that it has seen nothing of, the same network reaches {honest.range}, where "
        f"guessing gives {honest.chance:.2f}. "
    )
    copies, low, high = apart(leaky, honest)
    sentence += (
        f"{copies:.2f} ({low:.2f} to {high:.2f}) of it is recognition. "
        if low > 0
        else f"These photos do not show a difference for sure: {low:+.2f} to {high:+.2f}. "
    )
    knows = leaky_random.low > leaky_random.chance
    fair = honest_random.low <= honest_random.chance <= honest_random.high
    sentence += (
        "With the labels shuffled among the photos there is nothing to know: augmented first, "
        f"validation {'still ' if knows else ''}says {leaky_random.range}, "
        f"{'above guessing' if knows else 'no more than guessing'}; split first, "
        f"{honest_random.range}, "
        + (
            "which is chance."
            if fair
            else "WHICH IS NOT CHANCE: something leaks, or this is the one run in twenty."
        )
    )
    return Finding(
        "Leak",
        "How much validation accuracy is made of copies of the same photo?",
        sentence,
        scores,
    )
