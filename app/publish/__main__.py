"""python -m app.publish: the page without a server, in the folder `site` (`make site`).

Reads params.yaml, data/promote and data/export; `npm` fetches the runtime, once.
"""

import logging
from pathlib import Path

from stages.common.door import enter
from stages.params.merge import load, load_app, titles

log = logging.getLogger(__name__)
OUT = Path("site")
CACHE = Path(".cache/site")


def main() -> None:
    app, names = load_app(), titles()
    weights = next(iter(load().tasks.values())).weights  # of all tasks
    from app.publish import runtime
    from app.publish.publish import find, notice, publish
    from app.server.promoted import Promoted

    sources = find(Promoted(Path(), list(names)).networks())
    for line in notice(sources):
        log.info(line)
    vendored = runtime.load(weights.local, CACHE, download=weights.download)
    size = publish(OUT, sources, vendored, app, names)
    log.info(
        "%s: %d files, %.1f MB (%.1f MB as hosts send them). Try it: "
        "python -m http.server -b 127.0.0.1 -d %s",
        OUT, size.files, size.bytes / 1e6, size.compressed / 1e6, OUT,
    )  # fmt: skip


if __name__ == "__main__":
    enter(main)
