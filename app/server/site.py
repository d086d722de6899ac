"""The page and what it asks for. Nothing is logged about visitors, and no photo is kept."""

import asyncio
import ipaddress
import logging
import mimetypes
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server import answers, inbox, pages, upload, wire, words, worth
from app.server.promoted import Network, Promoted
from app.server.words import Refused, language_of
from stages.params.merge import Titles
from stages.records.params import App

UVICORN = {"access_log": False, "log_level": "warning", "server_header": False}
QUEUE = 8  # times `app.concurrency`: so many photos are answered or wait; the next one is refused
HEADERS = {
    "Content-Security-Policy": f"{pages.POLICY}; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": wire.Problem} for status in (400, 403, 404, 408, 413, 415, 422, 429)
}
PHOTO = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["photo"],
                    "properties": {"photo": {"type": "string", "format": "binary"}},
                }
            },
            "image/*": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
# OpenCV is a program in WebAssembly that writes its own wrappers. A worker has the policy that its
# file came with; the page keeps the one that it names itself.
PROGRAM = "script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'; frame-ancestors 'none'"
T = TypeVar("T")
log = logging.getLogger(__name__)
mimetypes.add_type("font/woff2", ".woff2")  # which not every system knows
mimetypes.add_type("text/javascript", ".js")


def site(
    promoted: Promoted, app: App, titles: dict[str, Titles], published: Path = Path("site")
) -> FastAPI:
    """The whole server. `titles`: the tasks' names of params.yaml; `published`: the page without a
    server, which is served at /site/ if there is one."""
    site = FastAPI(
        title="Face", openapi_url="/openapi.json", docs_url=None, redoc_url=None, version="1"
    )
    desk = Desk(app.concurrency)

    def network(task: str) -> Network:
        for each in promoted.networks():
            if each.task == task:
                return each
        raise Refused(404, "error.no_task")

    @site.get("/", response_class=HTMLResponse, include_in_schema=False)
    def page(request: Request) -> str:
        return pages.index(language_of(request), here=False)

    @site.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    def docs(request: Request) -> str:
        return pages.render("docs.html", language_of(request), api=site.openapi())

    @site.get("/cards/{task}", response_class=HTMLResponse, include_in_schema=False)
    def card(request: Request, task: str) -> str:
        found, language = network(task), language_of(request)
        title = worth.task(found, titles.get(task), language).title
        return pages.card(found.card, title, language)

    @site.get("/healthz")
    async def healthz() -> wire.Ready:
        """The networks are loaded before the server listens."""
        return wire.Ready(ready=True)

    @site.get("/api/tasks")
    def tasks(request: Request) -> wire.Tasks:
        """The questions, and what the answers to them are worth."""
        language = language_of(request)
        found = [worth.task(each, titles.get(each.task), language) for each in promoted.networks()]
        return wire.Tasks(
            drawn=all(each.drawn for each in found),
            inbox=app.inbox is not None,
            max_bytes=app.max_megabytes * upload.MB,
            tasks=found,
        )

    @site.post("/api/answers", responses=PROBLEMS, openapi_extra=PHOTO)
    async def answer(request: Request, face: int | None = None) -> wire.Answers:
        """The answers of all networks about one face of a photo.

        The photo is the file `photo` of a form, or the body. `face`: its place from left to right,
        from 0; without it the answers are about the largest face, or as params.yaml says.
        """
        language = language_of(request)

        def work(photo: bytes) -> wire.Answers:
            image = upload.decoded(photo, app)
            return answers.answers(promoted.networks(), image, face, language)

        async with desk:
            sent = await upload.read(request, app)
            return await desk.work(lambda: work(sent.photo))

    @site.post("/api/explanation", responses=PROBLEMS, openapi_extra=PHOTO)
    async def explanation(request: Request, task: str, face: int | None = None) -> wire.Explanation:
        """How much an answer changes where a part of the face is covered."""
        found = network(task)

        def work(photo: bytes) -> wire.Explanation:
            return answers.explanation(found, upload.decoded(photo, app), face)

        async with desk:
            sent = await upload.read(request, app)
            return await desk.work(lambda: work(sent.photo))

    @site.post("/api/wrong", status_code=201, responses=PROBLEMS, openapi_extra=PHOTO)
    async def wrong(request: Request, face: int | None = None) -> wire.Done:
        """Keep a photo with the right answer, for the next training.

        A form with `photo`, `task`, `label` and `consent` = yes, perhaps `value`, its number.
        Only where the server's owner has set `app.inbox`.
        """
        if app.inbox is None:
            raise Refused(404, "error.no_inbox")
        folder = app.inbox
        async with desk:
            sent = await upload.read(request, app)
            if sent.fields.get("consent") != "yes":
                raise Refused(422, "error.consent")
            found, label = network(sent.fields.get("task", "")), sent.fields.get("label", "")
            value = inbox.value(sent.fields.get("value", ""), label, found)

            def work() -> None:
                image = upload.decoded(sent.photo, app)
                inbox.keep(folder, found, label, value, answers.alone(found.chain, image, face))

            await desk.work(work)
        return wire.Done()

    if published.is_dir():
        site.mount("/site", StaticFiles(directory=published, html=True))
    site.mount("/static/words", StaticFiles(directory=words.FOLDER))
    site.mount("/static", StaticFiles(directory=pages.PAGE))
    for error in (Refused, HTTPException, RequestValidationError, ClientDisconnect, Exception):
        site.add_exception_handler(error, _problem)
    site.add_middleware(Guard, host=app.host)
    return site


class Desk:
    """Where photos wait: `concurrency` are worked on at a time, `QUEUE` times as many let in."""

    def __init__(self, concurrency: int) -> None:
        self._pool = ThreadPoolExecutor(concurrency, "photo")
        self._room = QUEUE * concurrency

    async def __aenter__(self) -> None:
        if self._room == 0:
            raise Refused(429, "error.busy")
        self._room -= 1

    async def __aexit__(self, *_: object) -> None:
        self._room += 1

    async def work(self, function: Callable[[], T]) -> T:
        """`function()` in a thread. What goes wrong with a photo there is the reason that it has
        no answer."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function)
        except Refused:
            raise
        except Exception as error:
            log.warning("A photo gets no answer", exc_info=error)
            raise Refused(422, "error.odd_photo") from error


class Guard:
    """Refuses requests that other pages make through a visitor's browser; adds the headers."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._names = {host, "localhost", socket.gethostname()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                found.update(HEADERS)
                if scope["path"].startswith("/site/"):
                    found["Content-Security-Policy"] = f"{pages.POLICY}; {PROGRAM}"
            await send(message)

        refused = self._refused(Headers(scope=scope))
        if refused is None:
            await self._app(scope, receive, with_headers)
        else:
            answer = _refusal(refused, Request(scope))
            await answer(scope, receive, with_headers)

    def _refused(self, headers: Headers) -> Refused | None:
        host = headers.get("host", "")
        if not self._known(host):
            return Refused(400, "error.host")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return Refused(403, "error.origin")
        return None

    def _known(self, host: str) -> bool:
        """Whether the page that asks may have come from here. One of another name, which has been
        made to lead to this machine ("DNS rebinding"), has not. Any address may be this machine's.
        """
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True


def _problem(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError):
        error = Refused(422, "error.bad_request")
    elif isinstance(error, HTTPException):
        code = "error.not_found" if error.status_code == 404 else "error.bad_request"
        error = Refused(error.status_code, code)
    elif isinstance(error, ClientDisconnect):
        error = Refused(400, "error.bad_request")  # nobody is there to read it
    elif not isinstance(error, Refused):
        error = Refused(500, "error.internal")
    return _refusal(error, request)


def _refusal(error: Refused, request: Request) -> Response:
    """Ends the connection: the rest of a body may still be on its way."""
    problem = wire.Problem(code=error.code, reason=error.reason(language_of(request)))
    headers = {"Connection": "close"} | ({"Retry-After": "1"} if error.status == 429 else {})
    return JSONResponse(problem.model_dump(), error.status, headers)
