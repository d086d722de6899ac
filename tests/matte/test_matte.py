import hashlib

import cv2
import numpy as np
import pytest

from stages.common.errors import UserError
from stages.common.images import read_png, write_png
from stages.extract.crop import Geometry
from stages.matte.grabcut import GrabCut
from stages.matte.matte import matte
from stages.records.faces import GEOMETRY, Crop
from stages.records.folders import picture, pictures
from stages.records.mattes import MATTES
from stages.records.params import CutoutQuality, Matte, Onnx
from tests.tflite_file import red_channel
from tests.weights_folder import write_weights

PLACES = Geometry(64, 0.5).places()
LIMITS = CutoutQuality(small=0.1, large=0.95)


def drawing(seed):
    """A plain head and shoulders in our crop geometry, on a plain wall."""
    rng = np.random.default_rng(seed)
    image = np.full((64, 64, 3), (60, 140, 90), np.uint8)
    cv2.ellipse(image, (32, 32), (18, 26), 0, 0, 360, (200, 150, 120), -1)
    cv2.ellipse(image, (32, 66), (30, 14), 0, 0, 360, (40, 40, 160), -1)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A function that runs the room on {id: RGB array} with a session."""

    def run(images, session, *, workers=1, extra=(), model=None, onnx=None, drop=()):
        base = tmp_path_factory.mktemp(session)
        weights, folder, out = base / "weights", base / "faces", base / "out"
        for path in (folder, out):
            pictures(path).mkdir(parents=True)
        write_weights(weights, session, f"{session}.onnx" if model else None)
        if model:
            (weights / f"{session}.onnx").write_bytes(model)
        GEOMETRY.write(folder, PLACES)
        for face_id, image in images.items():
            write_png(picture(folder, face_id), image)
        crops = [Crop(face_id, "a", True) for face_id in images] + list(extra)
        params = Matte(session=session, onnx=onnx, quality=LIMITS, drop=drop)
        scratch = base / "scratch"
        mattes = matte(crops, folder, weights, out, params, scratch=scratch, workers=workers)
        MATTES.write(out, mattes)
        return MATTES.frame(out), pictures(out)

    return run


@pytest.fixture(scope="module")
def by_grabcut(room):
    images = {f"p{i}": drawing(i) for i in range(30)}
    return images, *room(images, "grabcut", extra=[Crop("gone", "a", False)])


@pytest.mark.slow
def test_grabcut_keeps_colours_and_alpha(by_grabcut):
    images, mattes, out = by_grabcut
    assert list(mattes.columns) == MATTES.columns
    assert mattes.id.tolist() == list(images)  # "gone" had no face
    assert set(mattes.session) == {"grabcut"}
    for row in mattes.itertuples():
        cutout = read_png(out / f"{row.id}.png")
        np.testing.assert_array_equal(cutout[..., :3], images[row.id])
        assert cutout[32, 32, 3] == 255
        assert cutout[4, 4, 3] == 0
        assert row.coverage == pytest.approx(cutout[..., 3].mean() / 255, abs=1e-4)


def test_two_processes_write_the_same_bytes(room, by_grabcut):
    images, *one = by_grabcut
    two = room(images, "grabcut", workers=2)
    assert one[0].to_csv() == two[0].to_csv()
    digests = [
        [hashlib.sha256(path.read_bytes()).digest() for path in sorted(out.iterdir())]
        for out in (one[1], two[1])
    ]
    assert digests[0] == digests[1]


def test_none_keeps_everything(room):
    mattes, out = room({"p": drawing(1)}, "none")
    assert mattes.coverage.tolist() == [1]
    assert mattes.reason.tolist() == [""]
    assert (read_png(out / "p.png")[..., 3] == 255).all()


def field(number, value):
    """One field of a protocol buffer."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    value = value.encode() if isinstance(value, str) else value
    size = len(value)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + length + value


def brightest_channel(side=None):
    """An ONNX network, byte by byte: the largest of three channels, as u2netp's output.

    It takes pictures of `side` pixels, or of any.
    """
    height_width = [field(1, field(1, side))] * 2 if side else [field(1, field(2, x)) for x in "hw"]
    shape = b"".join([field(1, field(2, "n")), field(1, field(2, "c")), *height_width])
    tensor = field(2, field(1, field(1, 1) + field(2, shape)))  # float, of any shape
    axes = field(1, "axes") + field(8, 1) + b"\xa0\x01\x07"  # field 20: 7, a list of integers
    node = field(1, "x") + field(2, "y") + field(4, "ReduceMax")
    node += field(5, axes)
    graph = field(1, node) + field(2, "g")
    graph += field(11, field(1, "x") + tensor) + field(12, field(1, "y") + tensor)
    return field(1, 6) + field(7, graph) + field(8, field(1, "") + field(2, 11))


def test_rembg_model_by_name_runs_from_the_weights_folder(room):
    """Nothing is downloaded: the file lies where rembg looks first."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:48, 16:48] = 255
    mattes, out = room({"p": picture}, "u2netp", model=brightest_channel())
    assert mattes.session.tolist() == ["u2netp"]
    alpha = read_png(out / "p.png")[..., 3]
    assert alpha[32, 32] > 250
    assert alpha[4, 4] < 5


def test_selfie_runs_from_its_file_and_sees_red_green_blue(room):
    """A tiny network of its format says how red the picture is."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:48, 16:48] = 200, 100, 50
    mattes, out = room({"p": picture}, "selfie", model=red_channel())
    assert mattes.session.tolist() == ["selfie"]
    alpha = read_png(out / "p.png")[..., 3]
    assert (alpha[32, 32], alpha[4, 4]) == (200, 0)


def onnx(**changes):
    return Onnx(
        **dict(file="onnx.onnx", size=64, mean=(0, 0, 0), std=(1, 1, 1), channel=0)
        | dict(activation="none", mirror=False)
        | changes
    )


def square():
    """White on the left half of a black picture's middle."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:48, 8:32] = 255
    return picture


def test_any_onnx_network_by_parameters_alone(room):
    mattes, out = room({"p": square()}, "onnx", model=brightest_channel(), onnx=onnx())
    assert mattes.session.tolist() == ["onnx"]
    np.testing.assert_array_equal(read_png(out / "p.png")[..., 3], square()[..., 0])


def test_onnx_mean_deviation_and_activation(room):
    told = onnx(mean=(0.5, 0.5, 0.5), std=(0.1, 0.1, 0.1), activation="sigmoid")
    _, out = room({"p": square()}, "onnx", model=brightest_channel(), onnx=told)
    alpha = read_png(out / "p.png")[..., 3]
    assert (alpha[32, 16], alpha[4, 4]) == (253, 2)  # 255 / (1 + e^-5) and 255 / (1 + e^5)


def test_onnx_mirror_takes_the_mean_of_both_views(room):
    _, out = room({"p": square()}, "onnx", model=brightest_channel(), onnx=onnx(mirror=True))
    np.testing.assert_array_equal(read_png(out / "p.png")[..., 3], square()[..., 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channel": 2}, "matte.onnx.channel 2.*0 to 0"),
        ({"mean": (0.5, 0.5, 0.5)}, "matte.onnx.activation 'none'.*-0.5 to 0.5.*sigmoid"),
    ],
)
def test_onnx_described_wrongly(room, changes, message):
    with pytest.raises(UserError, match=message):
        room({"p": square()}, "onnx", model=brightest_channel(), onnx=onnx(**changes))


def test_onnx_size_that_the_network_does_not_take(room):
    with pytest.raises(UserError, match=r"matte.onnx.size 32: onnx.onnx takes pictures of shape"):
        room({"p": square()}, "onnx", model=brightest_channel(side=64), onnx=onnx(size=32))


def test_a_crop_that_the_session_fails_on_ends_no_run(room, monkeypatch):
    def predict(self, image):
        if image.getpixel((0, 0))[0] == 255:
            raise RuntimeError("Ort: bad node\nmore")
        return [image.convert("L")]

    monkeypatch.setattr(GrabCut, "predict", predict)
    good, bad = np.full((2, 64, 64, 3), 200, np.uint8)
    bad[0, 0] = 255
    mattes, out = room({"a": good, "b": bad}, "grabcut")
    assert mattes["kept"].tolist() == [1, 0]
    assert mattes["reason"].tolist()[1] == "cannot be examined (RuntimeError: Ort: bad node)"
    assert [path.name for path in out.iterdir()] == ["a.png"]
    with pytest.raises(UserError, match=r"matte.session grabcut: it works on none of the 1 crops"):
        room({"b": bad}, "grabcut")


@pytest.mark.parametrize(
    ("covered", "drop", "kept", "reason", "flags"),
    [
        (0.02, (), 0, "almost nothing left of the person", ""),
        (0.07, (), 1, "", "small"),
        (0.07, ("small",), 0, "flagged: small", "small"),
        (0.5, ("small", "large"), 1, "", ""),
        (0.98, (), 1, "", "large"),
        (0.98, ("small",), 1, "", "large"),
    ],
)
def test_doubtful_cutouts(room, covered, drop, kept, reason, flags):
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[: round(64 * covered)] = 255
    mattes, out = room({"p": picture}, "onnx", model=brightest_channel(), onnx=onnx(), drop=drop)
    row = mattes.iloc[0]
    assert (row["kept"], row["reason"], row["flags"]) == (kept, reason, flags)
    assert (out / "p.png").exists() == bool(kept)
