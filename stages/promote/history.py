"""Who was champion when, and on what data: history.json, oldest event first."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stages.common.files import read_json

Event = dict[str, Any]  # time (ISO, UTC), event, network (12 digits), data (path: md5), reason


def read_history(folder: Path) -> list[Event]:
    """Of `data/promote/<task>`; a task without promotions has none."""
    path = folder / "history.json"
    return read_json(path) if path.is_file() else []


def event(kind: str, network: str, trials: dict[str, Any], reason: str) -> Event:
    """`kind`: champion, challenger or rollback; `network`: its sha256; `trials`: its trials.json"""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "event": kind,
        "network": network[:12],
        "data": {each["path"]: each["md5"] for each in trials["data"]},
        "reason": reason,
    }


def added(history: list[Event], new: Event) -> list[Event]:
    """With `new` at the end, unless the last event says the same already."""
    what = ("event", "network", "data")
    if history and all(history[-1][key] == new[key] for key in what):
        return history
    return [*history, new]


def was_rolled_back(history: list[Event], network: str) -> bool:
    return any(e["event"] == "rollback" and e["network"] == network[:12] for e in history)


def reign(history: list[Event], network: str) -> tuple[str | None, str | None]:
    """When `network` became champion for the last time, and when it ceased to be; None: never."""
    since = until = None
    for e in history:
        if e["event"] != "champion":
            continue
        if e["network"] == network[:12]:
            since, until = e["time"], None
        elif since and until is None:
            until = e["time"]
    return since, until
