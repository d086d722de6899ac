import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.errors import UserError
from stages.records import shards
from stages.records.shards import Shards, Writer

PICTURES = np.random.default_rng(0).integers(0, 256, (23, 5, 4, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """23 pictures in shards of 4, written out of order by blocks of 3."""
    folder = tmp_path_factory.mktemp("train")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_BYTES", 4 * PICTURES[0].nbytes)
        shards.create(folder, PICTURES.shape)
    with Writer(folder) as writer:
        for start in reversed(range(0, 23, 3)):
            writer.write(start, PICTURES[start : start + 3])
    np.save(folder / "labels.npy", np.arange(23) % 2)
    ids = [f"{number:016}" for number in range(23)]
    (folder / "index.csv").write_text("id,copy\n" + "".join(f"{id},0\n" for id in ids))
    return folder


def test_knows_its_shape_labels_and_index(folder):
    part = Shards(folder)
    assert len(list(folder.glob("images-*.npy"))) == 6
    assert part.shape == (23, 5, 4, 3)
    assert all(type(side) is int for side in part.shape)
    assert len(part) == 23
    assert part.labels.dtype == np.int64
    assert part.index()["id"][7] == "0000000000000007"  # text: no leading zero is lost


@given(st.lists(st.integers(0, 22), max_size=40))
def test_reads_any_rows_in_the_order_asked(folder, rows):
    got = Shards(folder).read(np.array(rows, dtype=int))
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, PICTURES[rows])


@pytest.mark.parametrize("row", [-1, 23])
def test_refuses_a_row_it_has_not(folder, row):
    with pytest.raises(IndexError, match="22"):
        Shards(folder).read(np.array([0, row]))


def test_one_write_across_many_shards(folder):
    with Writer(folder) as writer:
        writer.write(2, PICTURES[2:20])
    np.testing.assert_array_equal(Shards(folder).read(np.arange(23)), PICTURES)


def test_no_pictures_are_shards_too(tmp_path):
    shards.create(tmp_path, (0, 8, 8, 1))
    with Writer(tmp_path) as writer:
        writer.write(0, np.zeros((0, 8, 8, 1), np.uint8))
    np.save(tmp_path / "labels.npy", np.zeros(0, np.int64))
    assert Shards(tmp_path).read(np.array([], dtype=int)).shape == (0, 8, 8, 1)


def test_a_shard_holds_about_64_mb(tmp_path):
    shards.create(tmp_path, (4000, 200, 200, 1))  # sparse: costs no disk
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) == 3
    assert 60e6 < sizes[0] < 68e6


def test_says_when_a_folder_is_none(tmp_path):
    with pytest.raises(UserError, match=r"not a folder of shards.*images-00000.npy"):
        Shards(tmp_path)
    (tmp_path / "images-00000.npy").write_bytes(b"")
    with pytest.raises(UserError, match=r"not a folder of shards"):
        Shards(tmp_path)
    shards.create(tmp_path, (3, 8, 8, 1))
    with pytest.raises(UserError, match=r"labels.npy"):
        Shards(tmp_path)
    np.save(tmp_path / "labels.npy", np.zeros(2, np.int64))
    with pytest.raises(UserError, match=r"3 pictures but 2 labels"):
        Shards(tmp_path)
    np.save(tmp_path / "labels.npy", np.zeros(3, np.int64))
    assert Shards(tmp_path).values is None
    np.save(tmp_path / "values.npy", np.zeros(4, np.float32))
    with pytest.raises(UserError, match=r"3 pictures but 4 values"):
        Shards(tmp_path)
    (tmp_path / "values.npy").unlink()
    assert Shards(tmp_path).persons is None
    np.save(tmp_path / "persons.npy", np.zeros(4, np.int32))
    with pytest.raises(UserError, match=r"3 pictures but 4 persons"):
        Shards(tmp_path)
