"""python -m app.server: the page, at the address that params.yaml names (`make app`).

Reads params.yaml and data/promote; writes nothing but what visitors give, if `app.inbox` is set.
"""

import ipaddress
import logging
import socket
from pathlib import Path

from app import memory
from stages.common.door import enter
from stages.common.errors import UserError
from stages.params.merge import load_app, titles
from stages.records.params import App

log = logging.getLogger(__name__)
END = 5  # seconds that photos under way get when the server ends


def main() -> None:
    app, names = load_app(), titles()
    listener = _listen(app)
    memory.give_back()
    log.info("Loading the networks ...")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it counts the networks as retracings
    from app.server.promoted import Promoted
    from app.server.site import UVICORN, site

    promoted = Promoted(Path(), list(names))
    if not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
        log.warning("app.host %s: other machines can use this page, without a password", app.host)
    import uvicorn

    config = uvicorn.Config(site(promoted, app, names), **UVICORN, timeout_graceful_shutdown=END)
    log.info("The page is at http://%s:%s (Ctrl-C ends it)", app.host, app.port)
    uvicorn.Server(config).run(sockets=[listener])


def _listen(app: App) -> socket.socket:
    """Before the networks are loaded, so that a port that is taken is reported at once."""
    try:
        family, *_, address = socket.getaddrinfo(app.host, app.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise UserError(
            f"app.host {app.host}, app.port {app.port}: {error.strerror}; "
            "name others in params.yaml"
        ) from error
    return listener


if __name__ == "__main__":
    enter(main)
