"""python -m app photo.jpg [...]: what the champion of each task says about each photo.

Where a task has no champion its challenger answers, and what kept it from the place is said.
Reads data/promote; writes nothing and opens no port.
"""

import argparse
import sys
from pathlib import Path

from app.chain import MAX_BYTES, UNSURE, Answer, Chain
from stages.common.door import enter
from stages.common.errors import UserError
from stages.common.files import read_json

PROMOTED = Path("data/promote")


def main(photos: list[Path]) -> None:
    chains = load_chains(PROMOTED)
    for photo in photos:
        print(f"{photo}")
        data = _read(photo)
        for chain, doubt in chains:
            said = [*_words(chain.answer(data)), *([doubt] if doubt else [])]
            print(f"  {chain.settings['title']}: " + "\n    ".join(said))


def load_chains(promoted: Path) -> list[tuple[Chain, str]]:
    """Each task's champion with "", or its challenger with what to know about it.

    Raises `UserError` where there is none.
    """
    folders = sorted(path.parent for path in promoted.glob("*/promotion.json"))
    if not folders:
        raise UserError(f"no network in {promoted}: run `dvc pull` or `dvc repro` first")
    return [_chain(folder) for folder in folders]


def _chain(folder: Path) -> tuple[Chain, str]:
    if (folder / "champion").is_dir():
        return Chain(folder / "champion"), ""
    gates = read_json(folder / "promotion.json")["gates"]
    failed = ", ".join(gate["gate"] for gate in gates if not gate["passed"])
    doubt = f"warning: not promoted, its network did not pass: {failed}"
    return Chain(folder / "challenger"), doubt


def _read(photo: Path) -> bytes:
    """At most one byte more than a chain takes, so that a huge file fills no memory."""
    try:
        with photo.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{photo}: {error.strerror}") from error


def _words(answer: Answer) -> list[str]:
    """Lines for people: the answer, then its warnings."""
    warnings = [f"warning: {warning}" for warning in answer.warnings]
    if answer.label is None:
        return [f"no answer: {answer.reason}", *warnings]
    said = f"{answer.title} ({answer.confidence:.0%})"
    if answer.answer == UNSURE:
        said = f"unsure; likeliest {said}"
    if answer.value is not None:
        said += f", {answer.value:.1f}"
    return [said, *warnings]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m app", description=__doc__.splitlines()[0])
    parser.add_argument("photo", nargs="+", type=Path)
    arguments = parser.parse_args(sys.argv[1:])
    enter(lambda: main(arguments.photo))
