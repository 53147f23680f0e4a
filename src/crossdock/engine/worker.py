"""A worker process: runs batches until it is told to stop, and outlives the database's troubles."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from crossdock.engine import store, suspect_store, upkeep
from crossdock.engine.figures import WorkerFigures
from crossdock.engine.process import WorkerTooOld
from crossdock.engine.registry import Registry
from crossdock.engine.runner import Limits, Outcome, Runner, is_surroundings
from crossdock.kernel.clock import Clock
from crossdock.kernel.errors import Fault

if TYPE_CHECKING:
    from crossdock.engine.spans import Spans

Connection = psycopg.Connection[Any]
Chore = Callable[[Connection, datetime], bool | None]
"""The upkeep of a capability, once in `upkeep_seconds`: a small step, committed by the worker.

True asks for another step after the next batch, so that what comes in never outruns it.
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class WorkerLimits:
    """How a worker waits."""

    idle_seconds: float = 0.05
    """Between two looks at empty shards."""
    retry_seconds: float = 1.0
    """After a fault of the surroundings; doubles up to `longest_retry_seconds`."""
    longest_retry_seconds: float = 30.0
    upkeep_seconds: float = 60.0


class Worker:
    """`connect(autocommit)` opens a connection; the worker owns what it opens."""

    def __init__(
        self,
        registry: Registry,
        connect: Callable[[bool], Connection],
        clock: Clock,
        *,
        name: str,
        limits: Limits | None = None,
        waits: WorkerLimits | None = None,
        ages: upkeep.Ages | None = None,
        chores: Sequence[Chore] = (),
        tracing: Spans | None = None,
    ) -> None:
        self.registry = registry
        self.connect = connect
        self.clock = clock
        self.name = name
        self.limits = limits or Limits()
        self.waits = waits or WorkerLimits()
        self.ages = ages or upkeep.Ages()
        self.chores = chores
        self.tracing = tracing
        self.figures = WorkerFigures(f"worker {name}")
        self.total = Outcome()
        self._upkeep_due: datetime | None = None
        self._open_chores: list[Chore] = []
        self._was_open = False

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Raises WorkerTooOld; anything retryable is waited out."""
        wait = self.waits.retry_seconds
        runner: Runner | None = None
        while not stop.is_set():
            try:
                runner = runner or self._open()
                outcome = self._run_batch(runner)
                wait = self.waits.retry_seconds
                self._keep_up(runner.connection)
                if not outcome.taken:
                    stop.wait(self.waits.idle_seconds)
            except WorkerTooOld:
                self._close(runner)
                raise
            except Exception as error:
                if not self._is_passing(error):
                    self._close(runner)
                    raise
                log.warning("worker waits", worker=self.name, seconds=wait, error=str(error))
                self.figures.fault()
                self._close(runner)
                runner = None
                stop.wait(wait)
                wait = min(wait * 2, self.waits.longest_retry_seconds)
        self._close(runner)

    def _open(self) -> Runner:
        connection, notes = self.connect(False), self.connect(True)
        store.forgo_durability(notes)
        if self._was_open:  # We outlived the trouble: nobody died over what we tried last.
            suspect_store.forget_tried(notes, self.name)
        self._was_open = True
        runner = Runner(
            self.registry,
            connection,
            self.clock,
            name=self.name,
            limits=self.limits,
            notes=notes,
            watch=None if self.tracing is None else self.tracing.watch,
        )
        runner.start()
        return runner

    def _close(self, runner: Runner | None) -> None:
        if runner is not None:
            runner.connection.close()
            if runner.notes is not None:
                runner.notes.close()

    def _is_passing(self, error: Exception) -> bool:
        return is_surroundings(error) or (isinstance(error, Fault) and error.retryable)

    def _run_batch(self, runner: Runner) -> Outcome:
        begun = time.perf_counter()
        if self.tracing is not None:
            self.tracing.batch_begins()
        outcome = runner.run_batch()
        if outcome.taken:
            self.total.taken += outcome.taken
            self.total.handled += outcome.handled
            self.total.dead += outcome.dead
            seconds = time.perf_counter() - begun
            self.figures.batch_done(outcome.taken, outcome.handled, outcome.dead, seconds)
            if self.tracing is not None:
                self.tracing.batch_done(seconds)
        return outcome

    def _keep_up(self, connection: Connection) -> None:
        now = self.clock.now()
        if self.figures.report(connection, now):
            connection.commit()
        if self._upkeep_due is None or now >= self._upkeep_due:
            self._upkeep_due = now + timedelta(seconds=self.waits.upkeep_seconds)
            self._open_chores = [self._keep_engine_up, *self.chores]
        chores, self._open_chores = self._open_chores, []
        for chore in chores:
            if chore(connection, now):
                self._open_chores.append(chore)
            connection.commit()

    def _keep_engine_up(self, connection: Connection, now: datetime) -> bool:
        return upkeep.keep_up(connection, now, self.ages)
