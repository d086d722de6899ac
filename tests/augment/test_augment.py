import multiprocessing
import os
import shutil
from collections import namedtuple
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from stages.augment import augment as room
from stages.augment import half_done
from stages.augment.augment import augment
from stages.augment.render import prepare, warp
from stages.augment.transform import COLUMNS, matrices
from stages.common.closure import closure
from stages.common.errors import UserError
from stages.common.images import read_png, write_png
from stages.records.folders import picture, pictures
from stages.records.look import Look
from stages.records.params import Augment
from stages.records.shards import Shards
from stages.records.splits import PARTS, Assignment

CLASSES = ["old", "young"]  # not the order of the photos


def params(**changes) -> Augment:
    values = dict(copies=5, size=24, channels="rgb", background=(10, 200, 90), rotation=40)
    values |= dict(shift=0.2, shear=0.2, zoom=0.2, flip=True, seed=7)
    return Augment(**values | changes)


def look(**changes) -> Look:
    values = params(**changes)
    return Look(values.size, values.channels, values.background)


def cutout(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.integers(0, 256, (6, 6, 4), dtype=np.uint8), (48, 48))
    picture[:8, :, 3], picture[20:30, 20:30, 3] = 0, 255
    return picture


@pytest.fixture
def photos(tmp_path):
    """(rows of splits.csv, folder of cut-outs): 10 train, 4 val, 4 test and 2 wild photos."""
    ids = [f"{7 * n + 1:016x}" for n in range(20)]
    parts = ["train"] * 10 + ["val"] * 4 + ["test"] * 4 + ["wild"] * 2
    splits = [
        Assignment(id, ["young", "old"][n % 2], "", id, id, part)
        for n, (id, part) in enumerate(zip(ids, parts, strict=True))
    ]
    mattes = tmp_path / "mattes"
    pictures(mattes).mkdir(parents=True)
    for seed, id in enumerate(ids):
        write_png(picture(mattes, id), cutout(seed))
    return splits, mattes


@pytest.fixture
def serial(monkeypatch):
    """No worker processes: they take a second to start, and a test of their own covers them."""
    monkeypatch.setattr(room, "map_cores", lambda function, blocks, **_: map(function, blocks))


def everything(folder) -> dict[str, bytes]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_numbers_are_written_where_every_photo_has_one(serial, photos, tmp_path):
    splits, mattes = photos
    splits = [replace(photo, value=n + 0.5) for n, photo in enumerate(splits)]
    splits[15] = replace(splits[15], value=None)  # of test
    augment(splits, mattes, tmp_path / "out", params(), CLASSES)
    parts = {part: Shards(tmp_path / "out" / part).values for part in ("train", "val", "test")}
    assert parts["train"].dtype == np.float32
    np.testing.assert_array_equal(parts["train"], np.tile(np.arange(10) + 0.5, 5))
    np.testing.assert_array_equal(parts["val"], np.arange(10, 14) + 0.5)
    assert parts["test"] is None


def test_persons_are_numbers_that_mean_the_same_in_every_part(serial, photos, tmp_path):
    splits, mattes = photos
    named = {0: "zoe", 1: "bea", 2: "zoe", 10: "zoe", 11: "ann", 14: "bea"}  # 14 is of test
    splits = [replace(photo, person=named.get(n, "")) for n, photo in enumerate(splits)]
    augment(splits, mattes, tmp_path / "out", params(), CLASSES)
    parts = {part: Shards(tmp_path / "out" / part).persons for part in PARTS}
    assert parts["train"].dtype == np.int32
    assert list(parts["train"]) == [2, 1, 2, *[-1] * 7] * 5
    assert list(parts["val"]) == [2, 0, -1, -1]
    assert list(parts["test"]) == [1, -1, -1, -1]
    assert parts["wild"] is None
    assert b"zoe" not in b"".join(everything(tmp_path / "out").values())


def test_train_is_copied_and_the_rest_is_the_plain_resize(serial, photos, tmp_path):
    splits, mattes = photos
    augment(splits, mattes, tmp_path / "out", params(), CLASSES)
    for part, copies in dict(train=5, val=1, test=1, wild=1).items():
        shards = Shards(tmp_path / "out" / part)
        ids = [photo.id for photo in splits if photo.part == part]
        labels = [CLASSES.index(photo.label) for photo in splits if photo.part == part]
        plain = np.stack([prepare(read_png(picture(mattes, id)), look()) for id in ids])
        shown = shards.read(np.arange(len(shards)))
        assert shards.shape == (len(ids) * copies, 24, 24, 3)
        np.testing.assert_array_equal(shown[: len(ids)], plain)  # copy 0
        np.testing.assert_array_equal(shards.labels, labels * copies)
        index = shards.index()
        assert list(index.columns) == ["id", "copy", *COLUMNS]
        assert list(index["id"]) == ids * copies
        assert list(index["copy"]) == list(np.repeat(range(copies), len(ids)))
        for row in range(len(ids), len(shards)):
            difference = np.abs(shown[row] - plain[row % len(ids)].astype(int)).mean()
            assert difference > 3  # all the other copies are transformed


def test_the_index_says_how_each_picture_was_made(serial, photos, tmp_path):
    splits, mattes = photos
    augment(splits, mattes, tmp_path / "out", params(), CLASSES)
    train = Shards(tmp_path / "out/train")
    warps = matrices(train.index()[list(COLUMNS)].to_numpy(), 24)
    found = train.read(np.arange(50))
    for row, shown in enumerate(found):
        again = np.empty_like(shown)
        warp(found[row % 10], warps[row], again)
        assert np.abs(again.astype(int) - shown).max() <= 3  # the index keeps 6 digits


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        (dict(rotation=40), ["rotation"]),
        (dict(shift=0.2), ["shift_x", "shift_y"]),
        (dict(shear=10), ["shear"]),
        (dict(zoom=0.2), ["zoom_x", "zoom_y"]),
        (dict(flip=True), ["flip"]),
        (dict(seed=8), []),
    ],
)
def test_each_parameter_moves_its_own_columns_alone(serial, photos, tmp_path, change, moved):
    splits, mattes = photos
    still = dict(rotation=0, shift=0, shear=0, zoom=0, flip=False)
    augment(splits, mattes, tmp_path / "out", params(**still | change), CLASSES)
    copies = Shards(tmp_path / "out/train").index().iloc[10:][list(COLUMNS)]
    assert [name for name in COLUMNS if copies[name].nunique() > 1] == moved
    for name in moved:
        middle = copies[name] - (name.startswith("zoom"))
        most = change[name.partition("_")[0]]
        assert middle.abs().max() <= most and middle.max() > most / 2


def test_any_number_of_processes_writes_the_same_bytes(photos, tmp_path):
    splits, mattes = photos
    for workers in (1, 2):
        augment(splits, mattes, tmp_path / f"{workers}", params(), CLASSES, workers=workers)
    assert everything(tmp_path / "1") == everything(tmp_path / "2")


def test_another_photo_does_not_change_the_others_copies(serial, photos, tmp_path):
    splits, mattes = photos
    augment(splits, mattes, tmp_path / "all", params(), CLASSES)
    augment(splits[1:], mattes, tmp_path / "less", params(), CLASSES)
    everyone, less = Shards(tmp_path / "all/train"), Shards(tmp_path / "less/train")
    known = everyone.index()["id"] != splits[0].id
    np.testing.assert_array_equal(
        everyone.read(np.flatnonzero(known)), less.read(np.arange(len(less)))
    )


@pytest.mark.parametrize(
    ("background", "alpha", "colour"),
    [
        ((10, 200, 90), 0, (10, 200, 90)),
        ((10, 200, 90), 255, (250, 100, 0)),
        ((10, 200, 90), 128, (130, 150, 45)),  # (250 * 128 + 10 * 127) / 255 = 130.47, ...
        ("keep", 0, (250, 100, 0)),
        ("keep", 128, (250, 100, 0)),
    ],
)
def test_background_stands_behind_the_cutout(background, alpha, colour):
    drawn = np.full((48, 48, 4), (250, 100, 0, alpha), np.uint8)
    got = prepare(drawn, look(background=background))
    np.testing.assert_array_equal(got, np.full((24, 24, 3), colour, np.uint8))


@pytest.mark.parametrize(("size", "channels"), [(24, "rgb"), (40, "gray"), (60, "rgb")])
def test_compositing_is_exact_to_a_level(size, channels):
    """Beside the same in floats: blend, shrink, and only then round."""
    picture, behind = cutout(1), params().background
    alpha = picture[..., 3:] / 255
    blended = (picture[..., :3] * alpha + np.array(behind) * (1 - alpha)).astype(np.float32)
    method = cv2.INTER_AREA if size < 48 else cv2.INTER_LINEAR
    exact = cv2.resize(blended, (size, size), interpolation=method)
    if channels == "gray":
        exact = exact @ np.float32([[0.299], [0.587], [0.114]])
    difference = prepare(picture, look(size=size, channels=channels)) - exact
    assert np.abs(difference).max() < 1.6
    assert abs(difference.mean()) < 0.2


def test_blends_before_it_shrinks():
    """Beside the hair, half-covered pixels take the background's colour, not the hidden one's."""
    picture = np.zeros((48, 48, 4), np.uint8)
    picture[:, :, 0] = 255  # red all over, also where nothing shows
    picture[:, ::2, 3] = 255
    got = prepare(picture, look(background=(0, 0, 255)))
    np.testing.assert_allclose(got, np.full((24, 24, 3), (127.5, 0, 127.5)), atol=1)


def test_grey_has_one_channel(serial, photos, tmp_path):
    splits, mattes = photos
    grey = params(channels="gray", background="keep")
    augment(splits, mattes, tmp_path / "out", grey, CLASSES)
    train = Shards(tmp_path / "out/train")
    assert train.shape == (50, 24, 24, 1)
    rgb = prepare(read_png(picture(mattes, splits[0].id)), look(background="keep"))
    np.testing.assert_allclose(
        train.read(np.array([0]))[0, ..., 0], rgb @ [0.299, 0.587, 0.114], atol=1
    )


def test_no_wild_photos_are_an_empty_part(serial, photos, tmp_path):
    splits, mattes = photos
    splits = [photo for photo in splits if photo.part != "wild"]
    augment(splits, mattes, tmp_path / "out", params(channels="gray"), CLASSES)
    wild = Shards(tmp_path / "out/wild")
    assert wild.shape == (0, 24, 24, 1)
    assert wild.labels.dtype == np.int64
    assert len(wild.index()) == 0


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_class_that_a_part_lacks_is_named(serial, photos, tmp_path, part):
    splits, mattes = photos
    splits = [photo for photo in splits if (photo.part, photo.label) != (part, "old")]
    with pytest.raises(UserError, match=f"part {part} has no photo of class old"):
        augment(splits, mattes, tmp_path / "out", params(), CLASSES)


def test_a_class_that_params_lack_is_named(serial, photos, tmp_path):
    splits, mattes = photos
    with pytest.raises(UserError, match="young"):
        augment(splits, mattes, tmp_path / "out", params(), ["old", "middle"])


def test_refuses_before_writing_when_the_disk_is_too_small(serial, photos, tmp_path, monkeypatch):
    splits, mattes = photos
    usage = namedtuple("usage", "total used free")
    bytes_needed = (50 + 10) * 24 * 24 * 3
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, bytes_needed - 1))
    with pytest.raises(UserError, match=r"needs 0 MB but its disk has 0 MB free.*copies"):
        augment(splits, mattes, tmp_path / "out", params(), CLASSES)
    assert everything(tmp_path / "out") == {}


@pytest.fixture
def stopped(serial, photos, tmp_path, monkeypatch):
    """(splits, mattes, out) of a run that was stopped after two of its five blocks."""
    splits, mattes = photos
    stop(monkeypatch, 2, KeyboardInterrupt, splits, mattes, tmp_path / "out")
    return splits, mattes, tmp_path / "out"


def stop(monkeypatch, blocks, error, splits, mattes, out):
    def broken(function, todo, **_):
        yield from map(function, todo[:blocks])
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(room, "map_cores", broken)
        with pytest.raises(type(error) if isinstance(error, OSError) else error):
            augment(splits, mattes, out, params(), CLASSES)


def goes_on(splits, mattes, out, params) -> int:
    """How many blocks the next run does not render again; its bytes are an undisturbed run's."""
    rendered: list[int] = []

    def counted(function, blocks, **_):
        rendered.append(len(blocks))
        return map(function, blocks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "map_cores", counted)
        augment(splits, mattes, out, params, CLASSES)
        augment(splits, mattes, out.with_name("fresh"), params, CLASSES)
    assert everything(out) == everything(out.with_name("fresh"))
    return rendered[1] - rendered[0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_interrupted_it_shows_nothing_and_goes_on(serial, photos, tmp_path, monkeypatch, error):
    splits, mattes = photos
    for blocks in (2, 1):  # and once more, on the way
        stop(monkeypatch, blocks, error, splits, mattes, tmp_path / "out")
        assert [path.name for path in (tmp_path / "out").iterdir()] == [".half.part"]
    assert goes_on(splits, mattes, tmp_path / "out", params()) == 3


def test_goes_on_when_only_the_renaming_was_left(serial, photos, tmp_path, monkeypatch):
    splits, mattes = photos
    stop(monkeypatch, 5, KeyboardInterrupt, splits, mattes, tmp_path / "out")
    assert goes_on(splits, mattes, tmp_path / "out", params()) == 5


def test_begins_anew_when_the_renaming_was_cut_short(stopped, monkeypatch):
    splits, mattes, out = stopped

    def cut_short(source, target):
        Path(source).rename(target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", cut_short)
        with pytest.raises(KeyboardInterrupt):
            augment(splits, mattes, out, params(), CLASSES)
    assert goes_on(splits, mattes, out, params()) == 0


@pytest.mark.parametrize(
    "change",
    [
        dict(rotation=39),
        dict(copies=6),
        dict(size=25),
        dict(channels="gray"),
        dict(background="keep"),
        dict(seed=8),
    ],
)
def test_another_parameter_begins_anew(stopped, change):
    assert goes_on(*stopped, params(**change)) == 0


@pytest.mark.parametrize(
    "edit",
    [
        lambda splits: splits[1:],
        lambda splits: splits[::-1],
        lambda splits: exchange(splits, "label", {"old": "young", "young": "old"}),
        lambda splits: exchange(splits, "part", {"val": "test", "test": "val"}),
        lambda splits: [replace(photo, value=1.5) for photo in splits],
    ],
)
def test_other_photos_begin_anew(stopped, edit):
    splits, mattes, out = stopped
    assert goes_on(edit(splits), mattes, out, params()) == 0


def exchange(splits, name, names):
    return [
        replace(photo, **{name: names.get(getattr(photo, name), getattr(photo, name))})
        for photo in splits
    ]


def test_other_code_begins_anew(stopped, tmp_path, monkeypatch):
    (tmp_path / "new.py").write_text("")
    monkeypatch.setattr(half_done, "closure", lambda name: [*closure(name), tmp_path / "new.py"])
    assert goes_on(*stopped, params()) == 0


def test_another_opencv_begins_anew(stopped, monkeypatch):
    real = metadata.version
    newer = {"opencv-python-headless": "4.99"}
    monkeypatch.setattr(metadata, "version", lambda name: newer.get(name) or real(name))
    assert goes_on(*stopped, params()) == 0


def test_another_order_of_classes_begins_anew(stopped, monkeypatch):
    monkeypatch.setattr(f"{__name__}.CLASSES", CLASSES[::-1])
    assert goes_on(*stopped, params()) == 0


def test_begins_anew_when_its_removal_was_cut_short(stopped, monkeypatch):
    """Another run begins to clear away what this one left, and is killed before its end."""
    splits, mattes, out = stopped

    def cut_short(folder):
        (folder / "train/labels.npy").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", cut_short)
        with pytest.raises(KeyboardInterrupt):
            augment(splits, mattes, out, params(seed=8), CLASSES)
    assert goes_on(splits, mattes, out, params()) == 0


def test_a_block_with_another_cutout_is_rendered_again(stopped):
    splits, mattes, _ = stopped
    name = picture(mattes, splits[9].id)  # in the second block, which was done
    before = name.stat()
    write_png(name, cutout(99))
    os.utime(name, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert goes_on(*stopped, params()) == 1


def test_a_record_that_was_cut_short_is_not_believed(stopped):
    record = stopped[2] / ".half.part/done"
    record.write_bytes(record.read_bytes()[:-9])
    assert goes_on(*stopped, params()) == 1


def test_needs_disk_only_for_what_is_left(stopped, monkeypatch):
    usage = namedtuple("usage", "total used free")
    left = (4 + 4 + 2) * (24 * 24 * 3 + 101)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, left - 1))
    with pytest.raises(UserError, match="free some space"):
        augment(*stopped, params(), CLASSES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, left))
    augment(*stopped, params(), CLASSES)


def test_a_failed_run_keeps_the_former_shards(photos, tmp_path):
    splits, mattes = photos
    former = tmp_path / "out/train/former"
    former.parent.mkdir(parents=True)
    former.write_bytes(b"made before")
    picture(mattes, splits[3].id).write_bytes(b"no picture")
    with pytest.raises(OSError, match="not a readable PNG"):
        augment(splits, mattes, tmp_path / "out", params(), CLASSES, workers=1)
    assert everything(tmp_path / "out/train") == {"former": b"made before"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"train", ".half.part"}
    assert multiprocessing.active_children() == []
