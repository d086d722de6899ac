"""One thing about the training pictures changed, all else equal; then validation and wild."""

from benchmarks.findings.finding import Finding, Score, gain, score, told
from benchmarks.findings.network import SEEDS, Answers, ask, join, learn
from benchmarks.findings.photos import Photos, pictures
from stages.common.parallel import progress
from stages.records.params import Augment

EXAMS = {"val": "validation", "wild": "wild"}
COPIES = (1, 10, 100)
GREY = (127, 127, 127)  # behind the cut-out where the task itself keeps backgrounds


def background(photos: Photos) -> Finding:
    own = photos.augment
    plain = GREY if own.background == "keep" else own.background
    kept, removed = "background kept", "background removed"
    said = compare(
        photos,
        "background",
        {
            name: own.model_copy(update={"background": behind})
            for name, behind in ((kept, "keep"), (removed, plain))
        },
    )
    return Finding(
        "Background",
        "Does a network that sees the background do well only where the background stays the same?",
        _sentence(photos, said, "Removing the background", removed, kept),
        _scores(said),
    )


def grey(photos: Photos) -> Finding:
    names = {"colour": "rgb", "grey": "gray"}
    said = compare(
        photos,
        "grey",
        {
            name: photos.augment.model_copy(update={"channels": channels})
            for name, channels in names.items()
        },
    )
    return Finding(
        "Grey or colour",
        "Does the network need the colours?",
        _sentence(photos, said, "Seeing colours instead of grey", "colour", "grey"),
        _scores(said),
    )


def copies(photos: Photos) -> Finding:
    said = compare(
        photos,
        "copies",
        {f"{n}x": photos.augment.model_copy(update={"copies": n}) for n in COPIES},
    )
    sentence = _sentence(
        photos,
        said,
        "Learning from 100 copies of each photo instead of the photo itself",
        "100x",
        "1x",
    )
    more = _sentence(photos, said, "100 copies instead of 10", "100x", "10x")
    return Finding(
        "Copies",
        "How many augmented copies of each photo, at equal training steps?",
        f"{sentence} {more}",
        _scores(said),
    )


def compare(
    photos: Photos, name: str, variants: dict[str, Augment]
) -> dict[tuple[str, str], Answers]:
    """(variant, part) -> what its networks say of the part's photos as they are."""
    exams = [part for part in EXAMS if len(photos.of(part))]
    answers: dict[tuple[str, str], list[Answers]] = {}
    todo = progress(
        range(len(variants) * len(SEEDS)),
        desc=f"{name}, {photos.task}",
        total=len(variants) * len(SEEDS),
        unit="network",
    )
    group = photos.table.set_index("id").group
    with todo:
        for variant, params in variants.items():
            with pictures(photos, photos.of("train", *exams), params) as made:
                train = made.rows(photos.of("train")["id"])
                groups = made.index["id"].map(group).to_numpy(str)
                shards, labels = made.shards, made.shards.labels
                for seed in SEEDS:
                    model = learn(shards, train, labels, len(photos.classes), seed)
                    for part in exams:
                        rows = made.rows(photos.of(part)["id"], copies=1)
                        said = ask(model, shards, rows, labels, groups, seed)
                        answers.setdefault((variant, part), []).append(said)
                    todo.update()
    return {key: join(said) for key, said in answers.items()}


def _scores(said: dict[tuple[str, str], Answers]) -> list[Score]:
    return [score(variant, EXAMS[part], answers) for (variant, part), answers in said.items()]


def _sentence(photos: Photos, said: dict, what: str, new: str, old: str) -> str:
    differences = [
        told(gain(said[new, part], said[old, part]), where)
        for part, where in EXAMS.items()
        if (new, part) in said
    ]
    missing = "" if len(photos.of("wild")) else "; there are no wild photos to ask about"
    return f"{what} changes balanced accuracy by {'; by '.join(differences)}{missing}."
