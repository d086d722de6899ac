"""What README.md, CONTRIBUTING.md and docs/ name is there, and nothing is said twice."""

import re
from collections import Counter
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
DOCUMENTS = [REPO / "README.md", REPO / "CONTRIBUTING.md", *sorted(REPO.glob("docs/*.md"))]
FOLDERS = "app|benchmarks|docs|experiments|stages|tests"


def anchor(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(document):
    for target, _, fragment in re.findall(
        r"\]\((?!\w+:)([^)#]*)(#([^)]*))?\)", document.read_text()
    ):
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert fragment in map(anchor, headings), f"{target}#{fragment}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_named_file_module_and_target_is_there(document):
    text = document.read_text()
    for path in re.findall(rf"(?<![\w/.])(?:{FOLDERS})/[\w/.]+", text):
        assert (REPO / path.rstrip("./")).exists(), path
    for module in re.findall(r"python -m ((?:app|benchmarks|experiments|stages)[\w.]*)", text):
        path = REPO / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    targets = re.findall(r"^([a-z]+):", (REPO / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"`make ([a-z]+)`", text)) <= {*targets}


def test_the_readme_is_short():
    assert len((REPO / "README.md").read_text().splitlines()) <= 130


def test_no_row_of_figures_is_in_two_places():
    rows = Counter(
        line
        for document in DOCUMENTS
        for line in document.read_text().splitlines()
        if line.startswith("|") and re.search(r"\d", line)
    )
    assert [row for row, times in rows.items() if times > 1] == []
