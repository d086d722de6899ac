"""Does the new network take the champion's place? Both are judged by the same code, on the same
pictures: those of the present test part that the champion has never trained on."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from stages.common.predict import probabilities
from stages.common.shards import Shards


@dataclass(frozen=True)
class Score:
    n: int  # pictures judged
    accuracy: float
    balanced_accuracy: float


@dataclass(frozen=True)
class Decision:
    decision: str  # "champion" or "challenger": what the candidate becomes
    reason: str
    margin: float
    candidate: Score
    champion: Score | None  # the present one's, on the same pictures; None: it was not compared


def decide(
    margin: float,
    candidate: np.ndarray,
    champion: np.ndarray | None,
    labels: np.ndarray,
    why_not: str = "there was no champion yet",
) -> Decision:
    """Compare predicted labels, int (N,), of both with the true `labels`.

    The candidate needs a balanced accuracy above the champion's by more than `margin`. With no
    `champion` to compare with it takes the place, and `why_not` says why.
    """
    new = score(labels, candidate)
    if champion is None:
        return Decision("champion", why_not, margin, new, None)
    old = score(labels, champion)
    gain = new.balanced_accuracy - old.balanced_accuracy
    wins = gain > margin
    reason = (
        f"balanced accuracy {new.balanced_accuracy:.3f} against the champion's "
        f"{old.balanced_accuracy:.3f} on the same {new.n} test photos: a gain of {gain:+.3f}, "
        f"{'above' if wins else 'not above'} the margin of {margin:g}"
    )
    return Decision("champion" if wins else "challenger", reason, margin, new, old)


def score(labels: np.ndarray, predicted: np.ndarray) -> Score:
    return Score(
        len(labels),
        float(accuracy_score(labels, predicted)),
        float(balanced_accuracy_score(labels, predicted)),
    )


def judge(
    margin: float, candidate: Path, champion: Path | None, test: Shards, splits: pd.DataFrame
) -> Decision:
    """Score the model folders `candidate` and `champion` (`None`: there is none) on `test`.

    `splits` says who is on the test photos: photos and persons that the champion has trained on
    (its `seen.csv`) are left out for both, else an old champion would profit from a new split.
    """
    import keras

    model = keras.saving.load_model(candidate / "model.keras", compile=False)
    predicted = probabilities(model, test).argmax(1)
    labels = np.asarray(test.labels)
    if champion is None:
        return decide(margin, predicted, None, labels)
    if read_json(champion / "classes.json").keys() != read_json(candidate / "classes.json").keys():
        return decide(margin, predicted, None, labels, "the champion knows other classes")
    old = keras.saving.load_model(champion / "model.keras", compile=False)
    if old.input_shape != model.input_shape:
        takes = f"the champion takes pictures of {old.input_shape[1:]}, not {model.input_shape[1:]}"
        return decide(margin, predicted, None, labels, takes)
    unseen = _unseen(test, splits, pd.read_csv(champion / "seen.csv", dtype=str).fillna(""))
    if not unseen.any():
        seen = "the champion has trained on every photo of the present test part"
        return decide(margin, predicted, None, labels, seen)
    old_predicted = probabilities(old, test).argmax(1)
    return decide(margin, predicted[unseen], old_predicted[unseen], labels[unseen])


def _unseen(test: Shards, splits: pd.DataFrame, seen: pd.DataFrame) -> np.ndarray:
    """bool (N,): test pictures of which the champion knows neither the photo nor the person."""
    ids = test.index()["id"]
    person = ids.map(splits.set_index("id")["person"])
    group = ids.map(splits.set_index("id")["group"])
    known = ids.isin(seen["id"]) | (person.ne("") & person.isin(seen["person"]))
    return ~group.isin(group[known]).to_numpy()


def seen_in_training(splits: pd.DataFrame) -> pd.DataFrame:
    """`id` and `person` of what a network trained on these splits has seen."""
    return splits.loc[splits["part"].isin(["train", "val"]), ["id", "person"]]


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def sha256(folder: Path) -> str:
    """Which network a model folder holds."""
    return hashlib.sha256((folder / "model.keras").read_bytes()).hexdigest()
