"""A training's progress for people: a bar in a terminal, else a line of log an epoch."""

import logging
import sys
import time

from tqdm import tqdm

from stages.records.trials import Epoch

log = logging.getLogger(__name__)
PAUSE = 2  # seconds between two lines of log
SHOWN = ("loss", "accuracy", "mae", "val_loss", "val_accuracy", "val_mae")


class Progress:
    def __init__(self, title: str, epochs: int, steps: int, bar: bool) -> None:
        """`steps` in each of at most `epochs`. Without `bar`, or a terminal, it logs lines."""
        self.title, self.epochs = title, epochs
        self.logged = 0.0  # when it last wrote a line
        self.steps = 0  # of the running epoch
        self.bar = tqdm(
            desc=title,
            total=epochs * steps,
            unit=" step",
            leave=False,
            dynamic_ncols=True,
            disable=not bar or not sys.stderr.isatty(),
        )

    def step(self, steps: int) -> None:
        """So many steps of the epoch are done."""
        self.bar.update(steps - self.steps)
        self.steps = steps

    def epoch(self, row: Epoch, outlook: str) -> None:
        self.steps = 0
        metrics = row.metrics()
        results = ", ".join(f"{name} {metrics[name]:.4f}" for name in SHOWN if name in metrics)
        count = f"epoch {row.epoch + 1} of at most {self.epochs}"
        if not self.bar.disable:
            self.bar.set_postfix_str(f"{count}: {results}; {outlook}", refresh=False)
            return
        if time.monotonic() - self.logged < PAUSE and row.epoch + 1 < self.epochs:
            return  # a head's epochs take a fraction of a second
        self.logged = time.monotonic()
        log.info(
            "  %s, %s: %s; %.1f s, %.0f pictures/s; %s",
            self.title,
            count,
            results,
            row.seconds,
            row.pictures_per_second,
            outlook,
        )

    def close(self) -> None:
        self.bar.close()
