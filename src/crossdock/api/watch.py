"""What an API process looks after beside its requests, in threads of its own.

Every second: can the database be asked, and how long does the oldest message wait? Now and then:
does the schema fit, what has this process counted, and does the next invariant still hold?
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from crossdock import db
from crossdock.api import watch_store
from crossdock.api.figures import ApiFigures
from crossdock.api.services import Backend
from crossdock.api.shedding import Shedding
from crossdock.engine import store
from crossdock.engine.fence import Fence
from crossdock.invariants import Invariant, load_invariants
from crossdock.kernel.errors import Fault, StatementTimedOut
from crossdock.kernel.ids import ORDER_SHARDS, derive
from crossdock.settings import TelemetrySettings

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

    def __init__(
        self,
        backend: Backend,
        settings: TelemetrySettings,
        shedding: Shedding,
        figures: ApiFigures,
        *,
        rules: tuple[Invariant, ...] | None = None,
    ) -> None:
        self.backend = backend
        self.settings = settings
        self.shedding = shedding
        self.figures = figures
        self.rules = {rule.name: rule for rule in (load_invariants() if rules is None else rules)}
        self.seen = Seen()
        self._fence = Fence("inbox")
        self._first_open: dict[int, int] = {}
        self._schema_due = 0.0
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Look once, so that the first probe has an answer, then go on beside the requests."""
        work: list[tuple[str, Callable[[db.Connection], None], float]]
        work = [("watch", self.look, LOOK_SECONDS)]
        if self.settings.invariant_minutes > 0 and self.rules:
            pause = self.settings.invariant_minutes * 60 / len(self.rules)
            work.append(("check rules", self.check_next, max(1.0, pause)))
        with contextlib.suppress(Fault), contextlib.closing(self.backend.connect()) as connection:
            self.look(connection)
        self._threads = [
            threading.Thread(target=self._loop, args=(step, pause), name=name, daemon=True)
            for name, step, pause in work
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads; a check under way is waited for."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

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

    def check_next(self, connection: db.Connection) -> None:
        """Check the rule that was checked longest ago, if it is due."""
        now = self.backend.clock.now()
        with db.naming_faults():
            watch_store.list_rules(connection, list(self.rules))
            due = now - timedelta(minutes=self.settings.invariant_minutes)
            name = watch_store.claim_rule(connection, now, due)
            connection.commit()
            if name is not None:
                self._check(connection, self.rules[name], now)
                connection.commit()

    def _check(self, connection: db.Connection, rule: Invariant, now: datetime) -> None:
        most = self.settings.invariant_seconds
        begun, broken, error = time.monotonic(), None, ""
        try:
            with db.naming_faults():
                broken = watch_store.count_violations(connection, rule.query, most)
        except StatementTimedOut:
            error = f"not checked within {most} s"
            log.warning("invariant not checked", invariant=rule.name, seconds=most)
        spent = time.monotonic() - begun
        watch_store.save_check(connection, rule.name, now, spent, broken, error)
        if broken:
            log.error("invariant broken", invariant=rule.name, rows=broken)
            detail = f"{rule.rule} {broken} rows break this; `crossdock check` lists them."
            case = derive(now, "invariant", rule.name, now.date().isoformat())
            row = (case, "invariant broken", rule.name, detail, 1, "", "", None, now)
            store.open_cases(connection, [row])

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

    def _loop(self, step: Callable[[db.Connection], None], pause: float) -> None:
        connection: db.Connection | None = None
        while not self._stop.wait(pause):
            try:
                connection = connection or self.backend.connect()
                step(connection)
            except Exception as error:
                fault = error if isinstance(error, Fault) else None
                if step == self.look:
                    self._lost(fault.problem if fault else type(error).__name__)
                log.warning("watch cannot look", error=str(error))
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _lost(self, problem: str) -> None:
        self.seen = Seen(problem, time.monotonic())
        self.shedding.oldest_waiting_seconds = None
