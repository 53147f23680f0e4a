"""What a request may weigh: its body's size, time, nesting and texts, and its path's length.

A body is read here, whole and within its limits, before any handler sees it. A handler with
`opt={"streams": True}` reads its body itself, in pieces; size and silence are watched all the same.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from math import inf
from typing import Any, cast
from urllib.parse import parse_qsl

from litestar.types import HTTPReceiveMessage, HTTPScope, Receive

from crossdock.api.problems import (
    MALFORMED,
    TOO_LARGE,
    UNSUPPORTED_MEDIA,
    ApiProblem,
    problem_type,
)
from crossdock.model.problems import Problem
from crossdock.settings import LimitsSettings

TOO_SLOW = problem_type(
    "request_timeout",
    408,
    "The body did not arrive in time",
    cause="The client stopped sending, or sent too slowly.",
    remedy="Send the same request again over a better connection, or send less at once.",
)
TOO_LONG_PATH = problem_type(
    "uri_too_long",
    414,
    "The path with its parameters is too long",
    cause="The path and query string together are over the limit.",
    remedy="Ask for fewer things at once.",
)

_time = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
).fullmatch
_OPENING = b"{["
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_CLOSE = {"connection": "close"}
"""What is left of the body is not read: the connection ends with the answer."""


def check_target(scope: HTTPScope, limits: LimitsSettings) -> None:
    """Raises ApiProblem 414 for a path and query over the limit, 400 for a NUL in them."""
    if len(scope["path"]) + len(scope["query_string"]) > limits.query_characters:
        raise ApiProblem(TOO_LONG_PATH, f"Over {limits.query_characters:,} characters.")
    if b"%00" in scope["query_string"] or "\0" in scope["path"]:
        raise ApiProblem(MALFORMED, "A parameter does not fit.", _with_nul(scope))


def _with_nul(scope: HTTPScope) -> list[Problem]:
    """The parameters that hold a character which no text of ours can have."""
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    names = [name.replace("\0", "") for name, value in given if "\0" in name + value]
    return [
        Problem(name, "unstorable_character", "It holds the character NUL.", "Leave it out.")
        for name in names or ["(path)"]
    ]


def check_times(scope: HTTPScope, names: Sequence[str]) -> None:
    """Raises ApiProblem 400 for a parameter that is no RFC 3339 time with its zone.

    Litestar would take a number for seconds since 1970, and a plus sign that is not encoded for a
    blank.
    """
    if not names:
        return
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    found = [
        Problem(
            name,
            "bad_time",
            f"{value[:40]!r} is no time with its zone.",
            "Send it as in 2026-11-03T09:41:00Z; a plus sign in a URL is written %2B.",
        )
        for name, value in given
        if name in names and _time(value) is None
    ]
    if found:
        raise ApiProblem(MALFORMED, "A parameter does not fit.", found)


class _Alarm:
    """Wakes the task that waits, unless it is turned off before."""

    __slots__ = ("rang", "task")

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "a request is answered in a task"
        self.task = task
        self.rang = False

    def ring(self) -> None:
        self.rang = True
        self.task.cancel()


class Body:
    """The `receive` of one request, with its limits."""

    __slots__ = ("_limits", "_receive", "_scope", "_whole", "size")

    def __init__(self, scope: HTTPScope, receive: Receive, limits: LimitsSettings) -> None:
        self._scope, self._receive, self._limits = scope, receive, limits
        self._whole = False
        self.size = 0

    async def receive(self) -> Any:
        """The next message. Raises ApiProblem 400, 408, 413 or 415."""
        if self._whole:
            return await self._receive()
        opt = _opt(self._scope)
        if opt.get("streams"):
            message = await self._next(self._limits.file_bytes)
            self._whole = not message.get("more_body")
            return message
        self._check_encoding()
        body = await self._all(
            self._limits.bulk_body_bytes if opt.get("bulk") else self._limits.body_bytes
        )
        self._whole = True
        check_shape(body, self._limits)
        return {"type": "http.request", "body": body, "more_body": False}

    async def _all(self, most: int) -> bytes:
        """The whole body, by the time it has to be there."""
        announced = _header(self._scope, b"content-length")
        if announced.isdigit() and int(announced) > most:
            raise self._too_large(most)
        message = await self._next(most)
        parts = [message.get("body", b"")]
        if message.get("more_body"):
            message = await self._rest(most, parts)
        if message["type"] == "http.disconnect":
            raise ApiProblem(TOO_SLOW, "The client went away.")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _rest(self, most: int, parts: list[bytes]) -> Any:
        """What follows: the whole has `body_seconds`, each part `silence_seconds`."""
        now = asyncio.get_running_loop().time
        ends = now() + self._limits.body_seconds
        message = await self._next(most, self._limits.body_seconds)
        while message.get("more_body"):
            parts.append(message.get("body", b""))
            message = await self._next(most, ends - now())
        parts.append(message.get("body", b""))
        return message

    async def _next(self, most: int, seconds_left: float = inf) -> Any:
        seconds = min(self._limits.silence_seconds, seconds_left)
        alarm = _Alarm()
        # What asyncio.timeout does, at a third of its cost: every request comes by here twice.
        timer = asyncio.get_running_loop().call_later(seconds, alarm.ring)
        try:
            message = cast("HTTPReceiveMessage", await self._receive())
        except asyncio.CancelledError:
            if not alarm.rang:
                raise
            alarm.task.uncancel()
            limits = self._limits
            silent = seconds_left > limits.silence_seconds
            over = limits.silence_seconds if silent else limits.body_seconds
            raise self._too_slow(over) from None
        finally:
            timer.cancel()
        if message["type"] == "http.request":
            self.size += len(message.get("body", b""))
            if self.size > most:
                raise self._too_large(most)
        return message

    def _check_encoding(self) -> None:
        encoding = _header(self._scope, b"content-encoding")
        if encoding not in (b"", b"identity"):
            said = encoding[:40].decode("latin-1")
            raise ApiProblem(UNSUPPORTED_MEDIA, f"Content-Encoding {said} is not taken here.")

    def _too_large(self, most: int) -> ApiProblem:
        self._whole = True
        return ApiProblem(TOO_LARGE, f"It is over {most:,} bytes.", headers=_CLOSE)

    def _too_slow(self, seconds: float) -> ApiProblem:
        self._whole = True
        return ApiProblem(TOO_SLOW, f"It took over {seconds:g} s.", headers=_CLOSE)


def check_shape(body: bytes, limits: LimitsSettings) -> None:
    """Raises ApiProblem 400 where JSON is nested too deeply, or holds too much or too long a text.

    What cannot break a limit is not looked at: a usual order costs three searches in C.
    """
    deep = body.count(b"{") + body.count(b"[") > limits.body_nesting
    many = body.count(b",") >= limits.values
    if not (deep or many or len(body) > limits.string_bytes):
        return
    # Without escapes, every other piece between quotes is a text.
    pieces = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
    rest = b"".join(pieces[0::2])
    found = []
    if max(map(len, pieces[1::2]), default=0) > limits.string_bytes:
        text = f"A text is over {limits.string_bytes:,} bytes."
        found.append(Problem("", "text_too_long", text, "Nothing that we keep is so long."))
    if many and rest.count(b",") >= limits.values:
        text = f"It holds over {limits.values:,} values."
        found.append(Problem("", "too_many_values", text, "Send it in parts, or as a file."))
    if deep and nesting_of(rest) > limits.body_nesting:
        text = f"Objects and arrays are nested over {limits.body_nesting} deep."
        found.append(Problem("", "too_deep", text, "Send it flatter."))
    if found:
        raise ApiProblem(MALFORMED, "The body is not shaped like anything we take.", found)


def nesting_of(text: bytes) -> int:
    """How deeply brackets are nested in a text without strings."""
    depth = deepest = 0
    for bracket in text.translate(None, _NO_BRACKETS):
        if bracket in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


def _opt(scope: HTTPScope) -> dict[str, Any]:
    """The options of the handler, which the router has found by the time anybody reads."""
    handler: Any = scope.get("route_handler")
    return cast("dict[str, Any]", handler.opt) if handler else {}


def _header(scope: HTTPScope, name: bytes) -> bytes:
    return next((value.lower() for key, value in scope["headers"] if key.lower() == name), b"")
