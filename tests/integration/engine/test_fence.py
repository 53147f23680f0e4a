"""Looking for open work steps over no rows that are gone, and misses none that come late."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from crossdock import db
from crossdock.engine import inbox, outbox_store, store
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.effects import TryLater
from crossdock.engine.fence import Fence
from crossdock.engine.inbox import Inbound
from crossdock.kernel.clock import VirtualClock
from tests.integration.engine.test_dispatcher import Waiter, open_effects
from tests.integration.engine.test_runner import count, put, runner_on
from tests.integration.engine.toy import NOON, Filled, Poured, inbound, kettle_id


def test_a_message_whose_number_was_taken_long_ago_is_found_when_it_commits(
    connection: db.Connection, database_url: str
) -> None:
    runner = runner_on(connection, VirtualClock(NOON))
    with contextlib.closing(db.connect(database_url)) as slow:
        late = inbound("late", Filled(cups=1), "late")
        put_without_commit(slow, late)
        for n in range(40):
            put(connection, inbound(f"kettle {n}", Filled(cups=1), f"f{n}"))
            runner.run_until_idle()
        slow.commit()
    assert runner.run_until_idle().taken == 1
    assert count(connection, "inbox") == 0
    assert store.load_processes(connection, [kettle_id("late")])


def test_what_was_consumed_is_not_looked_at_again_though_a_reader_may_still_see_it(
    connection: db.Connection, database_url: str
) -> None:
    runner = runner_on(connection, VirtualClock(NOON))
    with contextlib.closing(db.connect(database_url)) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM inbox")
        for n in range(40):
            put(connection, *(inbound(f"{n}/{k}", Filled(cups=1), f"{n}/{k}") for k in range(50)))
            runner.run_until_idle()
        assert count(connection, "inbox") == 0
        last, _ = store.last_number(connection, "inbox")
        assert last == 2_000
        # Other tests' transactions, in databases beside this one, are waited for as well.
        until = time.monotonic() + 30
        while {runner.first_open[shard] for shard in range(64)} != {last + 1}:
            assert time.monotonic() < until
            runner.run_batch()


def test_an_open_effect_is_never_stepped_over(connection: db.Connection) -> None:
    clock, waiter = VirtualClock(NOON), Waiter()
    waiter.mood = {kettle_id("stuck"): [TryLater("the table is taken")] * 1_000}
    runner, dispatcher = runner_on(connection, clock), Dispatcher({"table": waiter}, clock)
    put(connection, inbound("stuck", Filled(cups=1), "f"), inbound("stuck", Poured(cups=1), "p"))
    for n in range(40):
        put(connection, inbound(f"{n}", Filled(cups=1), f"f{n}"))
        put(connection, inbound(f"{n}", Poured(cups=1), f"p{n}"))
        runner.run_until_idle()
        dispatcher.drain(connection)
    assert outbox_store.open_effects(connection) == {"table": 1}
    first = dispatcher._places[connection]["table"].first
    assert first > 0
    assert outbox_store.lowest_open(connection, "table", first) is not None


class Slow:
    """A connection on which the world goes on after a look for the lowest open effect."""

    def __init__(self, connection: db.Connection, meanwhile: Callable[[], None]) -> None:
        self._connection = connection
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
        found = self._connection.execute(statement, *args, **kwargs)
        if "min(number)" in statement:
            self._meanwhile()
        return found


def test_a_thread_steps_over_no_effect_because_of_what_another_has_seen(
    connection: db.Connection, database_url: str
) -> None:
    clock = VirtualClock(NOON - timedelta(minutes=1))
    dispatcher = Dispatcher({"table": Waiter()}, clock)
    one, late = (db.connect(database_url) for _ in range(2))

    def dispatch(by: Any, times: int = 8) -> None:
        for _ in range(times):
            dispatcher.dispatch(by, "table")

    def goes_on() -> None:
        late.commit()
        dispatch(connection)

    slow: Any = Slow(one, goes_on)
    with contextlib.closing(one), contextlib.closing(late):
        open_effects(late, 1, keys=1)
        dispatch(connection)
        dispatch(slow)
        clock.move_to(NOON)
        assert dispatcher.drain(slow) == 1


def test_a_dispatcher_begins_anew_with_a_database_that_was_restored(
    connection: db.Connection, database_url: str
) -> None:
    waiter = Waiter()
    dispatcher = Dispatcher({"table": waiter}, VirtualClock(NOON))
    with contextlib.closing(db.connect(database_url)) as lost:
        open_effects(lost, 9, keys=9)
        lost.commit()
        for _ in range(40):
            dispatcher.dispatch(lost, "table")
    connection.execute("ALTER SEQUENCE outbox_number_seq RESTART WITH 5")
    open_effects(connection, 3, keys=3)
    connection.commit()
    assert dispatcher.drain(connection) == 3


def test_a_fence_waits_for_everybody_who_had_taken_a_number(
    connection: db.Connection, database_url: str
) -> None:
    fence = Fence("inbox", every=1)

    def look() -> int:
        assert fence.look(connection)
        connection.commit()
        return fence.settled

    with contextlib.closing(db.connect(database_url)) as slow:
        put_without_commit(slow, inbound("late", Filled(cups=1), "late"))
        assert [look() for _ in range(5)] == [0] * 5
        assert fence.first_open(0, None) == 1
        slow.commit()
    # Other tests' transactions, in databases beside this one, are waited for as well.
    until = time.monotonic() + 30
    while look() == 0:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert fence.settled == 1
    assert fence.first_open(0, 1) == 1, "what is open is never left behind"
    assert fence.first_open(0, None) == 2


def test_a_fence_is_not_looked_for_by_who_may_be_older_than_others(
    connection: db.Connection,
) -> None:
    fence = Fence("inbox", every=1)
    put_without_commit(connection, inbound("early", Filled(cups=1), "early"))
    assert not fence.look(connection)


def put_without_commit(connection: db.Connection, item: Inbound) -> None:
    inbox.receive(connection, [item], NOON)
