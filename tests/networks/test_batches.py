import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.networks.batches import Batches


class Rows:
    """Stands in for shards: picture i is the number i."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def read(self, rows):
        return rows.astype(np.uint8)


def epoch(batches):
    seen = [batches[i] for i in range(len(batches))]
    batches.on_epoch_end()
    return np.concatenate([x for x, _ in seen]), np.concatenate([y for _, y in seen])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 50), st.integers(1, 250), st.integers(0, 5))
def test_every_row_is_seen_once_before_any_is_seen_twice(n, batch_size, per_epoch, seed):
    batches = Batches(
        Rows(n), np.arange(n), batch_size, shuffle_seed=seed, samples_per_epoch=per_epoch
    )
    seen = []
    while len(seen) < 3 * n:
        x, y = epoch(batches)
        assert len(x) == min(per_epoch, n)
        np.testing.assert_array_equal(x, y)  # each picture with its own target
        seen.extend(x)
    for start in range(0, 3 * n, n):
        assert sorted(seen[start : start + n]) == list(range(n))


def test_validation_is_whole_and_in_order():
    batches = Batches(Rows(10), np.arange(10), 4)
    for _ in range(2):
        np.testing.assert_array_equal(epoch(batches)[0], np.arange(10))


def test_shuffling_leaves_no_trace_of_the_shards():
    """Neighbours on disk are strangers in a batch: a batch's rows spread over all of them."""
    n, batch = 200, 40
    batches = Batches(Rows(n), np.arange(n), batch, shuffle_seed=0)
    for i in range(len(batches)):
        quarter = np.bincount(batches[i][0] // 50, minlength=4)
        assert quarter.min() >= 3, quarter
