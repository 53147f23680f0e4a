"""A worker in a thread of its own: it works, does its chores, and outlives a lost connection."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from crossdock import db
from crossdock.engine import store
from crossdock.engine.upkeep import Ages
from crossdock.engine.worker import Worker, WorkerLimits
from crossdock.kernel.clock import VirtualClock
from tests.integration.engine.test_runner import put, state_of
from tests.integration.engine.toy import NOON, Filled, Poured, inbound, kitchen

Started = Callable[..., Worker]


@pytest.fixture
def hire(database_url: str) -> Iterator[Started]:
    """Starts workers; they are stopped at the end of the test, and must have ended in peace."""
    stop, threads, failures = threading.Event(), [], []

    def start(**options: Any) -> Worker:
        worker = Worker(
            kitchen(),
            lambda autocommit: db.connect(database_url, autocommit=autocommit),
            VirtualClock(NOON),
            name="cook",
            waits=WorkerLimits(idle_seconds=0.01, retry_seconds=0.05),
            **options,
        )

        def work() -> None:
            try:
                worker.run(stop)
            except Exception as error:
                failures.append(error)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return worker

    yield start
    stop.set()
    for thread in threads:
        thread.join(30)
    assert failures == []


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def closed(connection: db.Connection, name: str) -> bool:
    try:
        return state_of(connection, name).stage == "closed"
    except IndexError:
        return False
    finally:
        connection.rollback()


def test_a_worker_works_and_does_its_chores(connection: db.Connection, hire: Started) -> None:
    done: list[datetime] = []
    put(connection, inbound("blue", Filled(cups=1), "f"), inbound("blue", Poured(cups=1), "p"))
    worker = hire(chores=(lambda _, now: done.append(now),))
    until(lambda: closed(connection, "blue"))
    assert worker.total.handled == 3
    until(lambda: done == [NOON])


def test_a_chore_that_has_more_to_do_goes_on_after_the_next_batch(
    connection: db.Connection, hire: Started
) -> None:
    left, steps = [3], []

    def step(_: db.Connection, now: datetime) -> bool:
        steps.append(now)
        left[0] -= 1
        return left[0] > 0

    connection.execute(
        "INSERT INTO dedupe (hash, fingerprint, type, recorded_at)"
        " SELECT decode(md5(n::text), 'hex'), '', 'pour', %s FROM generate_series(1, 23) AS n",
        (NOON - timedelta(days=91),),
    )
    connection.commit()
    hire(chores=(step,), ages=Ages(step_rows=5))
    until(lambda: forgotten(connection))
    until(lambda: steps == [NOON] * 3)


def forgotten(connection: db.Connection) -> bool:
    found = connection.execute("SELECT NOT EXISTS (SELECT FROM dedupe)").fetchone()
    connection.rollback()
    return found == (True,)


def test_a_worker_outlives_a_lost_connection(connection: db.Connection, hire: Started) -> None:
    hire()
    put(connection, inbound("blue", Filled(cups=1), "f"), inbound("blue", Poured(cups=1), "p"))
    until(lambda: closed(connection, "blue"))
    with contextlib.suppress(psycopg.Error):
        store.fetch(
            connection,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    connection.commit()
    put(connection, inbound("red", Filled(cups=1), "f2"), inbound("red", Poured(cups=1), "p2"))
    until(lambda: closed(connection, "red"))
