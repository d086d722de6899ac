"""What a task's answers are worth, from the exam of its network."""

from typing import Literal

from app.server import wire
from app.server.promoted import Network
from stages.params.merge import Titles
from stages.records.evaluation import Exam
from stages.records.params import Language, in_language
from stages.records.splits import Shows

PEOPLE: dict[Shows, Literal["new", "known", "unknown"]] = {
    "people never seen": "new",
    "people never seen, as far as their faces tell": "new",
    "photos kept out of training; who is on them is not known": "unknown",
    "other photos of people it may know": "known",
}


def task(network: Network, titles: Titles | None, language: Language) -> wire.Task:
    """`titles`: those of params.yaml; None: it does not have the task."""
    settings, exam = network.chain.settings, network.evaluation.parts.get("test")
    named = titles.classes if titles else {}
    return wire.Task(
        task=network.task,
        title=in_language(titles.task if titles else settings.title, language),
        kind=settings.kind,
        classes=[
            wire.Class(label=label, title=in_language(named.get(label, title), language))
            for label, title in network.chain.titles.items()
        ],
        promoted=network.promoted,
        failed=network.failed,
        exam=exam and _exam(exam, PEOPLE[network.origin.exam] if network.origin else "unknown"),
        years=exam and _years(exam),
        drawn=network.origin is not None and network.origin.drawn,
        card=f"cards/{network.task}",
    )


def _exam(exam: Exam, people: Literal["new", "known", "unknown"]) -> wire.Exam | None:
    right, low, high = exam.accuracy, exam.accuracy_low, exam.accuracy_high
    if right is None or low is None or high is None:
        return None
    return wire.Exam(
        right=round(100 * right),
        low=round(100 * low),
        high=round(100 * high),
        photos=exam.n,
        people=people,
    )


def _years(exam: Exam) -> wire.Years | None:
    if exam.mae is None or "mae" not in exam.intervals:
        return None
    low, high = exam.intervals["mae"]
    return wire.Years(error=exam.mae, low=low, high=high)
