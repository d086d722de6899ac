"""Judge the search's winner, and keep the champion through searches that lose against it."""

from collections import Counter
from pathlib import Path

from stages.common.files import sha256
from stages.promote import judged
from stages.promote.chain_folder import build, keep_others, present_champion
from stages.promote.exams import examine
from stages.promote.history import added, event
from stages.promote.model_card import model_card
from stages.records.chain import CARD, ORIGIN, Origin
from stages.records.folders import Folders
from stages.records.manifest import MANIFEST
from stages.records.params import Task
from stages.records.promotion import (
    HISTORY,
    JUDGED,
    LEADERBOARD,
    PROMOTION,
    Candidate,
    Decision,
    read_history,
    read_judged,
)
from stages.records.splits import SPLITS
from stages.records.trials import MODEL, TRIALS
from stages.records.weights import WEIGHTS


def promote(at: Folders, params: Task, out: Path) -> Decision:
    """Fill the empty folder `out`, which then replaces data/promote/<task>."""
    splits, history = SPLITS.frame(at.splits), read_history(at.promote)
    champion = present_champion(at.promote)
    candidate = out / "candidate"
    build(candidate, at, params, splits)
    network = sha256(candidate / MODEL)
    before, test = read_judged(at.promote), judged.digest(splits)
    now = judged.count(before, test, network, params.promote.level)
    decision, standings = examine(at, params, candidate, champion, splits, history, now)
    tested = splits.loc[splits["part"] == "test", "person"]
    shows = params.split.exam_shows(tested, WEIGHTS.read(at.weights))
    manifest = MANIFEST.frame(at.raw)
    sources = Counter(manifest.loc[manifest["id"].isin(splits["id"]), "source"])
    ORIGIN.write(candidate, Origin(dict(sources), shows))
    card = model_card(candidate, decision, manifest, splits, shows)
    (candidate / CARD).write_text(card, encoding="utf-8")
    if champion and sha256(champion / MODEL) == network:
        champion = None  # the candidate is this network
    else:
        new = event(decision.decision, network, TRIALS.read(candidate), decision.reason)
        history = added(history, new)
    candidate.rename(out / decision.decision)
    keep_others(at.promote, out, champion)
    PROMOTION.write(out, decision)
    HISTORY.write(out, history)
    seen = Candidate(network, promoted=decision.decision == "champion")
    JUDGED.write(out, judged.added(before, test, seen))
    LEADERBOARD.write(out, standings)
    return decision
