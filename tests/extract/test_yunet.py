import numpy as np
import pytest

from stages.extract.yunet import YuNet


@pytest.mark.slow
def test_small_or_narrow_pictures_of_nothing_show_no_face(real_yunet):
    """OpenCV's network would read memory that nobody has written, so other pictures come before."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        network = YuNet(real_yunet, 0.6)
        network.detect(rng.integers(0, 256, (*rng.integers(16, 300, 2), 3), dtype=np.uint8))
        for shape in ((16, 16), (20, 20), (16, 320), (32, 320), (640, 32), (2000, 100)):
            assert not network.detect(np.zeros((*shape, 3), np.uint8)), shape
