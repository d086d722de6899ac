"""By photo against by person: what does a network know of faces it has never seen?"""

import pandas as pd

from benchmarks.findings.finding import Finding, Score, against_guessing, apart, score
from benchmarks.findings.network import SEEDS, ask, join, learn
from benchmarks.findings.photos import Photos, pictures
from stages.common.errors import UserError
from stages.common.parallel import progress
from stages.split.split import split

BY = ("by photo", "by person")


def person(photos: Photos) -> Finding:
    """All photos but the wild ones, dealt out anew for each seed; val and test are asked about."""
    if not photos.persons:
        raise UserError(
            f"task {photos.task}: nobody is known to be on two photos; collect.sources tells who "
            "is on a photo with `person`"
        )
    pool = photos.of("train", "val", "test")
    todo = [(by, seed) for by in BY for seed in SEEDS]
    answers: dict[str, list] = {by: [] for by in BY}
    with pictures(photos, pool, photos.augment) as made:
        shards, labels = made.shards, made.shards.labels
        # However they are dealt, photos of one person are no evidence of their own.
        groups = made.index["id"].map(pool.set_index("id").group).to_numpy(str)
        for by, seed in progress(
            todo, desc=f"person, {photos.task}", total=len(todo), unit="network"
        ):
            dealt = deal(photos, pool, by, seed)
            model = learn(
                shards, made.rows(dealt.id[dealt.part == "train"]), labels,
                len(photos.classes), seed,
            )  # fmt: skip
            asked = made.rows(dealt.id[dealt.part.isin(("val", "test"))], copies=1)
            answers[by].append(ask(model, shards, asked, labels, groups, seed))
    return conclude([score(by, "photos held out", join(said)) for by, said in answers.items()])


def deal(photos: Photos, pool: pd.DataFrame, by: str, seed: int) -> pd.DataFrame:
    """The stage's own split; by photo, nobody is told who is on it. Copies stay together."""
    table = pool.assign(part="pool")
    if by == "by photo":
        table = table.assign(person="")
    own = photos.params.split
    return split(
        table, photos.duplicates, photos.classes, val=own.val, test=own.test, seed=seed,
        key=f"tasks.{photos.task}.split",
    )  # fmt: skip


def conclude(scores: list[Score]) -> Finding:
    photo, person = scores
    sentence = (
        f"On other photos of people it has learnt from, the network is right {photo.range}; on "
        f"people it has never seen {person.range}, where guessing gives {person.chance:.2f}: "
        f"{against_guessing(person)}. "
    )
    known, low, high = apart(photo, person)
    sentence += (
        f"{known:.2f} ({low:.2f} to {high:.2f}) is knowing the people, not the class."
        if low > 0
        else f"These photos do not show a difference for sure: {low:+.2f} to {high:+.2f}."
    )
    return Finding(
        "New faces",
        "What does the network know about faces it has never seen?",
        sentence,
        scores,
    )
