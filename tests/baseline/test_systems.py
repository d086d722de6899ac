"""Each baseline by itself."""

import keras
import numpy as np
import pytest

from stages.baseline.linear import STRENGTHS
from stages.baseline.system import Job
from stages.baseline.systems import MAJORITY, systems
from stages.records.params import Baseline, Network
from stages.records.shards import Shards


def write(folder, images, labels, copies=1):
    """Shards of photos of which each has `copies` rows, the photo as it is first."""
    folder.mkdir(parents=True)
    np.save(folder / "images-00000.npy", np.tile(images, (copies, 1, 1, 1)))
    np.save(folder / "labels.npy", np.tile(labels, copies).astype(np.int64))
    rows = [f"{i:016x},{copy}\n" for copy in range(copies) for i in range(len(labels))]
    (folder / "index.csv").write_text("id,copy\n" + "".join(rows))
    return Shards(folder)


def stripes(n, seed):
    """Pictures of two classes that any classifier learns: bright above, or bright below."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    images = rng.integers(0, 80, (n, 32, 32, 3)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[8 + 8 * label : 16 + 8 * label] += 100
    return images, labels


def job_of(tmp_path, train_labels=None):
    images, labels = stripes(60, 0)
    labels = labels if train_labels is None else train_labels
    parts = {"train": write(tmp_path / "train", images, labels, copies=3)}
    parts["val"] = write(tmp_path / "val", *stripes(200, 1))
    for seed, part in enumerate(("test", "wild"), start=2):
        parts[part] = write(tmp_path / part, *stripes(20, seed))
    return Job(parts, 2, 1)


def accuracy(fitted, job, part="val"):
    return (fitted.probabilities[part].argmax(1) == job.parts[part].labels).mean()


def budget(name, epochs=6):
    return Network(name=name, epochs=epochs, batch_size=20, samples_per_epoch=None)


def fit_network(job):
    network = budget("sorting_hat_cnn")
    params = Baseline(classical="hog", networks=(network,), seed=1)
    return systems(params)[-1].fit(job)


def fit_classical(job, name="hog"):
    return systems(Baseline(classical=name, networks=(), seed=1))[1].fit(job)


@pytest.mark.parametrize(
    "fit",
    [
        pytest.param(fit_classical, id="hog"),
        pytest.param(fit_network, id="network", marks=pytest.mark.slow),
    ],
)
def test_random_labels_teach_nothing(tmp_path, fit):
    """Learnt from true labels, at chance on val from permuted ones, whatever happens on train."""
    honest = job_of(tmp_path / "honest")
    assert accuracy(fit(honest), honest) > 0.95
    random = []
    for seed in range(2):
        labels = np.random.default_rng(seed).permutation(60) % 2
        job = job_of(tmp_path / str(seed), labels)
        random.append(accuracy(fit(job), job))
    assert 0.2 < np.mean(random) < 0.8, random


def test_majority_is_the_most_frequent_class_of_train(tmp_path):
    labels = np.r_[np.zeros(45, int), np.ones(15, int)]
    job = job_of(tmp_path, labels)
    answers = MAJORITY.fit(job).probabilities
    np.testing.assert_allclose(answers["val"], np.tile([0.75, 0.25], (200, 1)))
    assert answers["wild"].shape == (20, 2)


def test_a_linear_model_never_sees_augmented_copies(tmp_path):
    fitted = fit_classical(job_of(tmp_path))
    assert fitted.hyperparameters["photos"] == 60  # of 180 rows


@pytest.mark.slow
def test_c_is_chosen_on_val_alone(tmp_path):
    """Where val contradicts what train teaches, the most cautious C is the best one, and where val
    agrees, a bolder one; labels of test and wild say nothing."""

    def labelled(job, **parts):
        """The job with other labels in some parts."""
        changed = dict(job.parts)
        for part, change in parts.items():
            shards = job.parts[part]
            pictures = shards.read(np.arange(len(shards)))
            folder = tmp_path / f"{part}-{len(list(tmp_path.iterdir()))}"
            changed[part] = write(folder, pictures, change(shards.labels))
        return Job(changed, job.n_classes, job.seed)

    def other(labels):
        return 1 - labels

    true = job_of(tmp_path / "true")
    agrees = fit_classical(true)
    contradicts = fit_classical(labelled(true, val=other))
    assert contradicts.hyperparameters["C"] == min(STRENGTHS)
    assert agrees.hyperparameters["C"] > min(STRENGTHS)
    unmoved = fit_classical(labelled(true, test=other, wild=other))
    assert unmoved.hyperparameters == agrees.hyperparameters
    for part, found in agrees.probabilities.items():
        np.testing.assert_array_equal(unmoved.probabilities[part], found)


def test_a_class_without_training_photos_is_possible(tmp_path):
    """Two classes of three are there: the third has probability 0, and columns stay in place."""
    images, labels = stripes(40, 0)
    parts = {
        part: write(tmp_path / part, images, 2 * labels)
        for part in ("train", "val", "test", "wild")
    }
    fitted = fit_classical(Job(parts, 3, 1), "lab")
    assert fitted.probabilities["test"].shape == (40, 3)
    assert (fitted.probabilities["test"][:, 1] == 0).all()


@pytest.mark.parametrize(
    ("name", "side", "channels"),
    [
        ("sorting_hat_cnn", 64, 3),
        ("age_cnn", 64, 3),
        ("idol_dnn", 200, 1),
        ("tone_vgg", 32, 3),
        ("age_vgg16", 64, 3),
    ],
)
@pytest.mark.parametrize("shape", [(24, 24, 1), (128, 128, 3)])
def test_networks_see_their_own_kind_of_picture(name, side, channels, shape):
    from stages.baseline.network import assemble
    from stages.baseline.networks import NETWORKS

    model = assemble(NETWORKS[name], shape, 5, None)
    pictures = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.uint8)
    answers = model.predict_on_batch(pictures)
    assert answers.shape == (2, 5)
    np.testing.assert_allclose(answers.sum(1), 1, atol=1e-4)
    network = model.layers[-1]
    assert network.input_shape == (None, side, side, channels)
    seen = keras.Model(model.input, network.input).predict_on_batch(pictures)
    assert 0.3 < seen.mean() < 0.7 and seen.min() >= 0 and seen.max() <= 1


def test_imagenet_weights(tmp_path):
    """The file's weights are in the network, and stay: what is on top learns."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    from stages.baseline.networks import NETWORKS as built

    known = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    with h5py.File(tmp_path / "vgg16.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, known)
    model = built["tone_vgg"].build((32, 32, 3), 2, tmp_path / "vgg16.h5")
    base = model.get_layer("vgg16")
    np.testing.assert_array_equal(base.get_weights()[0], known.get_weights()[0])
    assert not base.trainable_weights
