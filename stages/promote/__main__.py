"""python -m stages.promote age

`data/promote/<task>/champion` is a whole chain that outlives searches: DVC versions it, so a clone
that pulls it has the champion even if the last search lost against it.
"""

import logging

from stages.common.door import door
from stages.common.files import alone, new_folder
from stages.records.folders import Folders
from stages.records.params import read

log = logging.getLogger(__name__)


def main(task: str) -> None:
    params, at = read(task), Folders(task)
    from stages.promote.chain_folder import show_card
    from stages.promote.promote import promote

    with alone(at.promote), new_folder(at.promote) as out:
        decision = promote(at, params, out)
    show_card(at)
    log.info("%s: %s", decision.decision, decision.reason)


if __name__ == "__main__":
    door(main)
