"""What an API process looks after beside its requests, in a thread of its own.

Every second: can the database be asked, and how long does the oldest message wait? Now and then:
does the schema fit, and what has this process counted?
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from datetime import datetime

import structlog

from crossdock import db
from crossdock.api.figures import ApiFigures
from crossdock.api.services import Backend
from crossdock.api.shedding import Shedding
from crossdock.engine import store
from crossdock.engine.fence import Fence
from crossdock.kernel.errors import Fault
from crossdock.kernel.ids import ORDER_SHARDS

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
SCHEMA_SECONDS = 60.0
STALE_SECONDS = 10.0
"""A look that is older says nothing any more: its database does not answer."""


@dataclass(frozen=True)
class Seen:
    """What the last look found; `problem` is empty while all is well."""

    problem: str = "The database has not been asked yet."
    at: float = 0.0
    """On the monotonic clock."""
    waiting_seconds: tuple[tuple[str, float], ...] = ()
    """How long the oldest message waits, for orders and for allocation zones."""

    def trouble(self) -> str:
        """Why this process cannot work; empty while it can."""
        if not self.problem and time.monotonic() - self.at > STALE_SECONDS:
            return f"The database has not answered for {time.monotonic() - self.at:.0f} s."
        return self.problem


class Watch:
    """One per process."""

    def __init__(self, backend: Backend, shedding: Shedding, figures: ApiFigures) -> None:
        self.backend = backend
        self.shedding = shedding
        self.figures = figures
        self.seen = Seen()
        self._fence = Fence("inbox")
        self._first_open: dict[int, int] = {}
        self._schema_due = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look once, so that the first probe has an answer, then go on beside the requests."""
        with contextlib.suppress(Fault), contextlib.closing(self.backend.connect()) as connection:
            self.look(connection)
        self._stop.clear()
        self._thread = threading.Thread(target=self._loop, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def look(self, connection: db.Connection) -> None:
        """How the database and the queue stand, and what this process has counted so far."""
        now = self.backend.clock.now()
        with db.naming_faults():
            if time.monotonic() >= self._schema_due:
                db.require_current_schema(connection)
                self._schema_due = time.monotonic() + SCHEMA_SECONDS
            waiting = self._oldest(connection, now)
            self.figures.report(connection, now)
            connection.commit()
        self.seen = Seen("", time.monotonic(), tuple(waiting.items()))
        self.shedding.oldest_waiting_seconds = max(waiting.values())

    def _oldest(self, connection: db.Connection, now: datetime) -> dict[str, float]:
        """Seconds that the oldest message has waited; 0 where none waits."""
        self._fence.look(connection)
        waiting, lowest = store.waiting_shards(connection, now, self._first_open)
        for number, seen in lowest.items():
            known = self._first_open.get(number, 0)
            self._first_open[number] = self._fence.first_open(known, seen)
        oldest = {"orders": 0.0, "zones": 0.0}
        for shard in waiting:
            kind = "orders" if shard.number < ORDER_SHARDS else "zones"
            oldest[kind] = max(oldest[kind], (now - shard.oldest).total_seconds())
        return oldest

    def _loop(self) -> None:
        connection: db.Connection | None = None
        while not self._stop.wait(LOOK_SECONDS):
            try:
                connection = connection or self.backend.connect()
                self.look(connection)
            except Exception as error:
                self._lost(error.problem if isinstance(error, Fault) else type(error).__name__)
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _lost(self, problem: str) -> None:
        """Begin anew: the database that answers next may have been restored to an older state."""
        self._fence, self._first_open = Fence("inbox"), {}
        if problem != self.seen.problem:
            log.warning("this process cannot work", problem=problem)
        self.seen = Seen(problem, time.monotonic())
        self.shedding.oldest_waiting_seconds = None
