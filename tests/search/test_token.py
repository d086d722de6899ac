"""A chief on the loopback address, and who may talk to it."""

import socket
import stat
import threading

import grpc
import pytest
from keras_tuner.src import protos
from keras_tuner.src.engine.oracle import Oracle

from stages.search.control import Control
from stages.search.processes import token
from stages.search.processes.chief import serve
from stages.search.processes.child import HOST, PORT

messages = protos.get_service()


@pytest.fixture
def chief(tmp_path, monkeypatch):
    """A running chief's oracle, address and folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    monkeypatch.setenv(HOST, "127.0.0.1")
    monkeypatch.setenv(PORT, port)
    oracle = Oracle(objective="val_loss", max_trials=9)
    oracle._set_project_dir(tmp_path, "search")
    oracle.verbose = 0
    oracle.populate_space = lambda trial_id: {"status": "RUNNING", "values": {}}
    control = Control()
    thread = threading.Thread(target=serve, args=(oracle, tmp_path, control))
    thread.start()
    yield oracle, f"127.0.0.1:{port}", tmp_path
    control.stop = True
    stub, channel = client(f"127.0.0.1:{port}", token.wait(tmp_path))
    ask(stub, "worker-1")  # which is dismissed
    thread.join(10)
    channel.close()
    assert not thread.is_alive()


def client(address, said=None):
    channel = grpc.insecure_channel(address)
    plain = channel if said is None else grpc.intercept_channel(channel, token.Sends(said))
    return protos.get_service_grpc().OracleStub(plain), channel


def ask(stub, name):
    request = messages.CreateTrialRequest(tuner_id=name)
    return stub.CreateTrial(request, wait_for_ready=True, timeout=10).trial


def test_a_client_without_the_token_takes_no_trial_and_ends_none(chief):
    oracle, address, scratch = chief
    right = token.wait(scratch)
    mine, channel = client(address, right)
    trial = ask(mine, "worker-1")
    before = oracle.get_state(), dict(oracle.ongoing_trials)
    for wrong in (None, "", right[:-1], right + "0", right.upper() + " "):
        rogue, other = client(address, wrong)
        calls = [
            (rogue.CreateTrial, messages.CreateTrialRequest(tuner_id="rogue")),
            (rogue.CreateTrial, messages.CreateTrialRequest(tuner_id="worker-1")),
            (rogue.GetTrial, messages.GetTrialRequest(trial_id=trial.trial_id)),
            (rogue.EndTrial, messages.EndTrialRequest(trial=trial)),
            (rogue.GetSpace, messages.GetSpaceRequest()),
            (rogue.GetBestTrials, messages.GetBestTrialsRequest(num_trials=1)),
        ]
        for call, request in calls:
            with pytest.raises(grpc.RpcError) as error:
                call(request, wait_for_ready=True, timeout=10)
            assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
        other.close()
    assert (oracle.get_state(), dict(oracle.ongoing_trials)) == before
    assert ask(mine, "worker-1").trial_id == trial.trial_id
    channel.close()


def test_the_token_is_the_owners_and_stays_when_a_chief_starts_again(tmp_path):
    first = token.make(tmp_path)
    assert len(first) == 64 and token.make(tmp_path) == first == token.wait(tmp_path)
    assert stat.S_IMODE((tmp_path / token.FILE).stat().st_mode) == 0o600
    assert token.make(tmp_path / "other") != first
