"""The worker: locks idle shards, runs one batch in one transaction, again and again.

What a fault of the surroundings breaks (a deadlock, a lost connection, a full disk, a shutdown)
is retried whole and blamed on no message. Anything else is bisected with SAVEPOINTs inside the
same transaction, so that a dead letter and the good work around it commit together.
"""

from __future__ import annotations

import contextlib
import gc
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
import structlog

from crossdock.engine import dead_letters, store, suspect_store
from crossdock.engine.batch import Batch, Recorder, Watch
from crossdock.engine.fence import Fence
from crossdock.engine.process import WorkerTooOld
from crossdock.engine.registry import Registry
from crossdock.engine.store import StoredMessage
from crossdock.engine.transaction import Transaction
from crossdock.kernel.clock import Clock
from crossdock.kernel.errors import Fault

Connection = psycopg.Connection[Any]

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Limits:
    """How much one batch may take on. Counted, never timed."""

    messages: int = 512
    """Messages and timer firings a batch starts from."""
    rounds: int = 40
    """Rounds of handlers and capabilities; what is left goes back to the inbox."""
    shards: int = 32
    """Shards a worker locks at once; the rest is for other workers."""


MOST_DEATHS = 2
"""Workers that may die over one message alone; whoever kills at random rarely hits one twice."""


@dataclass
class Outcome:
    """What one batch did."""

    taken: int = 0
    """Messages and firings it started from; 0 means there was nothing to do."""
    handled: int = 0
    dead: int = 0
    shards: list[int] = field(default_factory=list)


class Runner:
    """One worker: `connection` runs its batches, `notes` (autocommit) says what it is trying."""

    def __init__(
        self,
        registry: Registry,
        connection: Connection,
        clock: Clock,
        *,
        name: str = "worker",
        limits: Limits | None = None,
        notes: Connection | None = None,
        recorder: Recorder | None = None,
        prepare: Callable[[Transaction], None] | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.registry = registry
        self.connection = connection
        self.clock = clock
        self.name = name
        self.limits = limits or Limits()
        self.notes = notes
        self.recorder = recorder
        self.prepare = prepare
        self.watch = watch
        self.zones: dict[str, int] = {}
        self.fence = Fence("inbox")
        self.first_open: dict[int, int] = {}
        """Per shard: no open message has a lower number than this."""

    def start(self) -> None:
        """Raise the required versions to this build's, unless it is too old itself."""
        required = store.required_versions(self.connection)
        missing = self.registry.too_old_for(required)
        if missing:
            self.connection.rollback()
            raise WorkerTooOld(missing)
        known = self.registry.versions()
        newer = {name: version for name, version in known.items() if required.get(name) != version}
        if newer:
            store.require_versions(self.connection, newer)
        self.zones = store.zone_shards(self.connection)
        self.connection.commit()

    def run_batch(self) -> Outcome:
        """Run one batch and commit it. Raises WorkerTooOld, or psycopg's error after a rollback."""
        try:
            with collecting_later():
                outcome = self._run_batch()
            self.connection.commit()
            return outcome
        except BaseException as error:
            if not self.connection.closed:
                self.connection.rollback()
            if self.notes is not None and not self.notes.closed:
                if isinstance(error, TOO_SLOW):
                    suspect_store.suspect_tried(self.notes, self.name, self.limits.messages)
                else:
                    suspect_store.forget_tried(self.notes, self.name)
            raise

    def run_until_idle(self, most: int = 1_000_000) -> Outcome:
        """Run batches until no message is ready; returns their sum."""
        total = Outcome()
        for _ in range(most):
            outcome = self.run_batch()
            if not outcome.taken:
                break
            total.taken += outcome.taken
            total.handled += outcome.handled
            total.dead += outcome.dead
        return total

    def _run_batch(self) -> Outcome:
        connection = self.connection
        now = self.clock.now()
        store.plan_by_index(connection)
        self.fence.look(connection)
        waiting, lowest = store.waiting_shards(connection, now, self.first_open)
        for number, seen in lowest.items():
            known = self.first_open.get(number, 0)
            self.first_open[number] = self.fence.first_open(known, seen)
        if not waiting:
            return Outcome()
        wanted = [shard.number for shard in waiting]
        held = store.lock_shards(connection, wanted, self.limits.shards)
        if not held:
            return Outcome()
        # After the lock: a newer worker that was in these shards said so before it went in.
        missing = self.registry.too_old_for(store.required_versions(connection))
        if missing:
            raise WorkerTooOld(missing)
        self.zones = store.zone_shards(connection)
        messages, alone = self._choose(held, now)
        if not messages:
            return Outcome(shards=held)
        outcome = Outcome(taken=len(messages), shards=held)
        entries = store.last_entries(connection, held)
        before = dict(entries)
        self._attempt(messages, held, entries, now, outcome, alone=alone)
        moved = {shard: last for shard, last in entries.items() if before.get(shard) != last}
        if moved:
            store.save_last_entries(connection, moved)
        if self.notes is not None:
            suspect_store.clear_attempt(connection, self.name)
        return outcome

    def _choose(self, held: list[int], now: datetime) -> tuple[list[StoredMessage], bool]:
        """The batch's messages; a single one, which is to stay alone, where a worker died."""
        connection, limits = self.connection, self.limits
        if self.notes is not None:
            for worker, shards in suspect_store.dead_attempts(connection, self.name, held):
                suspect_store.suspect(self.notes, shards, max(8, limits.messages // len(shards)))
                suspect_store.clear_attempt(self.notes, worker)
            suspects = suspect_store.suspects(self.notes, held)
            alone = self._choose_one(suspects, now) if suspects else None
            if alone is not None:
                return [alone], True
            suspect_store.note_attempt(self.notes, self.name, held, now)
        per_shard = max(8, limits.messages // len(held))
        messages = store.read_due_timers(connection, held, now, per_shard, limits.messages)
        room = limits.messages - len(messages)
        if room > 0:
            messages += store.read_inbox(
                connection, held, per_shard, room, first_open=self.first_open
            )
        return messages, False

    def _choose_one(
        self, suspects: dict[int, suspect_store.Suspect], now: datetime
    ) -> StoredMessage | None:
        """One message of a shard over which a worker died; a second death over it makes it dead.

        The first death, over a whole batch, is held against none of its messages.
        """
        assert self.notes is not None
        for shard, (until, last_tried, tries) in sorted(suspects.items()):
            due = store.read_due_timers(self.connection, [shard], now, 1, 1)
            waiting = store.read_inbox(self.connection, [shard], 2, 2)
            waiting = [m for m in waiting if m.number is not None and m.number <= until]
            message = next(iter(due + waiting), None)
            if message is None:
                suspect_store.clear_suspects(self.connection, [shard])
                continue
            if last_tried == message.id and tries >= MOST_DEATHS:
                self._bury(message, "the worker died twice over this message alone", "", now)
                suspect_store.note_suspect(self.notes, shard, None)
                continue
            suspect_store.note_suspect(self.notes, shard, message.id)
            suspect_store.note_attempt(self.notes, self.name, [shard], now)
            if len(due + waiting) == 1:
                suspect_store.clear_suspects(self.connection, [shard])
            return message
        return None

    def _attempt(
        self,
        messages: Sequence[StoredMessage],
        held: Sequence[int],
        entries: dict[int, int],
        now: datetime,
        outcome: Outcome,
        *,
        alone: bool = False,
    ) -> None:
        """Run the messages as one batch; on failure each half, down to the one to blame.

        Who is to blame is found out `alone`: without what waits in shards that could be taken over.
        """
        tried = dict(entries)
        try:
            with self.connection.transaction():
                batch = Batch(
                    self.registry,
                    Transaction(self.connection, now),
                    self.zones,
                    set(held),
                    tried,
                    rounds=self.limits.rounds,
                    takes_over=not alone,
                    first_open=self.first_open,
                    recorder=self.recorder,
                    watch=self.watch,
                )
                batch.run(messages)
        except Exception as error:
            if isinstance(error, WorkerTooOld) or is_surroundings(error) or self.connection.closed:
                raise
            if len(messages) == 1 and not alone:
                self._attempt(messages, held, entries, now, outcome, alone=True)
                return
            if len(messages) == 1:
                trace = "".join(traceback.format_exception(error))
                self._bury(messages[0], f"{type(error).__name__}: {error}", trace, now)
                outcome.dead += 1
                return
            middle = len(messages) // 2
            self._attempt(messages[:middle], held, entries, now, outcome, alone=True)
            self._attempt(messages[middle:], held, entries, now, outcome, alone=True)
        else:
            entries.update(tried)
            outcome.handled += batch.handled

    def _bury(self, message: StoredMessage, error: str, trace: str, now: datetime) -> None:
        """Make a dead letter of a message and park its process; the rest goes on."""
        # The error's own words stay in the dead letter: they may quote the message.
        log.error(
            "dead letter",
            message_id=message.id,
            type=message.type,
            process=message.process,
            correlation_id=message.correlation_id,
            error=error.partition(":")[0],
        )
        dead_letters.bury(self.connection, message, error, trace, now)


@contextlib.contextmanager
def collecting_later() -> Iterator[None]:
    """No search for reference cycles during a batch: it makes many objects and hardly a cycle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


SURROUNDINGS = (
    "08",  # connection exceptions
    "25006",  # read-only transaction
    "25P03",  # a transaction that idled too long
    "25P04",  # a transaction that took too long
    "40",  # deadlock, serialization failure
    "53",  # disk full, out of memory, too many connections
    "55P03",  # lock not available
    "57",  # canceled, shut down, crashed
    "58",  # system error (I/O)
)
"""SQLSTATE classes and codes that say nothing about the messages of a batch."""

TOO_SLOW = (psycopg.errors.IdleInTransactionSessionTimeout, psycopg.errors.TransactionTimeout)
"""The server ended a batch that thought for too long: as if the worker had died over it."""


def is_surroundings(error: BaseException) -> bool:
    """Whether an error came from the machine or the database rather than from a message."""
    if isinstance(error, Fault):
        return error.retryable
    if isinstance(error, psycopg.Error):
        state = error.sqlstate
        if state is None:
            return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
        return state.startswith(SURROUNDINGS)
    return isinstance(error, (MemoryError, OSError))
