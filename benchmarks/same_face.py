"""python -m benchmarks.same_face PHOTOS [--person REGEX] [--weights FOLDER]: people by their faces.

PHOTOS/<class>/<file>. FOLDER: as weights.local.

With `--person`, which reads a name from the file's name: how well `split.same_face` finds the
people, for several thresholds. Precision: of two photos put together, how often they show one
person. Recall: of two photos of one person, how often they are put together. `stages.split.people`
joins by average linkage; connected components are beside it. At last, names that were put together.

Without it: what people in several parts do to an exam. Balanced accuracy of classifiers in a
cross-validation whose folds keep near-duplicates together, and one that keeps people together too.
"""

import argparse
import re
import tempfile
from collections import Counter
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stages.common.images import decode, read_png, write_png
from stages.common.parallel import progress
from stages.extract.crop import Geometry, crop
from stages.extract.face import choose
from stages.extract.yunet import YuNet
from stages.split.duplicates import find_duplicates
from stages.split.groups import shots
from stages.split.identities import identities
from stages.split.people import join
from stages.weights.find import Places, find
from stages.weights.known import PRETRAINED, YUNET

GEOMETRY = Geometry(256, 0.5)
THRESHOLDS = (0.3, 0.363, 0.38, 0.4, 0.42, 0.45, 0.5, 0.55, 0.6)  # 0.363: SFace's authors
CHOSEN = 0.4  # as in params.yaml
ALIKE = 0.65  # split.duplicate_similarity for photographs
SEEDS = range(5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--person", type=re.compile)
    parser.add_argument("--weights", type=Path)
    arguments = parser.parse_args()
    places = Places(arguments.weights, Path(), download=False)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        photos = crops(arguments.photos, out, YuNet(find(YUNET[0], places)[0], 0.7))
        files = [out / f"{id}.png" for id in photos.id]
        network = find(PRETRAINED["face"], places)[0]
        faces = identities(files, GEOMETRY.places(), network, out / "scratch")
        if arguments.person:
            names = photos.name.map(lambda name: arguments.person.search(name)[1])
            recognition(names.to_numpy(str), faces)
        else:
            exams(photos, files, faces, out)


def crops(photos: Path, out: Path, detector: YuNet) -> pd.DataFrame:
    """A row for each photo with a face (id, label, name, file), whose crop is `out`/<id>.png."""
    rows = []
    files = sorted(path for path in photos.rglob("*") if path.is_file())
    for file in progress(files, desc="faces", total=len(files)):
        image = decode(file.read_bytes())
        if found := detector.detect(image):
            id = f"{len(rows):016x}"
            face = choose(found, "largest", image.shape)
            write_png(out / f"{id}.png", crop(image, face, GEOMETRY))
            rows.append((id, file.parent.name, file.name, file))
    return pd.DataFrame(rows, columns=["id", "label", "name", "file"])


def recognition(names: np.ndarray, faces: np.ndarray) -> None:
    one, other = np.triu_indices(len(names), 1)
    true = names[one] == names[other]
    print(f"{len(names)} photos of {len(set(names))} people")
    print("threshold  precision  recall  largest   | connected components: precision  recall")
    for least in THRESHOLDS:
        cells = []
        for found in (average(faces, least), components(faces, least)):
            together = found[one] == found[other]
            largest = sorted(Counter(found.tolist()).values(), reverse=True)[:4]
            right = (together & true).sum()
            precision, recall = right / max(together.sum(), 1), right / max(true.sum(), 1)
            cells.append(f"{precision:.3f}  {recall:.3f}  {largest}")
        print(f"{least:.3f}  {'  |  '.join(cells)}", flush=True)
    found = average(faces, CHOSEN)
    wrong = Counter(
        " + ".join(sorted((names[a], names[b])))
        for number in set(found.tolist())
        for a, b in combinations(np.flatnonzero(found == number), 2)
        if names[a] != names[b]
    )
    print(f"put together at {CHOSEN}, pairs of photos: {wrong.most_common(12)}")


def average(faces: np.ndarray, least: float) -> np.ndarray:
    """(n,) numbers of people, as the stage `split` finds them where nobody has a name."""
    return join(np.arange(len(faces)), np.zeros(len(faces), bool), faces, least)


def components(faces: np.ndarray, least: float) -> np.ndarray:
    links = np.nonzero(faces @ faces.T >= least)
    graph = coo_array((np.ones(len(links[0])), links), shape=(len(faces),) * 2)
    return connected_components(graph, directed=False)[1]


def exams(photos: pd.DataFrame, files: list[Path], faces: np.ndarray, scratch: Path) -> None:
    # Here, as each worker process imports what this module imports
    from stages.networks.colour import lab
    from stages.networks.edges import hog

    by_id = dict(zip(photos.id, photos.file, strict=True))
    pairs = find_duplicates(
        photos.id, by_id, dict(zip(photos.id, files, strict=True)), ALIKE, scratch=scratch / "d"
    )
    shot = pd.factorize(shots(photos.id, pairs))[0]
    people = join(shot, np.zeros(shot.max() + 1, bool), faces, CHOSEN)
    largest = sorted(Counter(people.tolist()).values(), reverse=True)[:6]
    print(f"{len(photos)} photos, {len(set(shot))} shots, {len(set(people))} people: {largest}")
    small = [cv2.resize(read_png(file), (64, 64), interpolation=cv2.INTER_AREA) for file in files]
    pixels = np.array(small, np.float32)
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    labels = pd.factorize(photos.label)[0]
    print("balanced accuracy, mean of 5 seeds: near-duplicates together | people together")
    for name, features, model in (
        ("Lab, linear", np.asarray(lab(pixels)), linear),
        ("HOG, linear", np.asarray(hog(pixels)), linear),
        ("SFace, linear", faces, linear),
        ("SFace, nearest photo", faces, KNeighborsClassifier(1)),
    ):
        cells = []
        for groups in (shot, people):
            scores = []
            for seed in SEEDS:
                folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
                said = cross_val_predict(model, features, labels, groups=groups, cv=folds)
                scores.append(recall_score(labels, said, average="macro"))
            cells.append(f"{np.mean(scores):.3f} +- {np.std(scores):.3f}")
        print(f"{name:22}{'  |  '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
