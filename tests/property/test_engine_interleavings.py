"""Whatever comes twice, late, out of order, by several workers or over crashes: one outcome."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock import db
from crossdock.engine import inbox, store
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.inbox import Inbound
from crossdock.engine.runner import Limits, Runner
from crossdock.kernel.clock import VirtualClock
from tests.integration.engine.test_dispatcher import Waiter
from tests.integration.engine.test_runner import state_of
from tests.integration.engine.toy import NOON, Filled, Poured, inbound, kettle_id, kitchen

pytestmark = pytest.mark.slow

run_number = itertools.count()

properties = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)


class Dying:
    """A connection whose backend dies at its n-th statement, before or after it took effect."""

    def __init__(self, connection: db.Connection, at: int, after: bool) -> None:
        self._connection = connection
        self._left = at
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def _step(self, do: Any) -> Any:
        self._left -= 1
        if self._left != 0:
            return do()
        if self._after:
            do()
        self._connection.close()
        raise psycopg.OperationalError("the connection is gone")

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        return self._step(lambda: self._connection.execute(*args, **kwargs))

    def commit(self) -> None:
        self._step(self._connection.commit)

    def cursor(self) -> Any:
        return self._step(self._connection.cursor)


def deliveries(names: list[str]) -> list[Inbound]:
    """Each kettle is filled with three cups and poured three times."""
    found = []
    for name in names:
        found.append(inbound(name, Filled(cups=3), f"{name} filled"))
        found += [inbound(name, Poured(cups=1), f"{name} poured {n}") for n in range(3)]
    return found


def assert_whole(connection: db.Connection, names: list[str], waiter: Waiter) -> None:
    for name in names:
        state = state_of(connection, name)
        assert (state.stage, state.cups, state.poured, state.whistles) == ("closed", 0, 3, 3)
        served = [key for key in waiter.served if key.startswith(f"{state.id}/")]
        assert len(served) == 3
        assert all(waiter.served[key] == 1 for key in served)
    mine = [kettle_id(name) for name in names]  # an example hypothesis gave up leaves its own
    for table in ("inbox", "outbox", "held_message", "timer", "dead_letter", "case_file"):
        statement = f"SELECT count(*) FROM {table} WHERE instance::text = ANY(%s)"
        assert store.fetch(connection, statement, (mine,)) == [(0,)], table
    gaps = store.fetch(
        connection,
        "SELECT s.number FROM shard s JOIN LATERAL (SELECT count(*) AS entries,"
        " coalesce(max(number), 0) AS last FROM event_log WHERE shard = s.number) l ON true"
        " WHERE l.entries <> l.last OR s.last_entry <> l.last",
    )
    assert gaps == [], "log numbers are gapless per shard"
    connection.commit()


def wait_until_gone(connection: db.Connection, pid: int) -> None:
    """A backend keeps its locks until it notices that nobody is there any more."""
    while store.fetch(connection, "SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)):
        connection.rollback()
        time.sleep(0.005)
    connection.rollback()


@pytest.fixture
def other(database_url: str) -> Iterator[db.Connection]:
    with contextlib.closing(db.connect(database_url)) as connection:
        yield connection


@properties
@given(data=st.data())
def test_duplicates_and_reordering_over_two_workers_give_one_outcome(
    connection: db.Connection, other: db.Connection, data: st.DataObject
) -> None:
    names = [f"{next(run_number)}/{n}" for n in range(data.draw(st.integers(1, 4)))]
    once = deliveries(names)
    twice = once + data.draw(st.lists(st.sampled_from(once), max_size=8))
    order = data.draw(st.permutations(twice))
    clock = VirtualClock(NOON)
    size = data.draw(st.integers(1, 9))
    workers = [
        Runner(kitchen(), one, clock, limits=Limits(messages=size, rounds=rounds, shards=9))
        for one, rounds in ((connection, 1), (other, 40))
    ]
    for worker in workers:
        worker.start()
    waiter = Waiter()
    dispatcher = Dispatcher({"table": waiter}, clock)
    while order:
        some = data.draw(st.integers(1, len(order)))
        inbox.receive(connection, order[:some], NOON)
        connection.commit()
        order = order[some:]
        data.draw(st.sampled_from(workers)).run_batch()
        if data.draw(st.booleans()):
            dispatcher.dispatch(other, "table")
    while workers[0].run_batch().taken or workers[1].run_batch().taken or dispatcher.drain(other):
        pass
    assert_whole(connection, names, waiter)


@properties
@given(at=st.integers(1, 60), after=st.booleans(), dispatching=st.booleans())
def test_a_crash_at_any_step_loses_and_doubles_nothing(
    connection: db.Connection, database_url: str, at: int, after: bool, dispatching: bool
) -> None:
    names = [f"{next(run_number)}/{n}" for n in range(3)]
    clock = VirtualClock(NOON)
    waiter = Waiter()
    dispatcher = Dispatcher({"table": waiter}, clock)
    runner = Runner(kitchen(), connection, clock)
    runner.start()
    inbox.receive(connection, deliveries(names), NOON)
    connection.commit()
    doomed = db.connect(database_url)
    pid = doomed.info.backend_pid
    dying: Any = Dying(doomed, at, after)
    with contextlib.closing(dying):
        with contextlib.suppress(psycopg.OperationalError):
            if dispatching:
                runner.run_until_idle()
                dispatcher.drain(dying)
            fragile = Runner(kitchen(), dying, clock)
            fragile.start()
            fragile.run_until_idle()
    wait_until_gone(connection, pid)
    for minutes in (0, 5, 30):  # leases of the crashed dispatcher run out
        clock.move_to(NOON + timedelta(minutes=minutes))
        while runner.run_until_idle().taken or dispatcher.drain(connection):
            pass
    served_twice = [key for key, times in waiter.served.items() if times > 1]
    assert not served_twice or dispatching, "only an unfinished call is repeated, with its key"
    for key in served_twice:
        waiter.served[key] = 1
    assert_whole(connection, names, waiter)
