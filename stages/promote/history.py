"""What is added to history.json: who became champion when, and on what data."""

from datetime import UTC, datetime
from typing import Literal

from stages.records.promotion import Event
from stages.records.trials import Trials


def event(
    kind: Literal["champion", "challenger", "rollback"], network: str, trials: Trials, reason: str
) -> Event:
    """What happened just now to `network` (its sha256), which the search `trials` has found."""
    return Event(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        event=kind,
        network=network[:12],
        data={each.path: each.md5 for each in trials.data},
        reason=reason,
    )


def added(history: list[Event], new: Event) -> list[Event]:
    """With `new` at the end, unless the last event is the same but for its time and reason."""
    if history and _what(history[-1]) == _what(new):
        return history
    return [*history, new]


def was_rolled_back(history: list[Event], network: str) -> bool:
    return any(each.event == "rollback" and each.network == network[:12] for each in history)


def _what(event: Event) -> tuple[str, str, dict[str, str]]:
    return event.event, event.network, event.data
