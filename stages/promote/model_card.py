"""model_card.md: what a network was made of, what it can do, and what it must not be used for.

After Margaret Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
import yaml

from stages.common.files import sha256
from stages.promote.gates import percent
from stages.records.calibration import RANGE_LEVEL
from stages.records.chain import CHAIN, weights
from stages.records.evaluation import EVALUATION, Exam, Slice
from stages.records.promotion import Decision
from stages.records.splits import EXAMS, PARTS, Shows
from stages.records.trials import CLASSES, MODEL, TRIALS
from stages.records.weights import WEIGHTS

METRICS = {  # of an exam: name for people
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "expected calibration error",
    "qwk": "quadratic-weighted kappa",
    "group_error": "mean error in groups",
    "mae": "mean absolute error of the number",
    "in_range": "numbers within the range",
}
SLICES = 8  # shown of each part, the largest gaps first
SPECIAL = re.compile(r"([\\`*_\[\]<>|&~#!$])")


@dataclass(frozen=True)
class Data:
    """Counts of the photos that a network was trained and judged on."""

    photos: int
    groups: int
    persons: int  # known by name
    unknown: int  # photos of nobody known by name
    sources: list[tuple[str, str, int]]  # source, licence, photos
    classes: dict[str, list[int]]  # class -> photos of each part
    parts: tuple[str, ...] = PARTS


def model_card(
    folder: Path,
    decision: Decision,
    manifest: pd.DataFrame,
    splits: pd.DataFrame,
    shows: Shows,
) -> str:
    """Markdown about the chain in `folder`.

    `manifest`, `splits`: frames of the data that it was trained and judged on; `shows`: what the
    test photos are. Whatever came from outside (licences, sources, classes) is text in the card,
    never markup.
    """
    chain, trials = CHAIN.read(folder), TRIALS.read(folder)
    evaluation, used = EVALUATION.read(folder), WEIGHTS.read(weights(folder))
    parts = {part: evaluation.parts[part] for part in EXAMS}
    return (
        _environment()
        .get_template("model_card.md")
        .render(
            task=Safe(chain.task),
            chain=chain,
            titles=CLASSES.read(folder),
            decision=decision,
            data=_data(manifest, splits),
            shows=Safe(shows),
            parts=parts,
            metrics=METRICS,
            range_level=RANGE_LEVEL,
            calibration=evaluation.calibration,
            slices={part: _slices(exam) for part, exam in parts.items()},
            trials=trials,
            network=sha256(folder / MODEL),
            weights={"detector": used.detector, "segmenter": used.segmenter},
            parameters={
                "chain": chain.model_dump(mode="json"),
                "search": trials.params,
                "hyperparameters": trials.best.hyperparameters,
            },
        )
    )


def text(value: object) -> str:
    """Foreign text as one line of Markdown that shows it and does nothing else."""
    line = "".join(" " if c.isspace() else c for c in str(value))
    line = "".join(c for c in line if not unicodedata.category(c).startswith("C"))
    line = SPECIAL.sub(r"\\\1", line)
    return line.replace("://", ":\\/\\/").replace("www.", "www\\.").strip()


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        finalize=lambda value: value if isinstance(value, Safe) else text(value),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"figure": _figure, "yaml": _yaml, "percent": percent}
    return environment


class Safe(str):
    """Our own text, which needs no escaping."""


def _figure(exam: Exam, metric: str) -> Safe:
    """0.812 (0.740 to 0.880), or a dash."""
    value = getattr(exam, metric)
    if value is None:
        return Safe("–")
    if metric not in exam.intervals:
        return Safe(f"{value:.3f}")
    low, high = exam.intervals[metric]
    return Safe(f"{value:.3f} ({low:.3f} to {high:.3f})")


def _yaml(content: object) -> Safe:
    """An indented block of code: each line is indented, so nothing in it can end it."""
    dumped = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=88)
    return Safe("".join(f"    {line}\n" for line in dumped.splitlines()))


def _data(manifest: pd.DataFrame, splits: pd.DataFrame) -> Data:
    used = manifest[manifest["id"].isin(splits["id"])]
    sources = used.groupby(["source", "licence"], sort=True).size().reset_index()
    counts = splits.groupby(["label", "part"]).size()
    return Data(
        photos=len(splits),
        groups=splits["group"].nunique(),
        persons=splits.loc[splits["person"] != "", "person"].nunique(),
        unknown=int((splits["person"] == "").sum()),
        sources=list(sources.itertuples(index=False, name=None)),
        classes={
            label: [int(counts.get((label, part), 0)) for part in PARTS]
            for label in sorted(splits["label"].unique())
        },
    )


def _slices(exam: Exam) -> list[Slice]:
    return sorted(exam.slices, key=lambda each: each.gap)[:SLICES]
