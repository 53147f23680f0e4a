"""`orders` beside a year of closed ones: does open work slow down because closed work piles up?

Two servers with the same retailer take the same orders in turns, one empty, one with history. The
history is made of orders that were really closed: their rows of every kind, again and again with
new ids at earlier times, so that every table and index is filled as it would be.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from datetime import timedelta
from queue import Empty, SimpleQueue
from statistics import median
from typing import NamedTuple

from crossdock import db
from crossdock.bench import history_store, lifecycle, limit, pipeline, world
from crossdock.bench.history_store import Pattern
from crossdock.bench.result import BenchResult
from crossdock.engine.upkeep import Ages
from crossdock.simulator.shared_clock import SharedClock
from crossdock.simulator.store import unfinished_orders

CLOSED = 1_000_000
REALLY_CLOSED = 1_000
ORDERS = 5_000
"""Per round and side."""
ROUNDS = 4
FIRST = 500
"""Orders on which workers warm up."""
SPAN = timedelta(days=365)
BEFORE = timedelta(days=30)
COPIES_AT_ONCE = 4
WRITERS = 2
OPEN_WORK = frozenset({"inbox", "outbox", "timer", "reservation", "held_message"})
AIM_SHARE = 0.90


class Past(NamedTuple):
    """What was made up."""

    orders: int
    rows: int
    bytes: int


def run(seed: int = 1, scale: float = 1.0) -> BenchResult:
    """Rates with and without a past, in turns."""
    per_round = max(20, round(ORDERS * scale))
    first = max(20, round(FIRST * scale))
    dataset = world.make(seed, scale, first + ROUNDS * per_round, paid=True)
    with contextlib.ExitStack() as stack:
        empty, full = (stack.enter_context(world.shop(dataset)) for _ in range(2))
        past = _fill(full, seed, scale)
        rates: list[list[float]] = [[], []]
        crews = []
        for shop in (empty, full):
            shop.take_in(first)
            crews.append(pipeline.Crew(shop.url, shop.now))
            crews[-1].work()
        for turn in range(ROUNDS):
            for side in (0, 1) if turn % 2 else (1, 0):
                taken = (empty, full)[side].take_in(per_round)
                rates[side].append(pipeline.rate(crews[side].work(), taken))
        for crew in crews:
            crew.dismiss()
        size = history_store.size_bytes(empty.connection)
    return _result(rates, past, size)


def _fill(shop: world.Shop, seed: int, scale: float) -> Past:
    """Close some orders for real, a month before, and repeat them over the year before that."""
    really = max(20, round(REALLY_CLOSED * scale))
    copies = max(2, round(CLOSED * scale) // really)
    connection, step = shop.connection, SPAN / copies
    dataset = world.make(seed, scale, really, paid=True, hours=24.0, earlier=BEFORE)
    assert dataset.first is not None
    bare = history_store.tables_with_rows(connection)
    clock = SharedClock(dataset.first)
    lifecycle.live(shop.url, connection, dataset, clock, seed)
    assert unfinished_orders(connection) == 0, "history is of closed orders"
    history_store.make_partitions(connection, dataset.first - SPAN, shop.now)
    grown = history_store.tables_with_rows(connection) - bare - limit.KEPT - OPEN_WORK
    stride = history_store.longest_log(connection)
    patterns = history_store.make_patterns(connection, grown)
    rows = _repeat(shop.url, patterns, copies, step, stride)
    history_store.go_on_behind(connection, (copies + 1) * stride)
    history_store.forget_old_hashes(connection, shop.now, Ages())
    history_store.settle_down(connection)
    return Past(really * copies, rows, history_store.size_bytes(connection))


def _repeat(
    url: str, patterns: Sequence[Pattern], copies: int, step: timedelta, stride: int
) -> int:
    """Write the copies, oldest first, by two connections; returns the rows."""
    jobs: SimpleQueue[range] = SimpleQueue()
    for last in range(copies, 0, -COPIES_AT_ONCE):
        jobs.put(range(max(1, last - COPIES_AT_ONCE + 1), last + 1))
    written: list[int] = []
    failed: list[BaseException] = []

    def write() -> None:
        try:
            with contextlib.closing(db.connect(url, application_name="bench")) as connection:
                while not failed:
                    numbers = jobs.get_nowait()
                    for pattern in patterns:
                        written.append(
                            history_store.repeat(connection, pattern, numbers, copies, step, stride)
                        )
                    connection.commit()
        except Empty:
            return
        except BaseException as error:
            failed.append(error)

    writers = [threading.Thread(target=write) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    if failed:
        raise failed[0]
    return sum(written)


def _result(rates: list[list[float]], past: Past, size: int) -> BenchResult:
    limit_rate, value = median(rates[0]), median(rates[1])
    return BenchResult(
        name="history",
        value=value,
        unit="orders/s",
        limit=limit_rate,
        ratio=value / limit_rate,
        aim=f">= {AIM_SHARE:.0%} of the rate in empty tables",
        met=value >= AIM_SHARE * limit_rate,
        parts={
            "closed orders": past.orders,
            "rows of closed orders": past.rows,
            "GiB with history": past.bytes / 2**30,
            "GiB without": size / 2**30,
            "orders/s in empty tables": [round(rate, 1) for rate in rates[0]],
            "orders/s beside history": [round(rate, 1) for rate in rates[1]],
        },
    )
