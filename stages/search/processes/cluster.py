"""Ray: started on this machine for one search, or the cluster at SEARCH_RAY; who may talk to it.

The parent of the search's process sets what Ray reads when it is imported; the process itself
connects.
"""

import importlib.util
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.common.errors import UserError
from stages.common.parallel import cores
from stages.records.params import Search

log = logging.getLogger(__name__)
ADDRESS = "SEARCH_RAY"  # host:port of a cluster's head, or `auto`: the one that runs here
FOLDER = "SEARCH_RAY_FOLDER"  # for the files of a Ray that is started for one search
TASKS = 8  # of a process without a GPU
INSTALL = f"{sys.executable} -m pip install --require-hashes -r requirements-ray.txt"


def wanted(params: Search) -> bool:
    return params.workers > 1 or ADDRESS in os.environ


@contextmanager
def environment(task: str, params: Search) -> Iterator[dict[str, str]]:
    """What the search's process and its Ray need to know; `{}` where it needs no Ray.

    Raises `UserError` where Ray is not installed.
    """
    if not wanted(params):
        yield {}
        return
    address = os.environ.get(ADDRESS)
    if importlib.util.find_spec("ray") is None:
        key = (
            f"{ADDRESS}={address}" if address else f"tasks.{task}.search.workers: {params.workers}"
        )
        raise UserError(f"{key} needs Ray, which is not installed: {INSTALL}")
    found = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
    if address:
        _refuse_unreachable(address)
        yield found  # and Ray looks for the token where it always does
        return
    folder = private_folder()
    token = folder / "token"
    token.touch(0o600)
    token.write_text(secrets.token_hex(32), "ascii")
    found |= {"RAY_AUTH_TOKEN": "", "RAY_AUTH_TOKEN_PATH": str(token), FOLDER: str(folder)}
    # Without this Ray would listen on all of the machine's addresses. It is meant for systems where
    # it does not support clusters.
    found |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    try:
        yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def private_folder() -> Path:
    """For the files of a Ray; its owner alone may enter it.

    Not in $TMPDIR: a socket's path may have 107 bytes, and Ray's part of it has 70.
    """
    return Path(tempfile.mkdtemp(prefix="search-", dir="/tmp"))


def _refuse_unreachable(address: str) -> None:
    """Ray itself would wait for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise UserError(
            f"{ADDRESS}={address}: nobody answers there ({error}); it must be the host:port of a "
            "Ray cluster that this machine belongs to, see docs/operations.md"
        ) from error


@contextmanager
def connected(params: Search) -> Iterator[None]:
    """Raises `UserError` where there is no cluster, or no machine in it that can train a trial."""
    import ray
    from ray.exceptions import AuthenticationError

    paths = [".", *filter(None, [os.environ.get("PYTHONPATH")])]  # `.`: the worker's own checkout
    threads = str(cpus(params))
    variables = {
        "PYTHONPATH": os.pathsep.join(paths),
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else tasks with `gpus: 0` would see none
    }
    address = os.environ.get(ADDRESS)
    own = {
        "num_cpus": params.workers * cpus(params),
        "include_dashboard": False,
        "_temp_dir": f"{os.environ.get(FOLDER)}/ray",  # which Ray lets everybody write to
    }
    try:
        ray.init(
            address=address or "local",
            runtime_env={"env_vars": variables},
            log_to_driver=False,
            configure_logging=False,
            logging_level=logging.WARNING,
            **({} if address else own),
        )
    except (AuthenticationError, ConnectionError, RuntimeError, ValueError) as error:
        if not address:
            raise
        raise UserError(
            f"{ADDRESS}={address}: {error}\nStart Ray on this machine first, and with the same "
            "token: see docs/operations.md"
        ) from error
    try:
        _refuse_small_machines(params)
        yield
    finally:
        ray.shutdown()


def cpus(params: Search) -> int:
    return params.cpus or max(1, cores() // params.workers)


def remote(function: Callable, params: Search) -> Any:
    """A Ray task that streams what `function` yields.

    A process ends after some tasks, because TensorFlow leaks; with a GPU after each, because it
    keeps the GPU's memory.
    """
    import ray

    return ray.remote(
        num_cpus=cpus(params),
        num_gpus=params.gpus,
        num_returns="streaming",
        max_retries=0,
        max_calls=1 if params.gpus else TASKS,
    )(function)


def _refuse_small_machines(params: Search) -> None:
    import ray

    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    log.info("Ray: %s cores", " + ".join(f"{each.get('CPU', 0):g}" for each in machines))
    need = {"CPU": cpus(params), "GPU": params.gpus}
    if not any(all(m.get(what, 0) >= n for what, n in need.items()) for m in machines):
        raise UserError(
            f"search.cpus: {params.cpus}, search.gpus: {params.gpus:g}: no machine has "
            f"{need['CPU']} cores and {need['GPU']:g} GPUs; ask for less, or add a machine"
        )
