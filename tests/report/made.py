"""Records with plain values, of which a test sets what it is about."""

from msgspec.structs import replace

from stages.records.evaluation import ClassScores, Coverage, Exam
from stages.records.promotion import Decision, Gate, Standing
from stages.records.trials import Attempt, Epoch

NOTHING = Coverage(threshold=0.0, coverage=None, accuracy=None, n=0)


def exam(n=10, **values) -> Exam:
    """Of classes a and b; nobody's photo is of class c."""
    support = {"a": 6, "b": 4, "c": 0} if n else {"a": 0, "b": 0, "c": 0}
    plain = Exam(
        n=n,
        groups=n,
        accuracy=None,
        accuracy_low=None,
        accuracy_high=None,
        baseline_accuracy=None,
        balanced_accuracy=None,
        macro_f1=None,
        log_loss=None,
        brier=None,
        ece=None,
        intervals={},
        per_class={name: ClassScores(None, None, None, count) for name, count in support.items()},
        confusion=[],
        reliability=[],
        coverage=[],
        unsure=NOTHING,
        note=None,
    )
    return replace(plain, **values)


def gate(**values) -> Gate:
    plain = Gate("gate", passed=True, value=0.5, limit=0.5, low=None, high=None, about="about")
    return replace(plain, **values)


def decision(*gates, decision="challenger") -> Decision:
    return Decision(decision, "reason", list(gates), candidate={}, champion=None)


def standing(system, kind, **values) -> Standing:
    """Not judged anywhere."""
    rest = dict.fromkeys(Standing.__struct_fields__[3:])
    return replace(Standing(system, kind, "from scratch", **rest), **values)


def epoch(number, **values) -> Epoch:
    return Epoch(number, time_ms=1, **{"loss": 1.0} | values)


def attempt(trial, epochs=(), **values) -> Attempt:
    plain = Attempt(
        trial,
        attempt=1,
        status="COMPLETED",
        hyperparameters={},
        worker="w",
        started_ms=0,
        ended_ms=3000,
        epochs=tuple(epochs),
    )
    return replace(plain, **values)
