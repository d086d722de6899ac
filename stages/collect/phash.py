"""A perceptual hash: resized, recompressed or retouched copies differ in few bits."""

import cv2
import numpy as np


def phash(image: np.ndarray) -> str:
    """(H, W, 3) `uint8` RGB -> 64 bits as 16 hexadecimal digits.

    The picture is shrunk to 32 x 32 grey pixels. The bits say which of the 8 x 8 lowest
    frequencies of its cosine transform are above their median. Source: pHash, as described by Neal
    Krawetz, "Looks Like It" (2011),
    https://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    low = cv2.dct(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA))[:8, :8]
    return np.packbits(low > np.median(low)).tobytes().hex()
