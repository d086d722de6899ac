"""Trials as Ray tasks: on this machine, on two nodes of it, and on two hosts."""

import itertools
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import grpc
import psutil
import pytest

from stages.common.errors import UserError
from stages.common.files import digest_folders
from stages.search.processes import cluster
from stages.search.processes.task import Order, train
from tests.search.conftest import Stage, small
from tests.search.test_stage import found, kill_all, mlflow_runs, result, trains, wait_for

LONG = {"max_epochs": 500, "patience": 500}
CALLS = {  # one of each of Ray's services
    "/ray.rpc.InternalKVGcsService/InternalKVKeys",
    "/ray.rpc.NodeManagerService/RequestWorkerLease",
    "/ray.rpc.ObjectManagerService/Pull",
    "/ray.rpc.CoreWorkerService/PushTask",
}


STATUS = grpc.StatusCode
# Refused; or there is no such service, or none of that kind, at the port.
NO = (STATUS.UNAUTHENTICATED, STATUS.UNIMPLEMENTED, STATUS.UNAVAILABLE, STATUS.UNKNOWN)


def process_of(attempt):
    return psutil.Process(int(attempt.worker.rpartition("-")[2]))


def running(stage):
    return [each for each in found(stage) if each.status == "RUNNING" and each.epochs]


def kind(process):
    return process.cmdline()[0].rpartition("/")[2] if process.cmdline() else ""


def answer(port, call, token=None):
    """What a client gets: the bytes of an answer, or the status of a refusal."""
    sent = [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            return channel.unary_unary(call)(b"", metadata=sent, timeout=10)
        except grpc.RpcError as error:
            return error.code()


@pytest.mark.slow
def test_a_worker_and_the_driver_are_killed_and_nothing_is_run_twice(stage):
    """And while it goes on, nobody without the token gets anything."""
    stage = stage(max_trials=3, max_epochs=60, patience=60, workers=2)
    process = stage.start()
    wait_for(lambda: trains(stage, trial=0) and trains(stage, trial=1))
    process_of(found(stage)[0]).kill()
    wait_for(lambda: len(found(stage)) > 2 and found(stage)[1].epochs)
    first, again = found(stage)[:2]
    assert (first.trial, first.status, first.crashed) == (0, "INTERRUPTED", True)
    assert again.batch_size == first.batch_size // 2

    [driver] = psutil.Process(process.pid).children()
    folder = Path(driver.environ()[cluster.FOLDER])
    token = folder / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    family = driver.children(recursive=True)
    sockets = [each for one in (driver, *family) for each in one.net_connections("tcp")]
    open_to = [each.laddr for each in sockets if each.status == psutil.CONN_LISTEN]
    assert {address.ip.removeprefix("::ffff:") for address in open_to} == {"127.0.0.1"}
    refused, answered = set(), set()
    for call, address in itertools.product(CALLS, open_to):
        for wrong in (None, "0" * 64, token.read_text()[:-1]):
            said = answer(address.port, call, wrong)
            assert said in NO
            if said == NO[0]:
                refused.add(call)
        if isinstance(answer(address.port, call, token.read_text()), bytes):
            answered.add(call)
    assert refused == CALLS and answered

    driver.kill()
    said = process.communicate(timeout=240)[1]
    assert process.returncode == 0, said
    assert "killed by SIGKILL" in said and "Traceback" not in said
    everything = found(stage)
    assert sorted(a.trial for a in everything if a.status == "COMPLETED") == [0, 1, 2]
    assert {a.status for a in everything} == {"COMPLETED", "INTERRUPTED"}
    assert [a for a in everything if a.crashed] == [first]
    assert {each.worker for each in result(stage).trials}.isdisjoint({"alone"})
    _, runs = mlflow_runs(stage)
    assert len(runs) == 1 + len(everything)
    assert {run.info.status for run in runs.values()} == {"FINISHED", "KILLED"}
    psutil.wait_procs(family, timeout=10)
    assert not [each for each in family if each.is_running()]
    assert not folder.exists() and not (stage.scratch / "running").exists()


@pytest.mark.slow
def test_ctrl_c_once_keeps_the_best_of_all_trials_and_twice_ends_at_once(stage):
    stage = stage(max_trials=3, workers=2, **LONG)
    process = stage.start()
    wait_for(lambda: trains(stage, trial=0, epochs=2) and trains(stage, trial=1, epochs=2))
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 0, said
    assert [trial.status for trial in result(stage).trials] == ["STOPPED"] * 2
    for trial in result(stage).trials:
        assert trial.score == min(epoch.val_loss for epoch in trial.epochs)

    process = stage.start()
    wait_for(lambda: len(running(stage)) == 2)
    family = psutil.Process(process.pid).children(recursive=True)
    family[0].suspend()  # an epoch that takes for ever
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == -signal.SIGINT and "Traceback" not in said
    psutil.wait_procs(family, timeout=10)
    assert not [each for each in family if each.is_running()]


class Loopback:
    """Two addresses of this machine."""

    addresses = ("127.0.0.2", "127.0.0.3")
    inside: tuple[tuple[str, ...], ...] = ((), ())

    def lose(self, node):
        [raylet] = [each for each in node.children(recursive=True) if kind(each) == "raylet"]
        raylet.kill()

    def close(self): ...


class Namespaces:
    """Two hosts with a cable between them."""

    addresses = ("10.213.7.1", "10.213.7.2")
    names = tuple(f"search{os.getpid()}{end}" for end in "ab")
    inside = tuple(("ip", "netns", "exec", name) for name in names)

    def __init__(self):
        try:
            for name in self.names:
                self._ip("netns", "add", name)
            first, second = self.names
            cable = ("link", "add", "eth9", "netns", first, "type", "veth")
            self._ip(*cable, "peer", "name", "eth9", "netns", second)
            for name, address in zip(self.names, self.addresses, strict=True):
                self._ip("-n", name, "address", "add", f"{address}/24", "dev", "eth9")
                for device in ("lo", "eth9"):
                    self._ip("-n", name, "link", "set", device, "up")
        except (OSError, subprocess.CalledProcessError) as error:
            self.close()
            said = getattr(error, "stderr", "") or error
            pytest.skip(f"no network namespaces can be made here: {said}")

    def _ip(self, *arguments):
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)

    def lose(self, node):
        """The cable is pulled: no goodbye, and no refusal either."""
        self._ip("-n", self.names[1], "link", "set", "eth9", "down")

    def close(self):
        for name in self.names if shutil.which("ip") else ():
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [Loopback, Namespaces])
def test_a_machine_is_lost_and_the_search_goes_on(stage, tmp_path, hosts):
    """A second machine with a checkout of its own; it is lost with a trial in hand."""
    wanted = {"max_trials": 3, "max_epochs": 60, "patience": 60, "workers": 2, "cpus": 1}
    first = stage(**wanted)
    (tmp_path / "elsewhere").mkdir()
    second = Stage(tmp_path / "elsewhere", **wanted)
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("5" * 64)
    folder = Path(cluster.private_folder())
    knows = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_health_check_initial_delay_ms": "0",  # not to wait for half a minute
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_timeout_ms": "1000",
    }
    hosts, processes = hosts(), []
    address = f"{hosts.addresses[0]}:6399"
    head = ("--head", "--port=6399", "--include-dashboard=false", f"--temp-dir={folder}")
    try:
        parts = (first, second), hosts.inside, hosts.addresses, (head, (f"--address={address}",))
        for checkout, place, ip, how in zip(*parts, strict=True):
            command = ("ray.scripts.scripts", "start", f"--node-ip-address={ip}", "--num-cpus=1")
            node = checkout.start(*command, "--block", *how, before=place, **knows)
            processes.append(node)
            wait_for(lambda: answers(address, hosts.inside[0]))
        process = first.start(before=hosts.inside[0], SEARCH_RAY=address, **knows)
        processes.append(process)
        wait_for(lambda: len(running(first)) == 2)
        node = psutil.Process(processes[1].pid)
        there = set(node.children(recursive=True))
        [lost] = [each for each in running(first) if process_of(each) in there]
        hosts.lose(node)
        said = process.communicate(timeout=240)[1]
        assert process.returncode == 0, said
    finally:
        for each in processes:
            if each.poll() is None:
                kill_all(each)
        hosts.close()
        shutil.rmtree(folder, ignore_errors=True)
    everything = found(first)
    assert sorted(a.trial for a in everything if a.status == "COMPLETED") == [0, 1, 2]
    [interrupted] = [a for a in everything if a.status != "COMPLETED"]
    assert (interrupted.trial, interrupted.attempt) == (lost.trial, 1)
    assert not interrupted.crashed  # it is not to blame
    assert {a.batch_size for a in everything} == {interrupted.batch_size}
    _, runs = mlflow_runs(first)
    assert len(runs) == 1 + len(everything)


def answers(address, inside):
    host, port = address.split(":")
    probe = f"import socket; socket.create_connection(({host!r}, {port}), 1)"
    asked = subprocess.run([*inside, sys.executable, "-c", probe], capture_output=True, check=False)
    return asked.returncode == 0


def test_another_checkout_trains_nothing_and_says_what_to_do(stage, monkeypatch):
    stage = stage()
    monkeypatch.chdir(stage.path)
    shards = Path("data/shards/age")
    data = digest_folders(shards / "train", shards / "val")
    order = Order("age", "another", "another", {}, [], {})
    with pytest.raises(UserError, match="run `dvc pull data/shards/age` there"):
        next(train(order))
    with pytest.raises(UserError, match="the search is another: code, parameters"):
        next(train(order._replace(data=data)))
    shutil.rmtree(shards / "val")
    with pytest.raises(UserError, match="dvc pull"):
        next(train(order._replace(data=data)))


def test_what_is_missing_is_named_with_its_remedy(monkeypatch):
    def enter(**changes):
        with cluster.environment("age", small(**changes)):
            pass

    monkeypatch.setenv(cluster.ADDRESS, "127.0.0.1:9")
    with pytest.raises(UserError, match="SEARCH_RAY=127.0.0.1:9: nobody answers"):
        enter()
    monkeypatch.setenv(cluster.ADDRESS, "nonsense")
    with pytest.raises(UserError, match="SEARCH_RAY=nonsense"):
        enter()
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="SEARCH_RAY=nonsense needs Ray.*requirements-ray.txt"):
        enter()
    monkeypatch.delenv(cluster.ADDRESS)
    with pytest.raises(UserError, match="tasks.age.search.workers: 2 needs Ray"):
        enter(workers=2)
    enter(workers=1)
