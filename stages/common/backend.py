"""Keras and its backend, imported without the page TensorFlow writes about CUDA on every start."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def import_keras() -> ModuleType:
    """The module `keras`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors about missing GPUs are no errors
    with silent_stderr():
        import keras
    return keras


@contextmanager
def silent_stderr() -> Iterator[None]:
    """What is written to stderr in the meantime is shown only if the block fails."""
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)  # C++ writes to the descriptor, not to sys.stderr
        try:
            yield
        except BaseException:
            noise.seek(0)
            os.write(stderr, noise.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
