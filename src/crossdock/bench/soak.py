"""Ten minutes of `orders` beside a reader that always holds a transaction open.

What such a reader may still see cannot be vacuumed: dead rows of the tables that hold open work
pile up for as long as its transaction lasts. They must not slow down what is alive.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import NamedTuple

from crossdock import db
from crossdock.bench import pipeline, store, world
from crossdock.bench.result import BenchResult

SECONDS = 600.0
READER_SECONDS = 60.0
ORDERS = 900_000
"""More than can be worked off in that time."""
ROUND = 5_000
AIM_SHARE = 0.90
COMPARED = 5
"""The first and the last of so many parts are compared."""


class Moment(NamedTuple):
    """One round: when it began, its rate, and the dead rows at its end."""

    seconds: float
    rate: float
    dead: int


def run(seed: int = 1, scale: float = 1.0) -> BenchResult:
    """Rounds of intake and work, until time is up."""
    orders = max(200, round(ORDERS * scale))
    duration, held = SECONDS * scale, READER_SECONDS * scale
    size = max(20, round(ROUND * scale))
    with world.shop(world.make(seed, scale, orders, paid=True)) as shop, _reader(shop.url, held):
        shop.take_in(size)
        crew = pipeline.Crew(shop.url, shop.now)
        crew.work()
        moments: list[Moment] = []
        begun = time.perf_counter()
        while (spent := time.perf_counter() - begun) < duration and (taken := shop.take_in(size)):
            rate = pipeline.rate(crew.work(), taken)
            moments.append(Moment(spent, rate, sum(_dead_rows(shop.connection).values())))
        crew.dismiss()
        dead = _dead_rows(shop.connection)
    return _result(moments, dead, size)


@contextlib.contextmanager
def _reader(url: str, seconds: float) -> Iterator[None]:
    """Somebody who reads for so long in one transaction, again and again."""
    stop = threading.Event()

    def read() -> None:
        patience = round(seconds) + 60
        with contextlib.closing(
            db.connect(url, application_name="reader", idle_in_transaction_seconds=patience)
        ) as connection:
            while not stop.is_set():
                store.look_at_everything(connection)
                stop.wait(seconds)
                connection.rollback()

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            yield
        finally:
            stop.set()
        reading.result()


def _dead_rows(connection: db.Connection) -> dict[str, int]:
    return {table: one.dead for table, one in store.written(connection).items() if one.dead}


def _result(moments: list[Moment], dead: dict[str, int], size: int) -> BenchResult:
    part = max(1, len(moments) // COMPARED)
    start = median(moment.rate for moment in moments[:part])
    end = median(moment.rate for moment in moments[-part:])
    return BenchResult(
        name="soak",
        value=end,
        unit="orders/s",
        limit=start,
        ratio=end / start,
        aim=f"at the end >= {AIM_SHARE:.0%} of the rate at the start",
        met=end >= AIM_SHARE * start,
        parts={
            "seconds": moments[-1].seconds,
            "orders": len(moments) * size,
            "orders/s by part": [
                round(median(m.rate for m in moments[i : i + part]), 1)
                for i in range(0, len(moments), part)
            ],
            "dead rows at most": max(moment.dead for moment in moments),
            **{f"dead rows of {table}": count for table, count in sorted(dead.items())},
        },
    )
