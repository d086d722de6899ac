"""The promoted networks, each loaded once; a new champion takes over while the server runs."""

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.chain import Chain, Seen
from stages.common.errors import UserError
from stages.extract.face import Face
from stages.records.chain import CARD, ORIGIN, Origin
from stages.records.evaluation import EVALUATION, Evaluation
from stages.records.folders import of_all_tasks
from stages.records.promotion import answering, failed_gates

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """A task's champion, or its challenger where there is none."""

    task: str
    chain: Chain
    promoted: bool
    failed: list[str]  # the gates that stopped it
    origin: Origin | None  # None: of a version that did not write it
    evaluation: Evaluation
    card: str  # Markdown


class Promoted:
    """Those of data/promote. Every call looks whether a folder has changed, and loads it then."""

    def __init__(self, root: Path, order: list[str]) -> None:
        """Returns once all networks are loaded. `order`: tasks, as a page shows them.

        Raises `UserError` if there is no network.
        """
        self._root, self._order = root, order
        self._networks: dict[str, Network] = {}
        self._known: dict[str, object] = {}  # task: the state of its folder when it was loaded
        self._lock = threading.Lock()
        self._loader = ThreadPoolExecutor(1)
        for loading in self._look():
            loading.result()
        if not self._networks:
            raise UserError("no network in data/promote: run `dvc pull` or `dvc repro` first")

    def networks(self) -> list[Network]:
        """The present ones. A new one answers from the moment that it is loaded; until then, and
        if it cannot be loaded, the old one does."""
        self._look()
        place = {task: number for number, task in enumerate(self._order)}
        found = self._networks.copy()
        return [found[task] for task in sorted(found, key=lambda t: (place.get(t, len(place)), t))]

    def _look(self) -> list[Future[None]]:
        """Load what has changed, one after the other."""
        loading = []
        with self._lock:
            for folder in of_all_tasks("promote", self._root):
                state = _state(folder)
                if state and self._known.get(folder.name) != state:
                    self._known[folder.name] = state
                    loading.append(self._loader.submit(self._load, folder))
        return loading

    def _load(self, folder: Path) -> None:
        try:
            self._networks[folder.name] = load(folder)
        except (UserError, OSError) as error:  # perhaps it is just being written
            log.warning("%s: %s", folder.name, error)


def load(folder: Path) -> Network:
    """The network of data/promote/<task>, warm. Raises `UserError` or OSError."""
    role = answering(folder)
    own, promoted = folder / role, role == "champion"
    chain = Chain(own)
    network = Network(
        task=folder.name,
        chain=chain,
        promoted=promoted,
        failed=[] if promoted else failed_gates(folder),
        origin=ORIGIN.read(own) if ORIGIN.path(own).is_file() else None,
        evaluation=EVALUATION.read(own),
        card=(own / CARD).read_text("utf-8"),
    )
    _warm_up(chain)
    return network


def _warm_up(chain: Chain) -> None:
    """The first photo would wait for imports, and for networks that are made at first use."""
    seen = Seen(np.full((320, 320, 3), 127, np.uint8))
    chain.faces(seen)
    eyes = np.array([[130.0, 140.0], [190.0, 140.0]])
    view = chain.view(seen, Face((100, 90, 120, 140), 1, eyes, None))
    chain.outputs(view.picture[None])


def _state(folder: Path) -> object:
    """What changes whenever a file of data/promote/<task> does."""
    try:
        stats = [(str(file), file.stat()) for file in sorted(folder.rglob("*"))]
    except OSError:  # it is just being replaced
        return None
    return [(name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in stats]
