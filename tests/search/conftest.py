import numpy as np
import pytest

from stages.common.shards import Shards


def write_part(folder, n, n_classes, size, seed):
    """Pictures whose class is a bright stripe: learnt in seconds, nothing else to learn."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    images = rng.integers(0, 60, (n, size, size, 3)).astype(np.uint8)
    step = size // n_classes
    for image, label in zip(images, labels, strict=True):
        image[label * step : (label + 1) * step] += 120
    np.save(folder / "images-00000.npy", images[: n // 2])
    np.save(folder / "images-00001.npy", images[n // 2 :])
    np.save(folder / "labels.npy", labels.astype(np.int64))
    (folder / "index.csv").write_text("id\n" + "".join(f"{i}\n" for i in range(n)))


@pytest.fixture(scope="session")
def parts(tmp_path_factory):
    """{n_classes: (train, val)}: shards of 24-px pictures."""
    root = tmp_path_factory.mktemp("parts")
    made = {}
    for k in (2, 3):
        write_part(root / str(k) / "train", 240, k, 24, seed=1)
        write_part(root / str(k) / "val", 60, k, 24, seed=2)
        made[k] = Shards(root / str(k) / "train"), Shards(root / str(k) / "val")
    return made
