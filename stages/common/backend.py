"""Keras and its backend, imported without the page TensorFlow writes about CUDA on every start."""

import os
import sys
import tempfile
from types import ModuleType


def import_keras() -> ModuleType:
    """The module `keras`. What its import writes to stderr is shown only if the import fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors about missing GPUs are no errors
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)  # C++ writes to the descriptor, not to sys.stderr
        try:
            import keras
        except BaseException:
            noise.seek(0)
            os.write(stderr, noise.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
    return keras
