"""Who may talk to a chief: those that can read the search's folder, where its token lies."""

import hmac
import secrets
import time
from pathlib import Path
from typing import Any

import grpc

from stages.common.files import new_file

FILE = "token"
KEY = "token"  # of the metadata that are sent with each call


def make(scratch: Path) -> str:
    """The chief's. One that is started again has the same, so that its workers may go on."""
    path = scratch / FILE
    if not path.exists():
        with new_file(path) as part:
            part.touch(0o600)
            part.write_text(secrets.token_hex(32), "ascii")
    return path.read_text("ascii")


def wait(scratch: Path) -> str:
    """A worker's, which starts when its chief does."""
    while not (scratch / FILE).exists():
        time.sleep(0.1)
    return (scratch / FILE).read_text("ascii")


class Sends(grpc.UnaryUnaryClientInterceptor):
    """Sends the token with each call."""

    def __init__(self, token: str) -> None:
        self._token = token

    def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        metadata = [*(client_call_details.metadata or ()), (KEY, self._token)]
        return continuation(client_call_details._replace(metadata=metadata), request)


class Asks(grpc.ServerInterceptor):
    """Refuses each call that comes without the token, before anything reads it."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        sent = dict(handler_call_details.invocation_metadata).get(KEY, "")
        if hmac.compare_digest(sent.encode(), self._token):
            return continuation(handler_call_details)
        return grpc.unary_unary_rpc_method_handler(_refuse)


def _refuse(request: bytes, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "this search has another token")
