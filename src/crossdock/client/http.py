"""One request: sent again while that is safe and may help, its error as an exception.

A request is repeated after a lost connection, 429 and 503. That is safe: reads change nothing, and
every write that could be done twice carries an Idempotency-Key that stays the same.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx2
import msgspec

from crossdock import __version__

T = TypeVar("T")

LONGEST_WAIT_SECONDS = 30.0
REPEATED = frozenset((429, 503))


class ProblemError(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request."""

    path: str
    code: str
    problem: str
    advice: str = ""


class _Problem(msgspec.Struct, frozen=True):
    title: str = ""
    code: str = ""
    detail: str = ""
    errors: tuple[ProblemError, ...] = ()


class Unreachable(Exception):
    """Nobody answered, however often it was asked."""


class ApiError(Exception):
    """The API refused. `code` is of docs/reference/errors.md; `errors` names every field."""

    def __init__(self, status: int, body: bytes) -> None:
        try:
            problem = msgspec.json.decode(body, type=_Problem)
        except msgspec.DecodeError:
            problem = _Problem(detail=body[:200].decode("utf-8", "replace"))
        findings = "".join(f"\n  {e.path}: {e.problem} {e.advice}" for e in problem.errors)
        told = " ".join(text for text in (problem.title, problem.detail) if text)
        super().__init__(f"{status} {problem.code}: {told}{findings}")
        self.status = status
        self.code = problem.code
        self.detail = problem.detail
        self.errors = problem.errors


class Http:
    """Sends requests with a key; `tries` bounds how often one is sent."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float,
        tries: int,
        transport: httpx2.BaseTransport | None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.tries = tries
        self.pause = pause
        self.client = httpx2.Client(
            base_url=url,
            timeout=timeout_seconds,
            transport=transport,
            headers={"Authorization": f"Bearer {key}", "User-Agent": f"Crossdock/{__version__}"},
        )

    def send(
        self,
        method: str,
        path: str,
        wanted: type[T],
        body: object = None,
        *,
        query: Mapping[str, Any] | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """The answer as `wanted`. Raises ApiError or Unreachable.

        A body of bytes is sent as it is, any other as JSON. Every write gets an Idempotency-Key:
        `key`, or a new one.
        """
        content = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        form = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        sent = {"Content-Type": form} if content is not None else {}
        if method != "GET":
            sent["Idempotency-Key"] = key or str(uuid.uuid4())
        parameters = {name: value for name, value in (query or {}).items() if value is not None}
        request = self.client.build_request(
            method, path, content=content, params=parameters, headers={**sent, **(headers or {})}
        )
        response = self._until_answered(request)
        if not response.is_success:
            raise ApiError(response.status_code, response.content)
        if wanted is type(None):
            return None
        return msgspec.json.decode(response.content, type=wanted)

    def _until_answered(self, request: httpx2.Request) -> httpx2.Response:
        for attempt in range(1, self.tries + 1):
            wait = min(LONGEST_WAIT_SECONDS, 0.2 * 2**attempt) * (0.5 + random.random() / 2)
            try:
                response = self.client.send(request)
            except httpx2.TransportError as error:
                if attempt == self.tries:
                    told = f"{request.method} {request.url}: {type(error).__name__} {error}"
                    raise Unreachable(told) from error
            else:
                if response.status_code not in REPEATED or attempt == self.tries:
                    return response
                wait = max(wait, _retry_after(response))
            self.pause(wait)
        raise AssertionError("a request is tried at least once")

    def close(self) -> None:
        """End its connections."""
        self.client.close()


def _retry_after(response: httpx2.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), LONGEST_WAIT_SECONDS) if text.isdigit() else 0.0
