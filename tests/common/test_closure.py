"""The import closure: what a module's behaviour depends on, and nothing else."""

import pytest

from stages.common import closure as closure_module
from stages.common.closure import closure


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A package `stages` of small modules; returns a function that names a closure's files."""
    monkeypatch.setattr(closure_module, "ROOT", tmp_path)
    closure_module._imported.cache_clear()
    files = {
        "stages/room/__init__.py": "",
        "stages/room/verb.py": (
            "import os\n"
            "from typing import TYPE_CHECKING\n"
            "from stages.common.errors import UserError\n"
            "from stages.room import helper\n"
            "if TYPE_CHECKING:\n    from stages.room.typed import T\n"
            "def f():\n    from stages.room.late import late\n"
        ),
        "stages/room/helper.py": "import stages.other.deep\n",
        "stages/room/late.py": "",
        "stages/room/typed.py": "",
        "stages/room/unused.py": "",
        "stages/other/__init__.py": "from stages.room import verb\n",
        "stages/other/deep.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    yield lambda *names: [str(path.relative_to(tmp_path)) for path in closure(*names)]
    closure_module._imported.cache_clear()


def test_imports_are_followed_but_not_those_for_type_checkers(repository):
    assert repository("stages.room.verb") == [
        "stages/other/__init__.py",
        "stages/other/deep.py",
        "stages/room/__init__.py",
        "stages/room/helper.py",
        "stages/room/late.py",
        "stages/room/verb.py",
    ]


def test_a_module_that_is_not_there_is_an_error(repository):
    with pytest.raises(ModuleNotFoundError, match=r"stages\.room\.gone"):
        repository("stages.room.gone")
