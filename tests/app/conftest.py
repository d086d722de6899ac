import shutil
from pathlib import Path

import pytest

from tests.promote import mini


@pytest.fixture(scope="session")
def promoted(tmp_path_factory) -> Path:
    """A project with a champion; tests only read it, or take a copy."""
    from stages.promote.__main__ import main

    root = tmp_path_factory.mktemp("promoted") / "project"
    shutil.copytree(mini.shared(tmp_path_factory), root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        mini.write_network(0.9, "4", wrong=5)
        main(mini.TASK)
    assert (root / "data/promote" / mini.TASK / "champion").is_dir()
    return root


@pytest.fixture
def copy(promoted, tmp_path) -> Path:
    root = tmp_path / "copy"
    shutil.copytree(promoted, root)
    return root
