"""What a system answered to the photos of one part: read from a table, or asked now."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, recall_score

from stages.common.files import read_json
from stages.common.parallel import progress
from stages.common.predict import class_probabilities, outputs
from stages.records.calibration import CALIBRATION
from stages.records.shards import Shards


@dataclass(frozen=True)
class Answers:
    """N photos of one part."""

    ids: np.ndarray  # (N,) text
    groups: np.ndarray  # (N,) text: who or what is on the photo, of splits.csv
    labels: np.ndarray  # (N,) int in 0..K-1, the truth
    predicted: np.ndarray  # (N,) int in 0..K-1
    probabilities: np.ndarray  # (N, K) float

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, mask: np.ndarray) -> "Answers":
        """Those at which `mask`, bool (N,), is true."""
        return Answers(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))

    def metrics(self) -> dict[str, float | int | None]:
        """`n`, and the measures that are told with each decision; None where there is no photo."""
        if not len(self):
            return {"n": 0, "accuracy": None, "balanced_accuracy": None}
        recall = recall_score(
            self.labels, self.predicted, labels=np.unique(self.labels), average="macro"
        )
        return {
            "n": len(self),
            "accuracy": float(accuracy_score(self.labels, self.predicted)),
            "balanced_accuracy": float(recall),
        }


def from_table(table: pd.DataFrame, classes: list[str], groups: pd.Series) -> Answers:
    """Rows of a predictions.csv (id, label, predicted, p_<class> ...); `groups`: id -> group."""
    number = {name: k for k, name in enumerate(classes)}
    return Answers(
        table["id"].to_numpy(),
        table["id"].map(groups).to_numpy(),
        table["label"].map(number).to_numpy(np.int64),
        table["predicted"].map(number).to_numpy(np.int64),
        table[[f"p_{name}" for name in classes]].astype(float).to_numpy(),
    )


def of_champion(
    champion: Path, candidate: Path, shards: Shards, photos: Path, groups: pd.Series
) -> Answers:
    """The promoted folder `champion` on the present pictures of one part.

    Its network answers the shards if its pictures are made as those of the folder `candidate`,
    which they were made for; otherwise its whole chain answers the original `photos` (a folder of
    <id>.<ext>), and a photo without an answer counts as a wrong one.
    """
    ids = shards.index()["id"]
    labels = np.asarray(shards.labels)
    if not len(ids):
        probabilities = np.empty((0, len(read_json(champion / "classes.json"))))
    elif picture_settings(champion) == picture_settings(candidate):
        probabilities = _by_network(champion, shards)
    else:
        probabilities = _by_chain(champion, ids, labels, photos)
    return Answers(
        ids.to_numpy(), ids.map(groups).to_numpy(), labels, probabilities.argmax(1), probabilities
    )


def _by_network(champion: Path, shards: Shards) -> np.ndarray:
    import keras

    model = keras.saving.load_model(champion / "model.keras", compile=False)
    return class_probabilities(outputs(model, shards), CALIBRATION.read(champion))


def _by_chain(champion: Path, ids: pd.Series, labels: np.ndarray, photos: Path) -> np.ndarray:
    from app.chain import Chain

    chain = Chain(champion)
    files = {path.stem: path for path in photos.iterdir()}
    rows = []
    bar = progress(ids, desc="the champion's chain", total=len(ids))
    for photo_id, label in zip(bar, labels, strict=True):
        answer = chain.answer(files[photo_id].read_bytes())
        if answer.label is None:
            wrong = np.zeros(len(chain.titles))
            wrong[(label + 1) % len(wrong)] = 1
            rows.append(wrong)
        else:
            rows.append(np.array(list(answer.probabilities.values())))
    return np.stack(rows)


def picture_settings(folder: Path) -> dict[str, Any]:
    """All of a chain that decides which picture of a photo its network sees."""
    chain = read_json(folder / "chain.json")
    weights = read_json(folder / "weights/weights.json")
    return {
        "extract": {
            key: chain["extract"][key] for key in ("face", "min_score", "size", "face_width")
        },
        "augment": chain["augment"],
        "onnx": chain["matte"]["onnx"] if weights["segmenter"]["name"] == "onnx" else None,
        "weights": {
            use: {key: entry[key] for key in ("name", "sha256")} for use, entry in weights.items()
        },
    }


def unseen(answers: Answers, splits: pd.DataFrame, seen: pd.DataFrame) -> np.ndarray:
    """bool (N,): photos of which the champion knows neither the photo nor the person.

    `splits`: id, person, group of the present photos; `seen`: id, person of those that the
    champion has trained on. Whoever shares a group with a known photo is known.
    """
    ids = pd.Series(answers.ids)
    person = ids.map(splits.set_index("id")["person"])
    group = pd.Series(answers.groups)
    known = ids.isin(seen["id"]) | (person.ne("") & person.isin(seen["person"]))
    return ~group.isin(group[known]).to_numpy()


def seen_in_training(splits: pd.DataFrame) -> pd.DataFrame:
    """`id` and `person` of what a network trained on these splits has seen."""
    return splits.loc[splits["part"].isin(["train", "val"]), ["id", "person"]]
