from msgspec.structs import replace

from stages.promote.model_card import SLICES, _slices
from tests.promote import mini
from tests.promote.test_gates import slice_with


def test_the_card_shows_the_slices_that_lack_most():
    gaps = [-0.1 * number for number in (3, 1, 4, 9, 2, 6, 5, 8, 7, 0)]
    rows = [replace(slice_with(gap, gap), value=str(gap)) for gap in gaps]
    shown = _slices(mini.exam(slices=tuple(rows)))
    assert [each.gap for each in shown] == sorted(gaps)[:SLICES]
