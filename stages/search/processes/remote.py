"""A worker: it trains trials that the chief hands out, see `chief`."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import grpc
from keras_tuner.src import protos

from stages.search.journal.journal import Journal
from stages.search.processes import token
from stages.search.processes.child import AGAIN, HOST, PORT
from stages.search.search import run_trials
from stages.search.trial.plan import Plan
from stages.search.trial.tuner import FromShards
from stages.search.trial.watch import Control

BEAT = 3  # seconds between a worker's heartbeats
LEASE = 20  # seconds without a heartbeat after which its trial goes to another worker
IDLE = 0.2  # seconds between two requests for a trial
# Calls are repeated while a killed chief starts again. 5 attempts are gRPC's limit.
RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "2s",
                "maxBackoff": "30s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


def work(plan: Plan, scratch: Path, control: Control, name: str) -> None:
    """Train trials of the search in `scratch` until the chief has none left.

    Raises `Outgrown` where `control.recycle` is set.
    """
    run_trials(plan, scratch, Journal(scratch, plan.params, name, bar=False), control, Worker)


class Worker(FromShards):
    """The oracle is KerasTuner's client of the chief's: it alone keeps the state of the search."""

    def _prepare_oracle(self) -> None:
        channel = grpc.insecure_channel(address(), [("grpc.service_config", json.dumps(RETRIES))])
        sends = token.Sends(token.wait(Path(self.project_dir)))
        channel = grpc.intercept_channel(channel, sends)
        self.oracle.stub = protos.get_service_grpc().OracleStub(channel)

    def save(self) -> None: ...

    def reload(self) -> None: ...

    def pre_create_trial(self) -> None:
        super().pre_create_trial()
        time.sleep(IDLE)

    def on_trial_begin(self, trial: Any) -> None:
        super().on_trial_begin(trial)
        self.heartbeat = Heartbeat(self.oracle.stub, self.tuner_id, trial.trial_id, self.control)

    def on_trial_end(self, trial: Any) -> None:
        self.heartbeat.stop()
        super().on_trial_end(trial)


def address() -> str:
    """Where the chief of this process listens."""
    return f"{os.environ[HOST]}:{os.environ[PORT]}"


class Heartbeat:
    """Tells the chief every `BEAT` seconds that this worker still trains its trial.

    The chief may answer that the search should end after the running epoch, or that the trial
    belongs to another worker now: then this process ends at once.
    """

    def __init__(self, stub: Any, tuner_id: str, trial_id: str, control: Control) -> None:
        self._over = threading.Event()
        arguments = (stub, tuner_id, trial_id, control)
        threading.Thread(target=self._beat, args=arguments, daemon=True).start()

    def _beat(self, stub: Any, tuner_id: str, trial_id: str, control: Control) -> None:
        request = protos.get_service().GetTrialRequest(trial_id=trial_id)
        while not self._over.wait(BEAT):
            try:
                stub.GetTrial(request, metadata=[("tuner-id", tuner_id)], timeout=LEASE)
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.NOT_FOUND and not self._over.is_set():
                    os._exit(AGAIN)
                if error.code() == grpc.StatusCode.CANCELLED:
                    control.stop = True

    def stop(self) -> None:
        self._over.set()
