"""One property of the training pictures is changed, all else equal; the exams are val and wild."""

from collections.abc import Mapping

from experiments.findings import photos as made_anew
from experiments.findings.network import SEEDS, Answers, ask, join, learn
from experiments.findings.outcome import Outcome, Score, gain, in_words, score
from experiments.findings.photos import Photos
from stages.common.parallel import progress
from stages.records.params import Augment

EXAMS = {"val": "validation", "wild": "wild"}
COPIES = (1, 10, 100)
GREY = (127, 127, 127)  # behind the cut-out where the task itself keeps backgrounds

Said = Mapping[tuple[str, str], Answers]  # of a variant to the photos of a part


def background(photos: Photos) -> Outcome:
    own = photos.augment
    plain = GREY if own.background == "keep" else own.background
    kept, removed = "background kept", "background removed"
    variants = {
        kept: own.model_copy(update={"background": "keep"}),
        removed: own.model_copy(update={"background": plain}),
    }
    said = compare(photos, "background", variants)
    return Outcome(
        "Background",
        "Does a network that sees the background do well only where the background stays the same?",
        _sentence(photos, said, "Removing the background", removed, kept),
        _scores(said),
    )


def grey(photos: Photos) -> Outcome:
    own = photos.augment
    variants = {
        "colour": own.model_copy(update={"channels": "rgb"}),
        "grey": own.model_copy(update={"channels": "gray"}),
    }
    said = compare(photos, "grey", variants)
    return Outcome(
        "Grey or colour",
        "Does the network need the colours?",
        _sentence(photos, said, "Seeing colours instead of grey", "colour", "grey"),
        _scores(said),
    )


def copies(photos: Photos) -> Outcome:
    variants = {f"{n}x": photos.augment.model_copy(update={"copies": n}) for n in COPIES}
    said = compare(photos, "copies", variants)
    what = "Learning from 100 copies of each photo instead of the photo itself"
    sentence = _sentence(photos, said, what, "100x", "1x")
    more = _sentence(photos, said, "100 copies instead of 10", "100x", "10x")
    return Outcome(
        "Copies",
        "How many augmented copies of each photo, at equal training steps?",
        f"{sentence} {more}",
        _scores(said),
    )


def compare(photos: Photos, name: str, variants: Mapping[str, Augment]) -> Said:
    """What each variant's networks say about the photos of each exam as they are."""
    exams = [part for part in EXAMS if photos.of(part)]
    answers: dict[tuple[str, str], list[Answers]] = {}
    todo = progress(
        range(len(variants) * len(SEEDS)),
        desc=f"{name}, {photos.task}",
        total=len(variants) * len(SEEDS),
        unit="network",
    )
    shown = photos.of("train", *exams)
    with todo:
        for variant, params in variants.items():
            with made_anew.copies(photos, shown, params) as made:
                train, groups = made.rows(photos.of("train")), made.groups(shown)
                shards, labels = made.shards, made.shards.labels
                for seed in SEEDS:
                    model = learn(shards, train, labels, len(photos.classes), seed)
                    for part in exams:
                        rows = made.rows(photos.of(part), first=1)
                        said = ask(model, shards, rows, labels, groups, seed)
                        answers.setdefault((variant, part), []).append(said)
                    todo.update()
    return {key: join(said) for key, said in answers.items()}


def _scores(said: Said) -> list[Score]:
    return [score(variant, EXAMS[part], answers) for (variant, part), answers in said.items()]


def _sentence(photos: Photos, said: Said, what: str, new: str, old: str) -> str:
    differences = [
        in_words(gain(said[new, part], said[old, part]), where)
        for part, where in EXAMS.items()
        if (new, part) in said
    ]
    missing = "" if photos.of("wild") else "; there are no wild photos"
    return f"{what} changes balanced accuracy by {'; by '.join(differences)}{missing}."
