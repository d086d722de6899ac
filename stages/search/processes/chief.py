"""The chief of several processes: KerasTuner's oracle behind gRPC, made to survive kills.

KerasTuner brings the messages, the server's methods and the workers' client. This adds:
- A lease on each trial. When a worker is silent for `LEASE` seconds, its trial goes to the next
  worker that asks. A worker that comes back too late ends (see `remote.Heartbeat`).
- A restarted chief leaves running trials to the workers that train them.
- A token, without which no call is answered (see `token`).
- No worker is dismissed while a trial may still come back from another one.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.engine.trial import Trial

from stages.records import attempts
from stages.search.processes import token
from stages.search.processes.remote import LEASE, address
from stages.search.trial.tuner import FromShards
from stages.search.trial.watch import Control


class Chief(FromShards):
    """Hands its trials out instead of training them."""

    def _prepare_oracle(self) -> None:
        super()._prepare_oracle()
        self._leave_running_trials()

    def _leave_running_trials(self) -> None:
        """KerasTuner would give each trial that was running to the next worker that asks."""
        oracle = self.oracle
        for attempt in attempts.latest(attempts.read(Path(self.project_dir))):
            for trial_id in list(oracle._retry_queue):
                if attempt.status == "RUNNING" and int(trial_id) == attempt.trial:
                    oracle._retry_queue.remove(trial_id)
                    oracle.ongoing_trials[attempt.worker] = oracle.trials[trial_id]

    def _run_trials(self, **fit: Any) -> None:
        self.save()
        serve(self.oracle, Path(self.project_dir), self.control)


class Servicer(OracleServicer):
    """KerasTuner's, with leases. One thread answers all calls; another one calls `expire`."""

    def __init__(self, oracle: Any, control: Control) -> None:
        super().__init__(oracle)
        self.control = control
        self.lock = threading.Lock()
        self.exhausted = False  # the oracle has nothing more to propose
        # Workers that have not been dismissed, and when they last called:
        self.seen = dict.fromkeys(oracle.ongoing_trials, time.monotonic())

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
        mine = tuner_id in oracle.ongoing_trials
        if self._full() and oracle.ongoing_trials and not mine and not oracle._retry_queue:
            return Trial(oracle.get_space(), "none", "IDLE")  # one of those may come back
        trial = oracle.create_trial(tuner_id)
        self.exhausted |= trial.status == "STOPPED"
        return trial

    def _full(self) -> bool:
        return self.exhausted or len(self.oracle.trials) >= self.oracle.max_trials

    def GetTrial(self, request: Any, context: Any) -> Any:
        tuner_id = dict(context.invocation_metadata()).get("tuner-id")  # sent with heartbeats
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
            if request.trial.trial_id in held:  # else its end is known already
                super().EndTrial(request, context)
            return protos.get_service().EndTrialResponse()

    def UpdateTrial(self, request: Any, context: Any) -> Any:
        with self.lock:
            return super().UpdateTrial(request, context)

    def expire(self) -> None:
        """Take their trials from workers that have been silent for too long."""
        with self.lock:
            for tuner_id, seen in list(self.seen.items()):
                if time.monotonic() - seen > LEASE:
                    del self.seen[tuner_id]
                    trial = self.oracle.ongoing_trials.pop(tuner_id, None)
                    if trial:
                        self.oracle._retry_queue.append(trial.trial_id)
                        self.oracle.save()

    def over(self, scratch: Path) -> bool:
        """Whether every trial has ended; after a stop, whether every training has."""
        with self.lock:
            oracle = self.oracle
            if self.control.stop:
                found = attempts.latest(attempts.read(scratch))
                running = {each.trial for each in found if each.status == "RUNNING"}
                return not any(int(t.trial_id) in running for t in oracle.ongoing_trials.values())
            return self._full() and not oracle.ongoing_trials and not oracle._retry_queue


def serve(oracle: Any, scratch: Path, control: Control) -> None:
    """Hand out trials until all have ended, or until `control.stop`.

    Raises RuntimeError when the address is taken.
    """
    servicer = Servicer(oracle, control)
    refusing = token.Asks(token.make(scratch))
    server = grpc.server(ThreadPoolExecutor(max_workers=1), interceptors=[refusing])
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    server.add_insecure_port(address())
    server.start()
    while not servicer.over(scratch):
        time.sleep(0.2)
        servicer.expire()
    farewell = time.monotonic() + LEASE
    while servicer.seen and time.monotonic() < farewell:  # until every worker is dismissed
        time.sleep(0.2)
        servicer.expire()
    server.stop(grace=1).wait()
