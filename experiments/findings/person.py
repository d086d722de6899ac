"""By photo against by person: what does a network know of faces it has never seen?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from msgspec import to_builtins
from sklearn.linear_model import LogisticRegression

from experiments.findings.network import SEEDS, Answers, ask, join, learn
from experiments.findings.outcome import Outcome, Score, against_guessing, apart_in_words, score
from experiments.findings.photos import Photos, copies
from stages.common.errors import UserError
from stages.common.parallel import progress
from stages.records.faces import GEOMETRY
from stages.records.folders import picture
from stages.records.splits import Assignment
from stages.records.weights import WEIGHTS
from stages.split.identities import identities
from stages.split.split import split

BY = ("by photo", "by person")
FACE = ", by a face network"


def person(photos: Photos) -> Outcome:
    """All photos but the wild ones, dealt out anew for each seed; val and test are the exam.

    A small network learns from the pictures; and a linear model from what SFace says of the faces,
    if its weights are there.
    """
    if not photos.persons:
        raise UserError(
            f"task {photos.task}: nobody is known to be on two photos; say who is on a photo with "
            "`person` in collect.sources"
        )
    pool = photos.of("train", "val", "test")
    todo = [(by, seed) for by in BY for seed in SEEDS]
    answers: dict[str, list[Answers]] = {by: [] for by in BY}
    with copies(photos, pool, photos.augment) as made:
        shards, labels = made.shards, made.shards.labels
        # However they are dealt, photos of one person are not independent of each other.
        groups = made.groups(pool)
        for by, seed in progress(
            todo, desc=f"person, {photos.task}", total=len(todo), unit="network"
        ):
            part = deal(photos, by, seed)
            train = made.rows([photo for photo in pool if part[photo.id] == "train"])
            model = learn(shards, train, labels, len(photos.classes), seed)
            exam = [photo for photo in pool if part[photo.id] in ("val", "test")]
            asked = made.rows(exam, first=1)
            answers[by].append(ask(model, shards, asked, labels, groups, seed))
    faces = of_faces(photos, pool)
    if faces is not None:
        for by, seed in todo:
            said = ask_faces(photos, pool, faces, by, seed)
            answers.setdefault(f"{by}{FACE}", []).append(said)
    return conclude([score(by, "photos held out", join(said)) for by, said in answers.items()])


def of_faces(photos: Photos, pool: Sequence[Assignment]) -> np.ndarray | None:
    """float32 (len(pool), 128); None without SFace's weights."""
    at = photos.at
    network = WEIGHTS.read(at.weights).pretrained_files(at.weights).get("face") if at else None
    if at is None or network is None:
        return None
    crops = [picture(at.faces, photo.id) for photo in pool]
    return identities(crops, GEOMETRY.read(at.faces), network, at.cache("identities"))


def ask_faces(
    photos: Photos, pool: Sequence[Assignment], faces: np.ndarray, by: str, seed: int
) -> Answers:
    """What a linear model on `faces`, (len(pool), d), says of the photos of val and test."""
    part = deal(photos, by, seed)
    labels = np.array([photos.classes.index(photo.label) for photo in pool])
    groups = np.array([photo.group for photo in pool])
    train = np.array([part[photo.id] == "train" for photo in pool])
    exam = np.array([part[photo.id] in ("val", "test") for photo in pool])
    model = LogisticRegression(C=10, class_weight="balanced", max_iter=2000)
    model.fit(faces[train], labels[train])
    said = model.predict_proba(faces[exam])
    return Answers(labels[exam], said, groups[exam], np.full(exam.sum(), seed))


def deal(photos: Photos, by: str, seed: int) -> dict[str, str]:
    """id -> part, of all photos but the wild ones, as the stage `split` deals them out.

    Duplicates stay together in any case.
    """
    pool = pd.DataFrame(to_builtins(photos.of("train", "val", "test"))).assign(part="pool")
    pairs = [(pair.a, pair.b) for pair in photos.duplicates]
    together = "person" if by == "by person" else "shot"
    own = photos.params.split.model_copy(update={"keep_together": together, "seed": seed})
    dealt = split(
        pool,
        pd.DataFrame(pairs, columns=["a", "b"]),
        photos.classes,
        own,
        key=f"tasks.{photos.task}.split",
    )
    return dict(zip(dealt["id"], dealt["part"], strict=True))


def conclude(scores: list[Score]) -> Outcome:
    """`scores`: by photo and by person; of several networks, the last one is spoken of."""
    photo, person = scores[-2:]
    sentence = (
        f"On other photos of people it has learnt from, the network is right {photo.range}; on "
        f"people it has never seen {person.range}, where guessing gives {person.chance:.2f}: "
        f"{against_guessing(person)}. "
        f"{apart_in_words(photo, person, 'is knowing the people, not the class')}"
    )
    return Outcome(
        "New faces",
        "What does the network know about faces it has never seen?",
        sentence,
        scores,
    )
