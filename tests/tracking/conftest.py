from tests.promote.conftest import project

__all__ = ["project"]
