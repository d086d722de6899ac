"""Python imports this at its start if PYTHONPATH has this folder, see `tests.network_guard`."""

import os
import sys

NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.sendto")
HERE = ("127.", "::1", "localhost", "0.0.0.0", "::")


def _note(event, details):
    if event == "socket.connect" or event == "socket.sendto":
        host = details[1][0] if isinstance(details[1], tuple) else ""  # of a Unix socket: a path
    elif event in NAMES:
        host = details[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host or "")
    if host and not host.startswith(HERE):
        with open(os.environ["NETWORK_LOG"], "a") as log:
            log.write(f"{event} {host} by {' '.join(sys.argv)}\n")


if "NETWORK_LOG" in os.environ:
    sys.addaudithook(_note)
