"""model_card.md: what a network was made of, what it can do, and what it must not be used for.

After Margaret Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

import re
import unicodedata
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from stages.common.files import read_json
from stages.records.params import PARTS

METRICS = {  # of evaluation.json: name for people
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "expected calibration error",
    "qwk": "quadratic-weighted kappa",
    "group_error": "mean error in groups",
    "mae": "mean absolute error",
}
SLICES = 8  # shown of each part, those furthest below the rest first
SPECIAL = re.compile(r"([\\`*_\[\]<>|&~#!$])")


def model_card(
    folder: Path,
    task: str,
    decision: str,
    reason: str,
    gates: list[dict[str, Any]],
    manifest: pd.DataFrame,
    splits: pd.DataFrame,
    network: str,
) -> str:
    """Markdown. `folder`: a chain with its evaluation.json, trials.json and weights.

    `manifest`, `splits`: of the data that it was trained and judged on; `network`: the sha256 of
    its model.keras. Whatever came from outside (licences, sources, classes) is text in it, never
    markup.
    """
    chain = read_json(folder / "chain.json")
    trials = read_json(folder / "trials.json")
    best = next(trial for trial in trials["trials"] if trial["trial"] == trials["best"])
    evaluation = read_json(folder / "evaluation.json")
    return (
        _environment()
        .get_template("model_card.md")
        .render(
            task=Safe(task),
            chain=chain,
            titles=read_json(folder / "classes.json"),
            decision=decision,
            reason=reason,
            gates=gates,
            data=_data(manifest, splits),
            parts={part: evaluation["parts"][part] for part in ("test", "wild")},
            metrics=METRICS,
            calibration=evaluation["calibration"],
            slices={part: _slices(evaluation["parts"][part]) for part in ("test", "wild")},
            trial=best,
            tried=len(trials["trials"]),
            final_fit=bool(trials["final_fit"]),
            shards=trials["data"],
            network=network,
            weights=read_json(folder / "weights/weights.json"),
            parameters={
                "chain": chain,
                "search": trials["params"],
                "hyperparameters": best["hyperparameters"],
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
    environment.filters |= {"figure": _figure, "yaml": _yaml}
    return environment


class Safe(str):
    """Text of our own that needs no escaping."""


def _figure(result: dict[str, Any], metric: str) -> Safe:
    """0.812 (0.740 to 0.880), or a dash."""
    value = result.get(metric)
    if value is None:
        return Safe("–")
    interval = result.get("intervals", {}).get(metric)
    if interval is None or None in interval:
        return Safe(f"{value:.3f}")
    return Safe(f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})")


def _yaml(content: object) -> Safe:
    """An indented block of code: each line is indented, so nothing in it can end it."""
    dumped = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=88)
    return Safe("".join(f"    {line}\n" for line in dumped.splitlines()))


def _data(manifest: pd.DataFrame, splits: pd.DataFrame) -> dict[str, Any]:
    used = manifest[manifest["id"].isin(splits["id"])]
    sources = used.groupby(["source", "licence"], sort=True).size()
    counts = splits.groupby(["label", "part"]).size()
    return {
        "photos": len(splits),
        "groups": splits["group"].nunique(),
        "persons": splits.loc[splits["person"] != "", "person"].nunique(),
        "unknown": int((splits["person"] == "").sum()),
        "sources": [(*names, int(n)) for names, n in sources.items()],
        "classes": {
            label: [int(counts.get((label, part), 0)) for part in PARTS]
            for label in splits["label"].drop_duplicates().sort_values()
        },
        "parts": PARTS,
    }


def _slices(result: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(result.get("slices", []), key=lambda each: each["gap"])[:SLICES]
