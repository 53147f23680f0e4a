"""Test mode at work: its schema kept like the live one, a worker, fakes, and people who do it all.

The live schema is only read, and only its master data: nothing here has a way to write there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime

import structlog

from crossdock import db
from crossdock.api.services import TEST_SCHEMA
from crossdock.api.test_mode import store
from crossdock.api.test_mode.nodes import work_once
from crossdock.api.test_mode.systems import systems
from crossdock.app import CHORES, registry
from crossdock.engine import store as engine_store
from crossdock.engine.dispatcher import Dispatcher, DispatchLimits
from crossdock.engine.transaction import Transaction
from crossdock.engine.worker import Chore, Worker, WorkerLimits
from crossdock.inventory.upkeep import Opening, load_opening_stock
from crossdock.kernel.clock import Clock, SystemClock

UNITS = 1_000_000
"""Of each SKU at each node that has any: nobody buys test mode empty."""

MOST_LEVELS = 200_000
"""Levels of made-up stock; with more products than that allows, fewer nodes have it."""

LOOK_SECONDS = 0.2
"""Between two looks of the people at nodes and of the carriers."""

COPY_SECONDS = 5.0
"""Between two looks whether the live master data changed."""

log = structlog.get_logger(__name__)


def open_test_schema(url: str, now: datetime) -> None:
    """Make the schema of test mode, or bring it up to date with the live schema behind `url`."""
    with closing(db.connect(url, autocommit=True)) as connection:
        store.create_schema(connection, TEST_SCHEMA)
    with closing(db.connect(url_of_test_schema(url))) as connection:
        db.migrate(connection)
    with closing(db.connect(url)) as live:
        schema = store.current_schema(live)
    with closing(db.connect(url_of_test_schema(url))) as connection:
        copy(connection, schema, now)


def url_of_test_schema(url: str) -> str:
    """The same database, where nothing is found but test mode."""
    return db.in_schema(url, TEST_SCHEMA)


def copy(connection: db.Connection, live: str, now: datetime) -> None:
    """Master data as in the live schema, with stock for all of it; commits."""
    store.copy_master_data(connection, live)
    engine_store.ensure_zone_shards(connection, store.zones(connection))
    tx = Transaction(connection, now)
    load_opening_stock(
        tx,
        [
            Opening(sku, node, sellable=UNITS)
            for sku, node in store.unstocked(connection, MOST_LEVELS)
        ],
    )
    tx.flush_books()
    connection.commit()


def run_test_mode(
    url: str,
    stop: threading.Event,
    *,
    clock: Clock | None = None,
    dispatch: DispatchLimits | None = None,
    look_seconds: float = LOOK_SECONDS,
    chores: Sequence[Chore] = (),
    more: Sequence[Callable[[threading.Event], None]] = (),
) -> None:
    """Do the work of test mode until `stop` is set; `more` runs beside it, each in a thread."""
    clock = clock or SystemClock()
    open_test_schema(url, clock.now())
    here = url_of_test_schema(url)

    def connect(autocommit: bool = False) -> db.Connection:
        return db.connect(here, application_name="crossdock test mode", autocommit=autocommit)

    worker = Worker(
        registry(),
        connect,
        clock,
        name="test mode",
        waits=WorkerLimits(idle_seconds=look_seconds / 4),
        chores=(*CHORES, *chores),
    )
    limits = dispatch or DispatchLimits(first_wait_seconds=1.0, longest_wait_seconds=30.0)
    dispatcher = Dispatcher(systems(clock, connect), clock, limits)
    threads = dispatcher.run(connect, stop, threads_per_connector=1)
    jobs: list[Callable[[threading.Event], None]] = [
        worker.run,
        lambda stop: _people(connect, clock, stop, look_seconds),
        lambda stop: _copies(url, connect, clock, stop),
        *more,
    ]
    threads += [threading.Thread(target=job, args=(stop,), name="test mode") for job in jobs]
    for thread in threads[-len(jobs) :]:
        thread.start()
    for thread in threads:
        thread.join()


def _people(
    connect: Callable[[], db.Connection], clock: Clock, stop: threading.Event, seconds: float
) -> None:
    def look(connection: db.Connection) -> None:
        while not stop.is_set():
            done = work_once(connection, clock.now())
            connection.commit()
            stop.wait(seconds / 4 if done else seconds)

    _again_and_again(connect, look, stop)


def _copies(
    url: str, connect: Callable[[], db.Connection], clock: Clock, stop: threading.Event
) -> None:
    """Copy the live master data whenever they changed."""
    with closing(db.connect(url)) as live:
        schema = store.current_schema(live)

    def look(connection: db.Connection) -> None:
        known = store.live_versions(connection, schema)
        connection.commit()
        while not stop.wait(COPY_SECONDS):
            versions = store.live_versions(connection, schema)
            connection.commit()
            if versions != known:
                copy(connection, schema, clock.now())
                known = versions

    _again_and_again(connect, look, stop)


def _again_and_again(
    connect: Callable[[], db.Connection],
    work: Callable[[db.Connection], None],
    stop: threading.Event,
) -> None:
    """Go on after faults that pass: the database was away, two transactions met."""
    while not stop.is_set():
        try:
            with closing(connect()) as connection:
                work(connection)
        except Exception as error:
            fault = db.fault_of_any(error)
            if fault is None or not fault.retryable:
                raise
            log.warning("test mode waits", error=str(error))
            stop.wait(1.0)
