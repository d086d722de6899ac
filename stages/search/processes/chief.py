"""Trials in parallel: KerasTuner's oracle behind gRPC, made to outlive its workers and itself.

KerasTuner brings the messages, the server's methods and the workers' client. What it lacks is
here. A worker that falls silent loses its trial to the next one that asks, as does one that never
comes back; a chief that is started again leaves running trials to the workers that run them; a
worker whose trial went to another ends; and nobody is sent home while a trial may still come back.
"""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from keras_tuner.src import protos
from keras_tuner.src.distribute import utils as distribution
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.engine.trial import Trial

from stages.search.journal import attempts

BEAT = 3  # seconds between a worker's signs of life
LEASE = 20  # seconds of silence after which its trial is another's
AGAIN = 75  # exit status of a process that wants to be started again (EX_TEMPFAIL of sysexits.h)
# Calls survive a chief that is started again. 5 attempts are gRPC's limit.
PATIENCE = {
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


def is_here() -> bool:
    """Whether this process is the chief of several."""
    return distribution.is_chief_oracle()


def patient_stub() -> Any:
    """The client's end of KerasTuner's service, for the chief named in the environment."""
    address = f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"
    channel = grpc.insecure_channel(address, [("grpc.service_config", json.dumps(PATIENCE))])
    return protos.get_service_grpc().OracleStub(channel)


class Heartbeat:
    """A worker's signs of life to the chief while it runs `trial`.

    The chief's answer may be to end after the running epoch, or that the trial is another's now:
    then this process ends at once.
    """

    def __init__(self, stub: Any, tuner_id: str, trial: Any, control: Any) -> None:
        self._over = threading.Event()
        arguments = (stub, tuner_id, trial.trial_id, control)
        threading.Thread(target=self._beat, args=arguments, daemon=True).start()

    def _beat(self, stub: Any, tuner_id: str, trial_id: str, control: Any) -> None:
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


def heal(oracle: Any, scratch: Path) -> None:
    """Bring a reloaded oracle in order, whenever its process was killed.

    KerasTuner saves a trial and its own state one after the other, and gives every trial that was
    under way to the next who asks, even if a worker is still at it.
    """
    for trial_id in set(oracle.trials) - set(oracle.start_order):
        del oracle.trials[trial_id]  # it will be proposed again, and be the same
    for trial_id in list(oracle._retry_queue):
        if oracle.trials[trial_id].status in ("COMPLETED", "FAILED"):
            oracle._retry_queue.remove(trial_id)
            if trial_id not in oracle.end_order:
                oracle.end_order.append(trial_id)
    if is_here():
        for attempt in attempts.latest(attempts.read(scratch)):
            for trial_id in list(oracle._retry_queue):
                if attempt["status"] == "RUNNING" and int(trial_id) == attempt["trial"]:
                    oracle._retry_queue.remove(trial_id)
                    oracle.ongoing_trials[attempt["worker"]] = oracle.trials[trial_id]


class Servicer(OracleServicer):
    """KerasTuner's, with leases. All calls come from one thread; `expire` from another."""

    def __init__(self, oracle: Any, control: Any) -> None:
        super().__init__(oracle)
        self.control = control
        self.lock = threading.Lock()
        self.exhausted = False  # the oracle has nothing more to propose
        self.seen = dict.fromkeys(oracle.ongoing_trials, time.monotonic())  # workers not sent home

    def CreateTrial(self, request: Any, context: Any) -> Any:
        with self.lock:
            trial = self._next(request.tuner_id)
            if trial.status == "STOPPED":
                self.seen.pop(request.tuner_id, None)
            else:
                self.seen[request.tuner_id] = time.monotonic()
            return protos.get_service().CreateTrialResponse(trial=trial.to_proto())

    def _next(self, tuner_id: str) -> Trial:
        oracle = self.oracle
        if self.control.stop:
            return Trial(oracle.get_space(), "none", "STOPPED")
        full = self.exhausted or len(oracle.trials) >= oracle.max_trials
        mine = tuner_id in oracle.ongoing_trials
        if full and oracle.ongoing_trials and not mine and not oracle._retry_queue:
            return Trial(oracle.get_space(), "none", "IDLE")  # one of those may come back
        trial = oracle.create_trial(tuner_id)
        self.exhausted |= trial.status == "STOPPED"
        return trial

    def GetTrial(self, request: Any, context: Any) -> Any:
        tuner_id = dict(context.invocation_metadata()).get("tuner-id")
        with self.lock:
            if tuner_id:
                held = self.oracle.ongoing_trials.get(tuner_id)
                if not held or held.trial_id != request.trial_id:
                    context.abort(grpc.StatusCode.NOT_FOUND, "this trial is another worker's now")
                self.seen[tuner_id] = time.monotonic()
                if self.control.stop:
                    context.abort(grpc.StatusCode.CANCELLED, "end after this epoch")
            return super().GetTrial(request, context)

    def EndTrial(self, request: Any, context: Any) -> Any:
        with self.lock:
            held = [trial.trial_id for trial in self.oracle.ongoing_trials.values()]
            if request.trial.trial_id in held:  # else it was told before, or by another worker
                super().EndTrial(request, context)
            return protos.get_service().EndTrialResponse()

    def UpdateTrial(self, request: Any, context: Any) -> Any:
        with self.lock:
            return super().UpdateTrial(request, context)

    def expire(self) -> None:
        """Take their trials from workers that have fallen silent."""
        with self.lock:
            for tuner_id, seen in list(self.seen.items()):
                if time.monotonic() - seen > LEASE:
                    del self.seen[tuner_id]
                    trial = self.oracle.ongoing_trials.pop(tuner_id, None)
                    if trial:
                        self.oracle._retry_queue.append(trial.trial_id)
                        self.oracle.save()

    def over(self, scratch: Path) -> bool:
        """Whether every trial has ended, or, after a stop, every worker has."""
        with self.lock:
            oracle = self.oracle
            if self.control.stop:
                found = attempts.latest(attempts.read(scratch))
                running = {a["trial"] for a in found if a["status"] == "RUNNING"}
                return not any(int(t.trial_id) in running for t in oracle.ongoing_trials.values())
            full = self.exhausted or len(oracle.trials) >= oracle.max_trials
            return full and not oracle.ongoing_trials and not oracle._retry_queue


def serve(oracle: Any, scratch: Path, control: Any) -> None:
    """Hand out trials until all have ended, or `control.stop`.

    Listens on KERASTUNER_ORACLE_IP and _PORT. Raises RuntimeError when that is taken.
    """
    servicer = Servicer(oracle, control)
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    address = f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"
    server.add_insecure_port(address)
    server.start()
    while not servicer.over(scratch):
        time.sleep(0.2)
        servicer.expire()
    farewell = time.monotonic() + LEASE
    while servicer.seen and time.monotonic() < farewell:  # everybody hears that it is over
        time.sleep(0.2)
        servicer.expire()
    server.stop(grace=1).wait()
