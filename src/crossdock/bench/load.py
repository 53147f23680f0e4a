"""Load generators over loopback.

`send`: HTTP/1.1 connections that each send as soon as they are answered. It parses no more of an
answer than its length and status, so that what is measured is the server. `call`: the typed client,
as programs of customers use it.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from crossdock.client import ApiError, Client

_END = b"\r\n\r\n"


class Load(NamedTuple):
    """What came of some requests."""

    seconds: float
    milliseconds: list[float]
    """How long each took, shortest first."""
    statuses: dict[int, int]

    @property
    def per_second(self) -> float:
        return len(self.milliseconds) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of all requests was answered."""
        return self.milliseconds[
            min(len(self.milliseconds) - 1, int(len(self.milliseconds) * share))
        ]


def request_bytes(
    method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> bytes:
    """One request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + _END + body


def send(port: int, requests: Sequence[bytes], connections: int, per_second: float = 0.0) -> Load:
    """Send all of them from a process of its own.

    As fast as they are answered; or `per_second`, where the time of each counts from when it was
    due, so that a server that falls behind does not look fast.
    """
    return _apart(_send, port, requests, connections, per_second)


class Call(NamedTuple):
    """A method of the client, and what it is given."""

    method: str
    given: tuple[Any, ...]


PAGE = 20
"""Of a list, so many items are read."""


def call(port: int, key: str, calls: Sequence[Call], threads: int, per_second: float) -> Load:
    """Have clients make these calls, so many a second, from a process of their own.

    What the API refuses counts by its status; what it does not answer is an error.
    """
    return _apart(_call, port, key, calls, threads, per_second)


def _apart(body: Callable[..., Load], *given: object) -> Load:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_answer, args=(body, given, theirs), daemon=True)
    process.start()
    theirs.close()  # So that a generator that dies ends the waiting.
    load = ours.recv()
    process.join()
    assert isinstance(load, Load)
    return load


def _answer(body: Callable[..., Load], given: Sequence[Any], answers: Any) -> None:
    answers.send(body(*given))


def _call(port: int, key: str, calls: Sequence[Call], threads: int, per_second: float) -> Load:
    begun = time.perf_counter() + 0.5
    coming, turn = enumerate(calls), threading.Lock()
    took: list[float] = []
    statuses: Counter[int] = Counter()
    troubles: list[Exception] = []

    def work() -> None:
        with Client(f"http://127.0.0.1:{port}", key, tries=1) as client:
            client.http.client.event_hooks["response"] = [
                lambda answer: statuses.update([answer.status_code])
            ]
            while not troubles:
                with turn:
                    number, wanted = next(coming, (0, None))
                if wanted is None:
                    return
                due = begun + number / per_second
                time.sleep(max(0.0, due - time.perf_counter()))
                try:
                    _carry_out(client, wanted)
                except Exception as trouble:
                    troubles.append(trouble)
                took.append((time.perf_counter() - due) * 1000)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if troubles:
        raise troubles[0]
    return Load(time.perf_counter() - begun, sorted(took), dict(statuses))


def _carry_out(client: Client, wanted: Call) -> None:
    with contextlib.suppress(ApiError):
        answer = getattr(client, wanted.method)(*wanted.given)
        if isinstance(answer, Iterator):
            deque(islice(answer, PAGE), maxlen=0)


def _send(port: int, requests: Sequence[bytes], connections: int, per_second: float) -> Load:
    return asyncio.run(_run(port, requests, connections, per_second))


async def _run(port: int, requests: Sequence[bytes], connections: int, per_second: float) -> Load:
    loop = asyncio.get_running_loop()
    begun = loop.time() + 0.5
    pause = 1 / per_second if per_second else 0.0
    coming = ((begun + i * pause if pause else 0.0, text) for i, text in enumerate(requests))
    clients = [_Client(loop, coming) for _ in range(min(connections, len(requests)))]
    for client in clients:
        await loop.create_connection(partial(_same, client), "127.0.0.1", port)
    started = begun if pause else loop.time()
    for client in clients:
        client.go_on()
    await asyncio.gather(*(client.ended for client in clients))
    seconds = loop.time() - started
    statuses: Counter[int] = Counter()
    for client in clients:
        statuses += client.statuses
    took = sorted(taken * 1000 for client in clients for taken in client.took)
    return Load(seconds, took, dict(statuses))


def _same(client: _Client) -> _Client:
    return client


class _Client(asyncio.Protocol):
    """One connection; the next request goes out when the answer is in."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, coming: Iterator[tuple[float, bytes]]
    ) -> None:
        self._loop = loop
        self.ended: asyncio.Future[None] = loop.create_future()
        self.statuses: Counter[int] = Counter()
        self.took: list[float] = []
        self._coming = coming
        self._answer = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._answer = self._answer + data if self._answer else data
        head = self._answer.find(_END)
        if head < 0 or len(self._answer) < head + 4 + _length(self._answer[:head]):
            return
        self.took.append(self._loop.time() - self._sent)
        self.statuses[int(self._answer[9:12])] += 1
        self._answer = b""
        self.go_on()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionError("the server closed the connection"))

    def go_on(self) -> None:
        """Send the next request, or end."""
        assert self._transport is not None
        following = next(self._coming, None)
        if following is None:
            self.ended.set_result(None)
            self._transport.close()
            return
        due, text = following
        if due > self._loop.time():
            self._loop.call_at(due, self._write, due, text)
        else:
            self._write(due or self._loop.time(), text)

    def _write(self, due: float, text: bytes) -> None:
        assert self._transport is not None
        self._sent = due
        self._transport.write(text)


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"content-length:")
    return 0 if at < 0 else int(lower[at + 15 :].split(b"\r\n", 1)[0])
