"""How exact exported files are, how good, and how fast."""

import time
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from stages.common.errors import UserError
from stages.networks.calibrate import fit
from stages.networks.export import NEAR
from stages.networks.metrics import paired_difference
from stages.networks.part import Part
from stages.networks.predict import Network, class_probabilities, outputs
from stages.records.calibration import Calibration, Sigma, Temperature
from stages.records.promotion import Gate
from stages.records.trials import Kind, Outputs

LOWER = 0.01  # most that int8's balanced accuracy may lose
SURELY = 0.03  # ... at the low end of its interval
ROUNDS = 20  # pictures that are timed


@dataclass(frozen=True)
class Exam:
    """The promoted network and the photos that its files are compared on."""

    kind: Kind
    calibration: Calibration
    test: Part
    val: Part | None  # None: the calibration cannot be fitted again
    keras: Outputs  # its outputs to test
    unknown: np.ndarray  # bool (N,): test photos that it has not learnt from

    def answers(self, raw: np.ndarray, calibration: Calibration) -> np.ndarray:
        """int (N,): the classes of the unknown photos of test."""
        return class_probabilities(raw, calibration).argmax(1)[self.unknown]


def apart(found: Outputs, wanted: Outputs) -> float:
    """The largest difference of two outputs, as a share of the second where that is over 1."""
    pairs = zip(found, wanted, strict=True)
    off = [np.abs(a - b) / np.maximum(1, np.abs(b)) for a, b in pairs if b is not None]
    return max((float(each.max()) for each in off if each.size), default=0.0)


def check_float(name: str, off: float) -> None:
    """Raises `UserError` for a file that does not answer as Keras does."""
    if not off <= NEAR:
        raise UserError(
            f"{name} answers a test photo differently from Keras, by {off:.2g}; at most {NEAR:g} "
            "is allowed; please report this with the folder data/promote"
        )


def calibrated(network: Network, exam: Exam) -> Calibration:
    """Fitted on what `network` answers to val; the promoted one where that is not possible."""
    if exam.val is None:
        return exam.calibration
    bins = exam.calibration.bins if isinstance(exam.calibration, Sigma) else None
    part = exam.val
    found = fit(outputs(network, part.pictures, exam.kind), part.labels, part.values, bins)
    return replace(found, note=exam.calibration.note)


def same(a: Calibration, b: Calibration) -> bool:
    """Whether two fits had the same answers to the same photos."""
    if isinstance(a, Temperature) and isinstance(b, Temperature):
        return bool(np.isclose(a.temperature, b.temperature, rtol=1e-2))
    if isinstance(a, Sigma) and isinstance(b, Sigma):
        return bool(np.isclose(a.sigma, b.sigma, rtol=1e-2))
    return False


def judge(found: Outputs, calibration: Calibration, exam: Exam) -> Gate:
    """May the int8 file, which answers `found` to test, be shipped instead of the float one?"""
    labels, groups = exam.test.labels[exam.unknown], exam.test.groups[exam.unknown]
    if not len(labels):
        return _gate(False, None, None, None, "test has no photo that the network does not know")
    before = exam.answers(exam.keras.raw, exam.calibration)
    now = exam.answers(found.raw, calibration)
    difference = paired_difference(labels, now, before, groups)
    value, low, high = (
        round(each, 6) for each in (difference.value, difference.low, difference.high)
    )
    about = (
        f"balanced accuracy {value:+.3f} ({low:+.3f} to {high:+.3f}) on {len(labels)} photos, "
        f"another class for {(now != before).sum()}; at most {LOWER:g} lower, "
        f"surely at most {SURELY:g}"
    )
    return _gate(value >= -LOWER and low >= -SURELY, value, low, high, about)


def _gate(
    passed: bool, value: float | None, low: float | None, high: float | None, about: str
) -> Gate:
    return Gate("int8 as good as float", passed, value, -LOWER, low, high, about)


def milliseconds(network: Network, picture: np.ndarray) -> float:
    """Of one core, a picture; the quickest of some. `picture`: uint8 (1, H, W, C)."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        network.predict_on_batch(picture)
        taken.append(time.process_time() - began)
    return round(1e3 * min(taken), 2)
