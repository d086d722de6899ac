"""What a server does so that large photos leave no traces in its memory."""

import ctypes
from contextlib import suppress

LARGE = 2**20  # bytes
M_MMAP_THRESHOLD = -3  # of glibc's malloc.h


def give_back() -> None:
    """From now on large blocks go back to the system as soon as they are free.

    Without that, glibc keeps the largest photo that each thread has answered: 300 MB or more.
    """
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)
