"""The clock of a simulated run: it moves in ticks, and only when there is nothing left to do.

In a tick, in this order: what arrives from outside by now is taken in, in bulk; what people and
carriers did by now is taken in, in bulk; engine and dispatcher work until neither finds anything;
people look at what is new for them. Ticks in which nothing is due are skipped.

Several workers take turns, batch by batch. So a run is the same whatever their number is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from crossdock import db
from crossdock.engine import inbox, outbox_store
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.inbox import Inbound, Received
from crossdock.engine.runner import Runner
from crossdock.kernel.clock import VirtualClock
from crossdock.simulator import store
from crossdock.simulator.agenda import Agenda

MOST_SETTLING_ROUNDS = 1_000
"""Engine and dispatcher answer each other; so many times in one tick is a bug."""


class Arrivals(Protocol):
    """What the outside sends by itself, in the order of time."""

    def next_at(self) -> datetime | None:
        """When the next one comes; None when all have come."""
        ...

    def take_in(self, connection: db.Connection, now: datetime) -> list[Inbound]:
        """Take in what has come by `now`, in bulk; what is returned is received after that."""
        ...


class Watcher(Protocol):
    """Someone who looks at what is new at the end of a tick, and plans."""

    def look(self, connection: db.Connection, now: datetime) -> None: ...

    def look_again(self, connection: db.Connection, now: datetime) -> None:
        """Before anybody acts in the tick that ends at `now`: does what was planned still hold?"""
        ...


class DidNotSettle(Exception):
    """Engine and dispatcher kept each other busy within one tick; a process answers in circles."""


@dataclass
class Spending:
    """Wall-clock seconds per part of the run, and what was counted on the way."""

    seconds: dict[str, float] = field(default_factory=dict)
    ticks: int = 0
    skipped_ticks: int = 0
    messages: int = 0
    batches: int = 0
    effects: int = 0
    dead_letters: int = 0
    conflicts: int = 0
    longest_batch_seconds: float = 0.0

    def add(self, part: str, since: float) -> float:
        """Book the time since `since` on a part; returns now."""
        now = time.perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - since
        return now


class Simulation:
    """One run. `connection` is the simulator's own; the runners have theirs."""

    def __init__(
        self,
        connection: db.Connection,
        clock: VirtualClock,
        tick: timedelta,
        runners: Sequence[Runner],
        dispatcher: Dispatcher,
        dispatching: db.Connection,
        agenda: Agenda,
        arrivals: Arrivals,
        watchers: Sequence[Watcher],
        reading: db.Connection | None = None,
    ) -> None:
        """`reading` is best in autocommit: a question then costs one round trip and not three."""
        assert tick > timedelta(0)
        self.connection = connection
        self.clock = clock
        self.tick = tick
        self.runners = runners
        self.dispatcher = dispatcher
        self.dispatching = dispatching
        self.agenda = agenda
        self.arrivals = arrivals
        self.watchers = watchers
        self.reading = reading or connection
        self.spending = Spending()
        self._turns = self._round_robin()

    def run(
        self,
        until: Callable[[], datetime],
        progress: Callable[[datetime], None] = lambda now: None,
    ) -> None:
        """Run to the end: until nothing is due any more, or the next thing lies after `until()`."""
        while (at := self._next_at()) is not None:
            if at > until():
                return
            self.step(at)
            progress(at)

    def step(self, now: datetime) -> None:
        """One tick that ends at `now`."""
        self.clock.move_to(now)
        spent, at = self.spending, time.perf_counter()
        spent.ticks += 1
        for watcher in self.watchers:
            watcher.look_again(self.reading, now)
        self.reading.rollback()
        at = spent.add("people looking", at)
        told = self.arrivals.take_in(self.connection, now)
        at = spent.add("taking orders in", at)
        told += self.agenda.due_by(now.timestamp())
        at = spent.add("people and carriers", at)
        self._receive(told, now)
        self.connection.commit()
        at = spent.add("receiving messages", at)
        self.settle()
        at = time.perf_counter()
        for watcher in self.watchers:
            watcher.look(self.reading, now)
        self.reading.rollback()
        spent.add("people looking", at)

    def _receive(self, told: Sequence[Inbound], now: datetime) -> None:
        """A conflict here would be a simulated person who contradicts himself."""
        for receipt in inbox.receive(self.connection, told, now) if told else ():
            if receipt.result is Received.CONFLICT:
                self.spending.conflicts += 1

    def settle(self) -> None:
        """Engine, then dispatcher, until neither finds anything to do."""
        spent, at = self.spending, time.perf_counter()
        for _ in range(MOST_SETTLING_ROUNDS):
            worked = self._work()
            at = spent.add("engine", at)
            sent = self._dispatch()
            at = spent.add("dispatcher", at)
            spent.effects += sent
            if not sent and not worked:
                return
        raise DidNotSettle(f"at {self.clock.now().isoformat()}")

    def _dispatch(self) -> int:
        """Send until nothing is due; one question for all connectors, for most are idle."""
        total = 0
        while True:
            names = store.connectors_with_work(
                self.reading, self.dispatcher.ports, self.clock.now()
            )
            self.reading.rollback()
            sent = sum(self.dispatcher.dispatch(self.dispatching, name) for name in names)
            if not sent:
                return total
            total += sent

    def _work(self) -> int:
        """Batches by the workers in turn, until all of them in a row found nothing."""
        done = idle = 0
        while idle < len(self.runners):
            began = time.perf_counter()
            outcome = next(self._turns).run_batch()
            if outcome.taken:
                took = time.perf_counter() - began
                self.spending.longest_batch_seconds = max(self.spending.longest_batch_seconds, took)
                idle = 0
                done += outcome.taken
                self.spending.batches += 1
                self.spending.messages += outcome.handled
                self.spending.dead_letters += outcome.dead
            else:
                idle += 1
        return done

    def _round_robin(self) -> Iterator[Runner]:
        while True:
            yield from self.runners

    def _next_at(self) -> datetime | None:
        """The end of the tick in which the next thing is due; ticks before it are skipped."""
        soonest = next_due(self.connection, self.agenda, self.arrivals)
        if soonest is None:
            return None
        now = self.clock.now()
        ticks = max(1, -((now - soonest) // self.tick))
        self.spending.skipped_ticks += ticks - 1
        return now + ticks * self.tick


def next_due(connection: db.Connection, agenda: Agenda, arrivals: Arrivals) -> datetime | None:
    """When somebody outside, a timer or a waiting effect is due next; None when nothing is."""
    due = [arrivals.next_at(), outbox_store.next_due(connection), store.next_timer(connection)]
    connection.rollback()
    planned = agenda.next_due()
    if planned is not None:
        due.append(datetime.fromtimestamp(planned, UTC))
    return min((moment for moment in due if moment is not None), default=None)
