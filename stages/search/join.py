"""python -m stages.search.join age HOST:PORT: a worker for a search whose chief is elsewhere.

Run it in a checkout with the same commit and parameters and the same shards (`dvc pull`), whose
`.search` is the chief's (a shared folder). When it is stopped, another worker takes its trial over.
"""

import argparse

from stages.common.door import enter
from stages.records.folders import Folders
from stages.search.processes.run import join


def main() -> None:
    parser = argparse.ArgumentParser(prog="stages.search.join")
    parser.add_argument("task", help="a task of params.yaml")
    parser.add_argument("chief", help="host:port, as SEARCH_CHIEF where the search was started")
    arguments = parser.parse_args()
    join(arguments.chief, Folders(arguments.task))


if __name__ == "__main__":
    enter(main)
