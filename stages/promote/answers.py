"""A system's answers to the photos of one part: read from a table, or asked for now."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.parallel import progress
from stages.networks.lite import Lite
from stages.networks.predict import class_probabilities, outputs
from stages.records.calibration import CALIBRATION
from stages.records.chain import CHAIN, weights
from stages.records.promotion import Figures, Seen
from stages.records.shards import Shards
from stages.records.splits import Together, kept_together
from stages.records.trials import CLASSES
from stages.records.weights import WEIGHTS


@dataclass(frozen=True)
class Answers:
    """To N photos of one part."""

    ids: np.ndarray  # (N,) text
    groups: np.ndarray  # (N,) text, of splits.csv
    labels: np.ndarray  # (N,) int in 0..K-1, the truth
    predicted: np.ndarray  # (N,) int in 0..K-1
    probabilities: np.ndarray  # (N, K) float

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, rows: np.ndarray) -> "Answers":
        """Those at `rows`: bool (N,), or int in 0..N-1 in a new order."""
        return Answers(*(getattr(self, each.name)[rows] for each in fields(self)))

    def figures(self) -> Figures:
        if not len(self):
            return Figures(n=0, accuracy=None, balanced_accuracy=None)
        right = self.labels == self.predicted
        recalls = [right[self.labels == label].mean() for label in np.unique(self.labels)]
        return Figures(
            n=len(self),
            accuracy=float(right.mean()),
            balanced_accuracy=float(np.mean(recalls)),
        )


ByPart = dict[str, Answers]  # a system's answers to each part


def from_table(table: pd.DataFrame, classes: list[str], groups: pd.Series) -> Answers:
    """Rows of a frame of predictions.csv (id, label, predicted, p_<class> ...).

    `groups`: id -> group.
    """
    number = {name: k for k, name in enumerate(classes)}
    return Answers(
        table["id"].to_numpy(),
        table["id"].map(groups).to_numpy(),
        table["label"].map(number).to_numpy(np.int64),
        table["predicted"].map(number).to_numpy(np.int64),
        table[[f"p_{name}" for name in classes]].to_numpy(float),
    )


def of_champion(
    champion: Path, candidate: Path, shards: Shards, photos: dict[str, Path], groups: pd.Series
) -> Answers:
    """The answers of the chain in the folder `champion` to the present photos of one part.

    If `champion` makes the same pictures of photos as the chain in `candidate`, its network answers
    the shards, which were made for the candidate. Otherwise the whole chain answers the original
    `photos` (id -> file); where it finds no answer, that is a wrong one.
    """
    ids = shards.index()["id"]
    labels = np.asarray(shards.labels)
    if not len(ids):
        probabilities = np.empty((0, len(CLASSES.read(champion))))
    elif _picture_settings(champion) == _picture_settings(candidate):
        probabilities = _by_network(champion, shards)
    else:
        probabilities = _by_chain(champion, [photos[id] for id in ids], labels)
    return Answers(
        ids.to_numpy(), ids.map(groups).to_numpy(), labels, probabilities.argmax(1), probabilities
    )


def unseen(
    answers: Answers, splits: pd.DataFrame, seen: pd.DataFrame, together: Together
) -> np.ndarray:
    """bool (N,): photos that the champion does not know; nor the person if `together` is "person".

    `splits`: id, person, group, shot of the present photos; `seen`: id, person of those that the
    champion has trained on. What is kept together with a known photo is known.
    """
    own = splits.set_index("id").loc[answers.ids].reset_index()
    known = own["id"].isin(seen["id"])
    if together == "person":
        known = known | (own["person"].ne("") & own["person"].isin(seen["person"]))
    unit = own[kept_together(together)]
    return ~unit.isin(unit[known]).to_numpy()


def seen_in_training(splits: pd.DataFrame) -> list[Seen]:
    """What a network knows that was trained on the train and val parts of `splits`."""
    rows = splits[splits["part"].isin(["train", "val"])]
    return [Seen(id, person) for id, person in zip(rows["id"], rows["person"], strict=True)]


def _by_network(champion: Path, shards: Shards) -> np.ndarray:
    return class_probabilities(outputs(Lite(champion), shards).raw, CALIBRATION.read(champion))


def _by_chain(champion: Path, photos: list[Path], labels: np.ndarray) -> np.ndarray:
    from app.chain import Chain

    chain = Chain(champion)
    rows = []
    bar = progress(photos, desc="the champion's chain", total=len(photos))
    for photo, label in zip(bar, labels, strict=True):
        answer = chain.examine(photo.read_bytes())
        if answer.label is None:
            wrong = np.zeros(len(chain.titles))
            wrong[(label + 1) % len(wrong)] = 1
            rows.append(wrong)
        else:
            rows.append(np.array(list(answer.probabilities.values())))
    return np.stack(rows)


def _picture_settings(folder: Path) -> tuple[object, ...]:
    """Everything in a chain that decides which picture of a photo its network sees."""
    chain, used = CHAIN.read(folder), WEIGHTS.read(weights(folder))
    extract, matte = chain.extract, chain.matte
    return (
        (extract.face, extract.min_score, extract.size, extract.face_width),
        chain.augment,
        matte.onnx if used.segmenter.name == "onnx" else None,
        [(each.name, each.sha256) for each in (used.detector, used.segmenter)],
    )
