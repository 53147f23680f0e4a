"""Orders from placed to closed, with everything that happens to them: messages, effects, log.

A retailer is simulated around real worker processes and a dispatcher that calls the fakes of the
outside systems. What people outside do (deciding, looking at their lists) takes turns with the
work and is not counted; taking in what they say is.

The limit is COPY of every row that was written: those that were inserted, also those that are gone
by the end (inbox, outbox, timers, reservations), and for every update a row more, into a table
without indexes. The limit of the inserted rows alone is told beside it. As in `pipeline`, no
checkpoint is asked for before the clock starts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from crossdock import db, postgres
from crossdock.bench import limit, pipeline, store, world
from crossdock.bench.result import BenchResult
from crossdock.engine.dispatcher import Dispatcher, DispatchLimits
from crossdock.engine.inbox import Inbound
from crossdock.importers import Dataset
from crossdock.simulator.carriers import CarrierHabits
from crossdock.simulator.cast import Cast, Habits
from crossdock.simulator.demand import Mix
from crossdock.simulator.loop import Simulation
from crossdock.simulator.people import SupplierHabits
from crossdock.simulator.ports import CALM
from crossdock.simulator.shared_clock import SharedClock
from crossdock.simulator.staff import StaffHabits
from crossdock.simulator.store import unfinished_orders

ORDERS = 10_000
HOURS = 12.0
"""In which the orders are placed."""
TICK = timedelta(hours=4)
"""So much happens at once: at such a rate as is measured here, batches are always full."""
RECEIVED_AT_ONCE = 1_000
AIM_PER_SECOND = 200.0
AIM_RATIO = 0.40
OUTSIDE = ("people and carriers", "people looking")
"""Parts of the loop in which nothing of Crossdock's runs."""
HABITS = Habits(
    staff=StaffHabits(silence_probability=0.0),
    carriers=CarrierHabits(lost_probability=0.0),
    suppliers=SupplierHabits(delivers_probability=1.0, shortest_days=0.5, longest_days=1.0),
    moods=CALM,
)
"""Declines, short picks, cancellations and late parcels as usual. Nothing that takes weeks: a few
last orders alone would keep the clock ticking for all."""


class Lifecycle(Simulation):
    """A simulation whose engine is processes of its own; its dispatcher works in between."""

    def __init__(self, url: str, connection: db.Connection, clock: SharedClock, cast: Cast) -> None:
        limits = DispatchLimits(batch=1_000, breaker_failures=1_000_000)
        dispatcher = Dispatcher(cast.outside.ports, clock, limits)
        super().__init__(
            connection,
            clock,
            TICK,
            (),
            dispatcher,
            db.connect(url),
            cast.agenda,
            cast.arrivals,
            cast.watchers,
        )
        self.passing = limit.Passing(connection)

    def _receive(self, told: Sequence[Inbound], now: datetime) -> None:
        """In many commits, as many senders make them: the workers need not wait for the last."""
        self.connection.commit()
        for start in range(0, len(told), RECEIVED_AT_ONCE):
            super()._receive(told[start : start + RECEIVED_AT_ONCE], now)
            self.connection.commit()

    def settle(self) -> None:
        """Dispatch until nothing is left to do, while the workers work."""
        at = time.perf_counter()
        while True:
            self.passing.catch_numbered()
            sent = self._dispatch()
            self.spending.effects += sent
            if sent:
                continue
            if not store.is_anything_due(self.connection, self.clock.now()):
                break
            time.sleep(pipeline.IDLE_SECONDS)
        self.spending.add("engine and dispatcher", at)
        self.passing.catch_named()


class Lived(NamedTuple):
    """What was measured."""

    seconds: float
    """Without the outside."""
    parts: dict[str, float]
    written: dict[str, store.Written]
    wal_bytes: int
    effects: int
    ticks: int
    turns: list[pipeline.Turn]
    passing: limit.Passing


def run(seed: int = 1, scale: float = 1.0) -> BenchResult:
    """Orders placed, charged, shipped, posted, told of, delivered and closed, per second."""
    orders = max(20, round(ORDERS * scale))
    mix = msgspec.structs.replace(Mix(), repeated=0.0)
    dataset = world.make(seed, scale, orders, paid=False, mix=mix, hours=HOURS)
    with postgres.serve(ephemeral=True) as server:
        with contextlib.closing(db.connect(server.url)) as connection:
            db.migrate(connection)
            assert dataset.first is not None
            clock = SharedClock(dataset.first)
            world.load(connection, dataset, clock.now())
            before = {name: store.row_count(connection, name) for name in store.tables(connection)}
            connection.rollback()
            lived = live(server.url, connection, dataset, clock, seed)
            unfinished = unfinished_orders(connection)
            inserted = limit.dump_rows(connection, before)
            passed, columns = lived.passing.as_inserted(lived.written)
            inserted |= passed
            versions = limit.dump_versions(connection, lived.written, lived.passing)
            batches = sum(turn.batches for turn in lived.turns)
            seconds = limit.copy_again(connection, inserted | versions, batches, columns)
            without = limit.copy_again(connection, inserted, batches, columns)
    return _result(orders, unfinished, lived, inserted | versions, seconds, without)


def live(
    url: str, connection: db.Connection, dataset: Dataset, clock: SharedClock, seed: int
) -> Lived:
    # All that will arrive is made before anything is measured.
    arrivals = list(dataset.arrivals())
    ready = dataclasses.replace(dataset, arrivals=lambda: iter(arrivals))
    cast = Cast(ready, seed, HABITS, clock)
    with _at_work(url, clock) as dismiss:
        before, position = store.written(connection), store.log_position(connection)
        life = Lifecycle(url, connection, clock, cast)
        started = time.perf_counter()
        life.run(lambda: _until(connection, cast, clock))
        wall = time.perf_counter() - started
        life.dispatching.close()
        turns = dismiss()
        after, end = store.written(connection), store.log_position(connection)
    parts = dict(life.spending.seconds)
    outside = sum(parts.get(part, 0.0) for part in OUTSIDE)
    written = store.written_since(after, before)
    spent = life.spending
    return Lived(
        wall - outside,
        parts,
        written,
        end - position,
        spent.effects,
        spent.ticks,
        turns,
        life.passing,
    )


def _until(connection: db.Connection, cast: Cast, clock: SharedClock) -> datetime:
    """Until all orders are closed and all effects sent; a month is a sign of something stuck."""
    unfinished = unfinished_orders(connection)
    connection.rollback()
    done = cast.arrivals.next_at() is None and not unfinished
    return clock.now() + (timedelta(0) if done else timedelta(days=31))


@contextlib.contextmanager
def _at_work(url: str, clock: SharedClock) -> Iterator[Callable[[], list[pipeline.Turn]]]:
    """Worker processes for the length of the block; yields what dismisses them."""
    spawn: Any = multiprocessing.get_context("spawn")
    stop, answers = spawn.Event(), spawn.Queue()
    workers = [
        spawn.Process(target=pipeline.follow, args=(url, clock, index, stop, answers), daemon=True)
        for index in range(pipeline.WORKERS)
    ]
    for worker in workers:
        worker.start()
    for _ in workers:
        answers.get(timeout=120)

    def dismiss() -> list[pipeline.Turn]:
        stop.set()
        turns = [answers.get(timeout=120) for _ in workers]
        for worker in workers:
            worker.join()
        return turns

    try:
        yield dismiss
    finally:
        for worker in workers:
            worker.kill()


def _result(
    orders: int,
    unfinished: int,
    lived: Lived,
    rows: dict[str, list[bytes]],
    seconds: float,
    without: float,
) -> BenchResult:
    value, ceiling = orders / lived.seconds, orders / seconds
    counted = {
        kind: sum(getattr(one, kind) for one in lived.written.values())
        for kind in ("inserted", "updated", "deleted", "hot_updated")
    }
    return BenchResult(
        name="lifecycle",
        value=value,
        unit="orders/s",
        limit=ceiling,
        ratio=value / ceiling,
        aim=f">= {AIM_PER_SECOND:,.0f} orders/s and >= {AIM_RATIO:.0%} of the same rows by COPY",
        met=value >= AIM_PER_SECOND and value / ceiling >= AIM_RATIO and not unfinished,
        parts={
            "orders": orders,
            "orders not closed": unfinished,
            "seconds": lived.seconds,
            **{f"seconds of {part}": spent for part, spent in sorted(lived.parts.items())},
            "seconds by COPY": seconds,
            "limit of inserted rows alone": orders / without,
            "ratio to inserted rows alone": value * without / orders,
            "ticks": lived.ticks,
            "messages per order": sum(turn.taken for turn in lived.turns) / orders,
            "effects per order": lived.effects / orders,
            "workers": len(lived.turns),
            "batches": sum(turn.batches for turn in lived.turns),
            "dead letters": sum(turn.dead for turn in lived.turns),
            "rows inserted per order": counted["inserted"] / orders,
            "rows updated per order": counted["updated"] / orders,
            "of these in place": counted["hot_updated"] / max(1, counted["updated"]),
            "rows deleted per order": counted["deleted"] / orders,
            "rows copied per order": sum(len(found) for found in rows.values()) / orders,
            "bytes copied per order": sum(len(b"".join(found)) for found in rows.values()) / orders,
            "WAL bytes per order": lived.wal_bytes / orders,
            "peak MiB of a worker": max(turn.peak_mib for turn in lived.turns),
        },
    )
