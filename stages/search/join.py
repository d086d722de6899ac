"""python -m stages.search.join age HOST:PORT: a worker for a search whose chief is elsewhere.

Run it in a checkout with the same commit and parameters and the same shards (`dvc pull`), whose
`.search` is the chief's (a shared folder). It may come and go; its trial is then another's.
"""

import argparse
import os
import socket
import time
from pathlib import Path

from stages.common.door import enter
from stages.common.errors import UserError
from stages.common.files import digest_folders
from stages.records.shards import Shards
from stages.search.journal import attempts
from stages.search.processes.supervise import Child, Supervisor


def main() -> None:
    parser = argparse.ArgumentParser(prog="stages.search.join")
    parser.add_argument("task", help="a task of params.yaml")
    parser.add_argument("chief", help="host:port, as SEARCH_CHIEF where the search was started")
    arguments = parser.parse_args()
    host, _, port = arguments.chief.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise UserError(
            f"no chief at {arguments.chief} ({error}); on its machine, run "
            f"SEARCH_CHIEF={arguments.chief} dvc repro"
        ) from error
    parts = Path("data/shards", arguments.task)
    data = digest_folders(*(Shards(parts / part).folder for part in ("train", "val")))
    name = f"{socket.gethostname()}-{os.getpid()}"
    child = Child(arguments.task, data, name, (host, port))
    scratch: Path | None = None

    def crashed(worker: str, reason: str) -> bool:
        if not scratch:
            return False
        now = int(time.time() * 1000)
        return bool(attempts.interrupt(scratch, reason, now, worker=worker, crashed=True))

    with Supervisor([child], crashed) as supervisor:
        search_id = supervisor.announced()["search_id"]
        scratch = Path(f".search/{arguments.task}/{search_id}")
        if not (scratch / "oracle.json").exists():
            raise UserError(
                f"the chief does not work on {scratch}: this checkout has other shards, parameters "
                "or code, or its .search is not the chief's folder"
            )
        supervisor.wait(None)


if __name__ == "__main__":
    enter(main)
