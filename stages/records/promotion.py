"""data/promote/<task>: who is champion, who was, and why.

The folders champion, challenger and former each hold a whole chain, see `stages.records.chain`.
"""

from pathlib import Path
from typing import Literal

from stages.records.json_file import JsonFile
from stages.records.record import Record
from stages.records.table_file import TableFile

Role = Literal["champion", "challenger"]
ROLES: tuple[Role, ...] = ("champion", "challenger")


class Gate(Record):
    """One condition of promotion."""

    gate: str
    passed: bool
    value: float | None  # None: there was nothing to judge, `about` says why
    limit: float | None
    low: float | None  # of the value: 95 % interval
    high: float | None
    about: str


class Figures(Record):
    """A system on the photos that were compared."""

    n: int
    accuracy: float | None
    balanced_accuracy: float | None


class Judged(Record):
    """How many candidates a test part has judged: the more, the less luck each may have."""

    test: str  # the first 12 digits of the digest of its photos and labels
    candidates: int  # different networks, this one included
    luck: float  # the chance that luck alone promotes this one: at most so much is allowed


class Candidate(Record):
    """A network that a test part has judged."""

    network: str  # sha256 of model.keras
    promoted: bool


class Decision(Record):
    decision: Role  # what the candidate becomes
    reason: str
    gates: list[Gate]
    candidate: dict[str, Figures]  # test, wild
    champion: dict[str, Figures] | None  # the one until now; None: it was not compared
    judged: Judged | None = None  # None: a version decided that did not count candidates


class Event(Record):
    time: str  # ISO, UTC
    event: Literal["champion", "challenger", "rollback"]
    network: str  # the first 12 digits of model.keras' sha256
    data: dict[str, str]  # path of the shards: DVC's hash
    reason: str


class Standing(Record):
    """A system on the same photos as all others; None where it was not judged."""

    system: str
    kind: Literal["majority", "classical", "network", "search winner", "champion"]
    weights: str
    parameters: int | None
    seconds: float | None  # of training
    val_balanced_accuracy: float | None
    test_n: int | None
    test_accuracy: float | None
    test_accuracy_low: float | None
    test_accuracy_high: float | None
    test_balanced_accuracy: float | None
    test_balanced_accuracy_low: float | None
    test_balanced_accuracy_high: float | None
    wild_n: int | None
    wild_accuracy: float | None
    wild_accuracy_low: float | None
    wild_accuracy_high: float | None
    wild_balanced_accuracy: float | None
    wild_balanced_accuracy_low: float | None
    wild_balanced_accuracy_high: float | None


class Seen(Record):
    """A photo that a network has trained on, or was chosen by."""

    id: str
    person: str


def reign(history: list[Event], network: str) -> tuple[str | None, str | None]:
    """When `network` (a sha256) last became champion, and when another one did; None: never."""
    since = until = None
    for each in history:
        if each.event != "champion":
            continue
        if each.network == network[:12]:
            since, until = each.time, None
        elif since and until is None:
            until = each.time
    return since, until


PROMOTION = JsonFile("promotion.json", Decision)
HISTORY = JsonFile("history.json", list[Event])  # oldest first
LEADERBOARD = TableFile("leaderboard.csv", Standing)
JUDGED = JsonFile("judged.json", dict[str, list[Candidate]])  # test part -> in order
SEEN = TableFile("seen.csv", Seen)  # in each chain's folder


def read_history(folder: Path) -> list[Event]:
    """Of `data/promote/<task>`; a task without promotions has none."""
    return HISTORY.read(folder) if HISTORY.path(folder).is_file() else []


def read_judged(folder: Path) -> dict[str, list[Candidate]]:
    """Of `data/promote/<task>`: the digest of each test part, and what it has judged. Empty for a
    task without promotions, or of a version that did not count."""
    return JUDGED.read(folder) if JUDGED.path(folder).is_file() else {}


def answering(folder: Path) -> Role:
    """Who answers in `data/promote/<task>`: the champion, or the challenger where there is none."""
    return "champion" if (folder / "champion").is_dir() else "challenger"


def failed_gates(folder: Path) -> list[str]:
    """What stopped the candidate of `data/promote/<task>`."""
    return [gate.gate for gate in PROMOTION.read(folder).gates if not gate.passed]
