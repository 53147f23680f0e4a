"""Writes that share a commit: requests wait in a queue, a thread writes all of them at once.

While one transaction commits, the next ones gather; so the more requests there are, the more of
them share a commit. Under load it waits `gather_seconds` more; a lone request waits for nobody.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from queue import Empty, SimpleQueue
from time import perf_counter, sleep
from typing import Generic, NamedTuple, TypeVar

import structlog

from crossdock import db
from crossdock.api.problems import unavailable
from crossdock.kernel.clock import Clock
from crossdock.kernel.errors import Fault

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger(__name__)

ATTEMPTS = 2
"""Of a transaction that a passing fault ended; the second one has a new connection."""

Write = Callable[[db.Connection, Sequence[T], datetime], Sequence[R]]
"""Writes the items and returns one result each; the caller commits. It may be called again for
items whose commit has an unknown outcome, so that it has to recognize what it wrote before."""

Observe = Callable[[str, int, float], None]
"""Told of every commit: the group's name, how many items shared it, its seconds."""


class _Waiting(NamedTuple, Generic[T, R]):
    item: T
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[R]


_Told = tuple[_Waiting[T, R], R | None, Exception | None]
"""An item with what came of it: its result, or the error that it alone has."""


class GroupCommit(Generic[T, R]):
    """One queue, one thread, one connection."""

    def __init__(
        self,
        name: str,
        write: Write[T, R],
        connect: Callable[[], db.Connection],
        clock: Clock,
        *,
        most_items: int = 500,
        most_waiting: int = 5_000,
        gather_seconds: float = 0.0,
        observe: Observe | None = None,
        weigh: Callable[[T], int] | None = None,
    ) -> None:
        self.name = name
        self.most_items = most_items
        self.most_waiting = most_waiting
        self.gather_seconds = gather_seconds
        self.observe = observe
        self._weigh = weigh or (lambda item: 1)
        self._write = write
        self._connect = connect
        self._clock = clock
        self._queue: SimpleQueue[_Waiting[T, R] | None] = SimpleQueue()
        self._connection: db.Connection | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many items no transaction has taken yet."""
        return self._queue.qsize()

    async def put(self, item: T) -> R:
        """Durable when it returns. Raises what `write` raises for this item, or 503 when full."""
        if self._queue.qsize() >= self.most_waiting:
            raise unavailable(f"{self.most_waiting:,} requests wait for a commit.")
        if self._thread is None:
            self._start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._queue.put(_Waiting(item, loop, future))
        return await future

    def close(self) -> None:
        """Write what waits, then end the thread."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name=f"commit {self.name}", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        ended = shared = False
        while not ended:
            first = self._queue.get()
            if first is None:
                break
            if shared:
                sleep(self.gather_seconds)  # Many are coming: more of them share what it costs.
            taken, weight = [first], self._weigh(first.item)
            try:
                while weight < self.most_items:
                    more = self._queue.get_nowait()
                    if more is None:
                        ended = True
                        break
                    taken.append(more)
                    weight += self._weigh(more.item)
            except Empty:
                pass
            self._settle(taken)
            shared = len(taken) > 1
        if self._connection is not None:
            self._connection.close()

    def _settle(self, taken: Sequence[_Waiting[T, R]]) -> None:
        """Write them together; where that fails, in halves, until the bad one stands alone."""
        started = perf_counter()
        try:
            results = self._transact([waiting.item for waiting in taken])
        except Exception as error:
            if len(taken) == 1 or _passing(error) is not None:
                _tell([(waiting, None, error) for waiting in taken])
                return
            middle = len(taken) // 2
            self._settle(taken[:middle])
            self._settle(taken[middle:])
            return
        assert len(results) == len(taken), f"{self.name}: one result for each item"
        if self.observe is not None:
            self.observe(self.name, len(taken), perf_counter() - started)
        _tell([(w, result, None) for w, result in zip(taken, results, strict=True)])

    def _transact(self, items: Sequence[T]) -> Sequence[R]:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                if self._connection is None:
                    self._connection = self._connect()
                with db.naming_faults():
                    results = self._write(self._connection, items, self._clock.now())
                    self._connection.commit()
                return results
            except Exception as error:
                passing = _passing(error)
                self._recover(lost=passing is not None)
                if passing is None or attempt == ATTEMPTS:
                    raise
                log.warning("a shared commit is tried again", group=self.name, error=str(error))
        raise AssertionError("the last attempt returns or raises")

    def _recover(self, *, lost: bool) -> None:
        connection = self._connection
        if connection is None:
            return
        if not lost:
            with db.naming_faults():
                connection.rollback()
            return
        self._connection = None
        connection.close()


def _passing(error: Exception) -> Fault | None:
    """The fault that waiting mends, if it is one."""
    fault = error if isinstance(error, Fault) else db.fault_of_any(error)
    return fault if fault is not None and fault.retryable else None


def _tell(told: Sequence[_Told[T, R]]) -> None:
    """Wake each loop once for all that wait in it."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Told[T, R]]] = {}
    for each in told:
        by_loop.setdefault(each[0].loop, []).append(each)
    for loop, settled in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle_all, settled)


def _settle_all(settled: Sequence[_Told[T, R]]) -> None:
    for waiting, result, error in settled:
        if waiting.future.done():
            continue  # Its client went away.
        if error is not None:
            waiting.future.set_exception(error)
        else:
            waiting.future.set_result(result)  # type: ignore[arg-type]
