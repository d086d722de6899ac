"""python -m app photo.jpg [...]: the answers of each task's champion to each photo.

Where a task has no champion its challenger answers, with a warning that names the gates it failed.
Reads data/promote; writes nothing and opens no port.
"""

import argparse
from pathlib import Path

from app.chain import Answer, Chain
from stages.common.door import enter
from stages.common.errors import UserError
from stages.common.images import MAX_BYTES
from stages.records.chain import ORIGIN
from stages.records.folders import of_all_tasks
from stages.records.predictions import UNSURE
from stages.records.promotion import answering, failed_gates

DRAWN = (
    "Trained on drawn faces only: what {tasks} say{s} about a real face means nothing yet.\n"
    'README.md ("Real faces") says how to train on photos.'
)


def main(photos: list[Path]) -> None:
    folders = of_all_tasks("promote")
    chains = load_chains(folders)
    if drawn := drawn_only(folders):
        print(DRAWN.format(tasks=", ".join(drawn), s="s" if len(drawn) == 1 else ""))
    for photo in photos:
        print(photo)
        data = _read(photo)
        for chain, doubt in chains:
            lines = [*_words(chain.answer(data)), *([doubt] if doubt else [])]
            print(f"  {chain.settings.title}: " + "\n    ".join(lines))


def load_chains(promoted: list[Path]) -> list[tuple[Chain, str]]:
    """The champion of each task with "", or its challenger with a warning.

    `promoted`: the tasks' folders in data/promote. Raises `UserError` if there is none.
    """
    if not promoted:
        raise UserError("no network in data/promote: run `dvc pull` or `dvc repro` first")
    return [_chain(folder) for folder in promoted]


def drawn_only(promoted: list[Path]) -> list[str]:
    """The tasks whose networks know drawn faces only."""
    chains = [folder / answering(folder) for folder in promoted]
    return [
        chain.parent.name
        for chain in chains
        if ORIGIN.path(chain).is_file() and ORIGIN.read(chain).drawn
    ]


def _chain(folder: Path) -> tuple[Chain, str]:
    role = answering(folder)
    doubt = ""
    if role == "challenger":
        failed = ", ".join(failed_gates(folder))
        doubt = f"warning: not promoted, its network did not pass: {failed}"
    return Chain(folder / role), doubt


def _read(photo: Path) -> bytes:
    """At most one byte more than a chain accepts, so that a huge file does not fill the memory."""
    if photo.exists() and not photo.is_file():
        raise UserError(f"{photo}: not a file")  # reading a named pipe would wait for ever
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
    line = f"{answer.title} ({answer.confidence:.0%})"
    if answer.answer == UNSURE:
        line = f"unsure; likeliest {line}"
    if answer.value is not None:
        line += f", {_number(answer.value, answer.value_low, answer.value_high)}"
    return [line, *warnings]


def _number(value: float, low: float | None, high: float | None) -> str:
    """37 (31 to 43); decimals only where the range is narrow."""
    if low is None or high is None:
        return f"{value:.1f}"
    digits = 0 if high - low >= 2 else 2
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m app", description=str(__doc__).splitlines()[0])
    parser.add_argument("photo", nargs="+", type=Path)
    arguments = parser.parse_args()
    enter(lambda: main(arguments.photo))
