"""What stands around every request: its id, limits, place in the queue, line in the log, trace."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any, cast

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.handlers.base import BaseRouteHandler
from litestar.openapi.spec import Operation, Parameter, Schema
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, HTTPScope, HTTPSendMessage, Method, Receive, Scope, Send
from litestar.utils import normalize_path

from crossdock.api import guards, slashes
from crossdock.api.correlation import NOTES, Notes, new_notes
from crossdock.api.documents import operations_of
from crossdock.api.figures import ApiFigures
from crossdock.api.guards import Body
from crossdock.api.logs import RequestLine, RequestLog, level_of, now_text
from crossdock.api.metrics import Metrics
from crossdock.api.services import Services
from crossdock.api.shedding import Shedding
from crossdock.api.watch import Watch
from crossdock.engine.tracing import Work, open_tracing
from crossdock.settings import LimitsSettings

METHODS: tuple[Method, ...] = ("DELETE", "GET", "PATCH", "POST", "PUT")
"""Of all that a path may take, beside OPTIONS."""

TIMES = "parameters that are a time"
"""In the options of a handler; found in the document."""

Connection = ASGIConnection[Any, Any, Any, Any]


class Operations:
    """One per application, in `app.state.operations`."""

    def __init__(self, services: Services) -> None:
        """Raises SettingRefused where [telemetry] cannot be used."""
        settings = services.settings
        telemetry = settings.telemetry
        self.limits = settings.limits
        self.figures = ApiFigures()
        for backend in (services.live, services.test):
            backend.observe = self.figures.committed
        self.figures.show_waiting(lambda: _waiting(services))
        self.shedding = Shedding(settings.limits, self.figures)
        self.watch = Watch(services.live, self.shedding, self.figures)
        self.metrics = Metrics(services.live, self.figures, self.watch)
        self.log = RequestLog(telemetry)
        self.spans = open_tracing(telemetry.traces_url, "crossdock-api", telemetry.traces_share)

    def start(self) -> None:
        """With the application."""
        self.watch.start()

    def stop(self) -> None:
        """With the application."""
        self.watch.stop()
        if self.spans is not None:
            self.spans.close()


def install(app: Litestar, services: Services) -> Litestar:
    """Puts all of it around the application."""
    operations = app.state.operations = Operations(services)
    for _, handler, operation in operations_of(app):
        handler.opt[TIMES] = _times_of(operation)
    app.on_startup.append(operations.start)
    app.on_shutdown.append(operations.stop)
    app.asgi_handler = Shell(app.asgi_handler, operations)
    return app


def admit(connection: Connection, handler: BaseRouteHandler) -> None:
    """The first guard of every handler. Raises ApiProblem 414, or 503 with Retry-After."""
    operations: Operations = connection.app.state.operations
    scope = cast("HTTPScope", connection.scope)
    slashes.restore(scope)
    guards.check_target(scope, operations.limits)
    if scope["query_string"]:
        guards.check_times(scope, handler.opt.get(TIMES, ()))
    operations.shedding.admit(scope, handler.opt)


class Shell:
    """The outermost layer: sees every request begin and end, whatever happens in between."""

    def __init__(self, app: ASGIApp, operations: Operations) -> None:
        self.app = app
        self.operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        await self._serve(scope, receive, send)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        slashes.keep(scope)
        notes = new_notes(_header(scope, b"x-request-id"))
        limits = self.operations.limits
        body = Body(scope, receive, limits)
        answer = _Answer(send, notes.request_id, limits)
        token = NOTES.set(notes)
        try:
            allowed = _methods_of(scope) if scope["method"] == "OPTIONS" else ""
            if allowed:
                told = ASGIResponse(status_code=204, headers={"allow": allowed})
                await told(scope, body.receive, answer.send)
            else:
                await self.app(scope, body.receive, answer.send)
        except Exception:
            if not answer.gave_up:
                raise
            notes.problem = "client_does_not_read"
        finally:
            NOTES.reset(token)
            self.operations.shedding.leave(scope)
            self._account(scope, notes, body.size, answer, time.perf_counter() - begun)

    def _account(
        self, scope: HTTPScope, notes: Notes, size: int, answer: _Answer, seconds: float
    ) -> None:
        template = scope.get("path_template") or "(none)"
        route = f"{scope['method']} {template}"
        operations, brought = self.operations, notes.brought
        operations.figures.answered(route, answer.status, seconds)
        if operations.log.wants(answer.status):
            caller = scope["state"].get("caller")
            operations.log.write(
                RequestLine(
                    timestamp=now_text(),
                    level=level_of(answer.status),
                    event="request",
                    route=route,
                    status=answer.status,
                    milliseconds=round(seconds * 1_000, 2),
                    request_id=notes.request_id,
                    caller=caller.id if caller is not None else "",
                    correlation_id=brought[0].correlation_id if brought else "",
                    messages=len(brought),
                    problem=notes.problem,
                    bytes_in=size,
                    bytes_out=answer.size,
                )
            )
        if operations.spans is not None:
            about: dict[str, str | int] = {
                "http.request.method": scope["method"],
                "http.route": template,
                "http.response.status_code": answer.status,
                "crossdock.request.id": notes.request_id,
            }
            work = Work(route, seconds, about, failed=answer.status >= 500)
            operations.spans.requested(work, _header(scope, b"traceparent"), brought)


class _Answer:
    """The `send` of one request; a client that does not read what is streamed to it is cut off."""

    __slots__ = ("_id", "_seconds", "_send", "gave_up", "size", "status")

    def __init__(self, send: Send, request_id: str, limits: LimitsSettings) -> None:
        self._send = send
        self._id = request_id.encode()
        self._seconds = limits.silence_seconds
        self.status = 0
        self.size = 0
        self.gave_up = False

    async def send(self, message: Any) -> None:
        message = cast("HTTPSendMessage", message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self._id)]
            await self._send(message)
            return
        if message["type"] == "http.response.body":
            self.size += len(message["body"])
            if message.get("more_body"):
                try:
                    async with asyncio.timeout(self._seconds):
                        await self._send(message)
                except TimeoutError:
                    self.gave_up = True
                    raise
                return
        await self._send(message)


def _methods_of(scope: HTTPScope) -> str:
    """What a path takes, for the Allow header: Litestar's own answer leaves methods out."""
    router = scope["litestar_app"].asgi_router
    found = []
    for method in METHODS:
        with contextlib.suppress(HTTPException):
            router.handle_routing(path=normalize_path(scope["path"]), method=method)
            found.append(method)
    return ", ".join([*found, "OPTIONS"]) if found else ""


def _times_of(operation: Operation) -> tuple[str, ...]:
    """The names of the parameters that are a time."""
    return tuple(
        parameter.name
        for parameter in operation.parameters or ()
        if isinstance(parameter, Parameter)
        and isinstance(parameter.schema, Schema)
        and parameter.schema.format == "date-time"
    )


def _waiting(services: Services) -> Iterator[tuple[str, int]]:
    for backend in (services.live, services.test):
        yield from ((group.name, group.waiting) for group in backend.groups())


def _header(scope: HTTPScope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key.lower() == name:
            return value.decode("latin-1")
    return ""
