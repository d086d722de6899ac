"""rembg, imported without the compiler that its first import else starts."""

import os
from types import ModuleType


def import_rembg() -> ModuleType:
    """The module `rembg`."""
    # Else the first import takes most of a minute: it compiles what nothing here calls.
    os.environ.setdefault("NUMBA_DISABLE_JIT", "1")
    import rembg

    return rembg
