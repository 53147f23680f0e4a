"""The dispatcher on a real PostgreSQL, with a waiter who can be slow, rude and forgetful."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from crossdock import db
from crossdock.engine import outbox_store
from crossdock.engine.dispatcher import Dispatcher, DispatchLimits
from crossdock.engine.effects import (
    ClaimedEffect,
    Done,
    EffectResult,
    PendingEffect,
    Repeat,
    TryLater,
    Unknown,
)
from crossdock.engine.runner import Runner
from crossdock.engine.throttle import Rate
from crossdock.kernel.clock import VirtualClock
from crossdock.kernel.messages import Message
from tests.integration.engine.test_runner import count, put, state_of
from tests.integration.engine.toy import NOON, Filled, Poured, Whistled, inbound, kettle_id, kitchen


class Waiter:
    """Serves cups. `mood` decides each answer; `served` counts what really happened."""

    name = "table"
    most_per_second: float | None = None

    def __init__(self, repeat: Repeat = Repeat.IDEMPOTENT) -> None:
        self.repeat = repeat
        self.mood: dict[str, list[EffectResult | Exception]] = {}
        self.served: Counter[str] = Counter()
        self.calls: list[list[str]] = []

    def repeats(self, operation: str) -> Repeat:
        return self.repeat

    def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
        self.calls.append([effect.key for effect in effects])
        return [self._serve(effect) for effect in effects]

    def _serve(self, effect: PendingEffect) -> EffectResult:
        answers = self.mood.get(effect.order_key, [])
        if answers:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                self.served[effect.key] += 1
                raise answer
            return answer
        self.served[effect.key] += 1
        return Done(Whistled(tune=effect.key))

    def look_up(self, effects: Sequence[PendingEffect]) -> list[Message | None]:
        return [Whistled(tune="found") if self.served[e.key] else None for e in effects]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


def served_kettles(connection: db.Connection, clock: VirtualClock, *names: str) -> Runner:
    """Kettles with two cups each, poured one by one: two effects per order key."""
    runner = Runner(kitchen(), connection, clock)
    runner.start()
    for name in names:
        put(connection, inbound(name, Filled(cups=3), f"f{name}"))
        put(connection, *(inbound(name, Poured(cups=1), f"p{name}{n}") for n in range(2)))
    runner.run_until_idle()
    return runner


def test_results_come_back_to_the_process_that_asked(
    connection: db.Connection, clock: VirtualClock
) -> None:
    runner = served_kettles(connection, clock, "blue", "red")
    waiter = Waiter()
    assert Dispatcher({"table": waiter}, clock).drain(connection) == 4
    runner.run_until_idle()
    assert state_of(connection, "blue").whistles == 2
    assert set(waiter.served.values()) == {1}
    assert count(connection, "outbox") == 0


def test_one_effect_per_order_key_is_in_flight_and_the_oldest_first(
    connection: db.Connection, clock: VirtualClock
) -> None:
    served_kettles(connection, clock, "blue", "red")
    waiter = Waiter()
    Dispatcher({"table": waiter}, clock).drain(connection)
    assert len(waiter.calls) == 2
    assert all(key.endswith("/serve/1") for key in waiter.calls[0])
    assert all(key.endswith("/serve/2") for key in waiter.calls[1])


def test_a_failing_effect_holds_back_only_its_own_key(
    connection: db.Connection, clock: VirtualClock
) -> None:
    served_kettles(connection, clock, "blue", "red")
    waiter = Waiter()
    waiter.mood[kettle_id("blue")] = [TryLater("tray full")]
    dispatcher = Dispatcher({"table": waiter}, clock)
    dispatcher.drain(connection)
    assert sum(waiter.served.values()) == 2, "both of red, none of blue"
    clock.move_to(NOON + timedelta(seconds=5))
    dispatcher.drain(connection)
    assert sum(waiter.served.values()) == 4


@pytest.mark.parametrize(("gone", "left", "keys"), [(0, 12, 1), (2_000, 3, 3)])
def test_a_claim_planned_while_little_was_open_reads_no_backlog_per_effect(
    database_url: str, clock: VirtualClock, gone: int, left: int, keys: int
) -> None:
    with contextlib.closing(db.connect(database_url, autocommit=True)) as connection:
        open_effects(connection, gone + left, keys=gone + keys)
        connection.execute("DELETE FROM outbox WHERE number <= %s", (gone,))
        connection.execute("VACUUM (ANALYZE) outbox")
        for _ in range(8):  # After five, PostgreSQL keeps the plan.
            assert len(_claim(connection, clock)) == keys
        open_effects(connection, 400, keys=400)
        before = _index_rows_read(connection)
        assert len(_claim(connection, clock)) == keys + 400
        assert _index_rows_read(connection) - before < 10 * 400


def open_effects(connection: db.Connection, count: int, keys: int) -> None:
    connection.execute(
        """
        INSERT INTO outbox (id, connector, operation, order_key, key, payload, process, instance,
                            route, correlation_id, causation_id, created_at, available_at)
        SELECT id, 'table', 'serve', 'of ' || %s || ' ' || least(n, %s), id, '', 'kettle', id, id,
               id, id, %s, %s
        FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, %s) AS n) AS v
        """,
        (count, keys, NOON, NOON, count),
    )


def _claim(connection: db.Connection, clock: VirtualClock) -> list[ClaimedEffect]:
    with connection.transaction(force_rollback=True):
        outbox_store.plan_by_number(connection)
        return outbox_store.claim(connection, "table", clock.now(), clock.now(), 1_000)


def _index_rows_read(connection: db.Connection) -> int:
    connection.execute("SELECT pg_stat_force_next_flush()")
    connection.execute("SELECT pg_stat_clear_snapshot()")
    query = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'outbox'"
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_an_idempotent_operation_is_sent_again_after_an_unknown_outcome(
    connection: db.Connection, clock: VirtualClock
) -> None:
    served_kettles(connection, clock, "blue")
    waiter = Waiter()
    waiter.mood[kettle_id("blue")] = [TimeoutError("no answer")]
    dispatcher = Dispatcher({"table": waiter}, clock)
    dispatcher.drain(connection)
    clock.move_to(NOON + timedelta(minutes=1))
    dispatcher.drain(connection)
    assert waiter.served[f"{kettle_id('blue')}/serve/1"] == 2, "with the same key"
    assert count(connection, "outbox") == 0


def test_a_lookup_operation_is_asked_for_before_it_is_repeated(
    connection: db.Connection, clock: VirtualClock
) -> None:
    runner = served_kettles(connection, clock, "blue")
    waiter = Waiter(Repeat.LOOKUP)
    waiter.mood[kettle_id("blue")] = [TimeoutError("no answer")]
    dispatcher = Dispatcher({"table": waiter}, clock)
    dispatcher.drain(connection)
    clock.move_to(NOON + timedelta(minutes=1))
    dispatcher.drain(connection)
    assert set(waiter.served.values()) == {1}
    runner.run_until_idle()
    assert state_of(connection, "blue").whistles == 2


def test_an_unknown_outcome_that_must_not_repeat_becomes_a_case(
    connection: db.Connection, clock: VirtualClock
) -> None:
    served_kettles(connection, clock, "blue")
    waiter = Waiter(Repeat.NEVER)
    waiter.mood[kettle_id("blue")] = [Unknown("line went dead")]
    dispatcher = Dispatcher({"table": waiter}, clock)
    dispatcher.drain(connection)
    clock.move_to(NOON + timedelta(days=30))
    dispatcher.drain(connection)
    assert sum(waiter.served.values()) == 0
    cases = connection.execute("SELECT kind FROM case_file").fetchall()
    assert cases == [("effect outcome unknown",)]


def test_a_crash_between_call_and_finish_is_an_unknown_outcome(
    connection: db.Connection, clock: VirtualClock
) -> None:
    served_kettles(connection, clock, "blue")
    until = NOON + timedelta(minutes=2)
    outbox_store.claim(connection, "table", NOON, until, 10)
    connection.commit()
    waiter = Waiter()
    dispatcher = Dispatcher({"table": waiter}, clock)
    assert dispatcher.drain(connection) == 0, "somebody else's, until the lease ends"
    clock.move_to(until)
    assert outbox_store.claim(connection, "table", until, until, 10)[0].unknown
    connection.rollback()
    assert dispatcher.drain(connection) == 2


def test_what_was_once_unknown_is_looked_up_before_each_later_try(
    connection: db.Connection, clock: VirtualClock
) -> None:
    served_kettles(connection, clock, "blue")
    waiter = Waiter(Repeat.LOOKUP)
    waiter.mood[kettle_id("blue")] = [Unknown("no answer"), TryLater("too busy")]
    dispatcher = Dispatcher({"table": waiter}, clock)
    for minute in range(2):
        clock.move_to(NOON + timedelta(minutes=minute))
        dispatcher.dispatch(connection, "table")
    waiter.served[f"{kettle_id('blue')}/serve/1"] += 1  # The first try arrives at last.
    clock.move_to(NOON + timedelta(minutes=2))
    dispatcher.drain(connection)
    assert set(waiter.served.values()) == {1}


def test_no_more_is_claimed_than_is_answered_long_before_the_lease_ends(
    connection: db.Connection, clock: VirtualClock
) -> None:
    class Slow(Waiter):
        seconds = 5

        def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
            clock.move_to(clock.now() + timedelta(seconds=self.seconds * len(effects)))
            return super().send(effects)

    open_effects(connection, 90, keys=90)
    waiter = Slow()
    limits = DispatchLimits(batch=20, first_batch=4, lease_seconds=120)
    dispatcher = Dispatcher({"table": waiter}, clock, limits)
    for seconds in (5, 40, 300, 0, 0):
        waiter.seconds = seconds
        dispatcher.dispatch(connection, "table")
    assert [len(call) for call in waiter.calls] == [4, 12, 1, 1, 20]


class Clumsy(Waiter):
    """Breaks over one order, before it has served any of the effects it was given."""

    breaks_over = ""

    def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
        if any(effect.order_key == self.breaks_over for effect in effects):
            self.calls.append([effect.key for effect in effects])
            raise KeyError("table")
        return super().send(effects)


@pytest.mark.parametrize("repeat", Repeat)
def test_an_effect_over_which_a_port_breaks_holds_back_only_its_own_key(
    connection: db.Connection, clock: VirtualClock, repeat: Repeat
) -> None:
    served_kettles(connection, clock, "blue", "red", "green", "white")
    waiter = Clumsy(repeat)
    waiter.breaks_over = kettle_id("red")
    dispatcher = Dispatcher({"table": waiter}, clock)
    for minute in range(2):
        clock.move_to(NOON + timedelta(minutes=minute))
        dispatcher.drain(connection)
    assert len(waiter.served) == 6 and set(waiter.served.values()) == {1}
    assert count(connection, "outbox") == 2, "both of red"
    assert count(connection, "case_file") == (repeat is Repeat.NEVER)


def test_after_a_call_that_broke_the_next_ones_carry_one_effect_until_one_is_answered(
    connection: db.Connection, clock: VirtualClock
) -> None:
    open_effects(connection, 12, keys=12)
    waiter = Waiter()
    dispatcher = Dispatcher({"table": waiter}, clock, DispatchLimits(batch=4))
    keys = connection.execute("SELECT order_key FROM outbox ORDER BY number").fetchall()
    for number in (0, 4, 5):
        waiter.mood[keys[number][0]] = [ConnectionError("no way there")]
    assert [dispatcher.dispatch(connection, "table") for _ in range(5)] == [4, 1, 1, 1, 4]


def test_an_operation_of_which_a_port_cannot_say_how_it_repeats_is_not_sent(
    connection: db.Connection, clock: VirtualClock
) -> None:
    class Strict(Waiter):
        def repeats(self, operation: str) -> Repeat:
            return {"serve": self.repeat}[operation]

    open_effects(connection, 3, keys=3)
    connection.execute("UPDATE outbox SET operation = 'dance' WHERE number = 2")
    waiter = Strict()
    dispatcher = Dispatcher({"table": waiter}, clock, DispatchLimits(case_after_attempts=1))
    assert dispatcher.drain(connection) == 3
    assert [len(call) for call in waiter.calls] == [2]
    assert dispatcher.breakers["table"].failures == 0
    rows = connection.execute("SELECT operation, last_error FROM outbox").fetchall()
    assert rows == [("dance", "not sent, KeyError: 'dance'")]
    assert connection.execute("SELECT kind FROM case_file").fetchall() == [
        ("effect keeps failing",)
    ]


def test_a_system_that_is_down_gets_a_probe_and_not_the_whole_queue(
    connection: db.Connection, clock: VirtualClock
) -> None:
    names = [f"kettle {n}" for n in range(30)]
    served_kettles(connection, clock, *names)
    waiter = Waiter()
    waiter.mood = {kettle_id(name): [TryLater("closed")] * 50 for name in names}
    limits = DispatchLimits(breaker_failures=10, breaker_wait_seconds=60)
    dispatcher = Dispatcher({"table": waiter}, clock, limits)
    dispatcher.drain(connection)
    assert [len(call) for call in waiter.calls] == [30]
    clock.move_to(NOON + timedelta(minutes=2))
    dispatcher.dispatch(connection, "table")
    assert len(waiter.calls[-1]) == 1
    waiter.mood = {}
    clock.move_to(NOON + timedelta(minutes=20))
    dispatcher.drain(connection)
    assert sum(waiter.served.values()) == 60


def test_a_system_that_times_out_is_left_alone_from_the_end_of_its_call(
    connection: db.Connection, clock: VirtualClock
) -> None:
    class TimesOut(Waiter):
        def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
            clock.move_to(clock.now() + timedelta(seconds=60))
            return [Unknown("no answer")] * len(effects)

    open_effects(connection, 3, keys=3)
    limits = DispatchLimits(batch=1, breaker_failures=1, breaker_wait_seconds=30)
    dispatcher = Dispatcher({"table": TimesOut()}, clock, limits)
    assert [dispatcher.dispatch(connection, "table") for _ in range(2)] == [1, 0]
    clock.move_to(clock.now() + timedelta(seconds=30))
    assert dispatcher.dispatch(connection, "table") == 1


def test_a_rate_limit_is_used_up_by_what_is_sent_alone(
    connection: db.Connection, clock: VirtualClock
) -> None:
    waiter = Waiter()
    waiter.most_per_second = 1e-6
    dispatcher = Dispatcher({"table": waiter}, clock)
    dispatcher.rates["table"] = Rate(time.monotonic(), tokens=1.0)
    assert dispatcher.dispatch(connection, "table") == 0, "nothing is open"
    open_effects(connection, 3, keys=3)
    assert [dispatcher.dispatch(connection, "table") for _ in range(3)] == [1, 0, 0]


@pytest.mark.parametrize(
    ("per_second", "taken"), [(0.5, [0, 1, 0, 1, 0]), (1.0, [1] * 5), (20.0, [10] * 5)]
)
def test_a_rate_lets_through_what_it_says(per_second: float, taken: list[int]) -> None:
    rate = Rate(0.0)
    assert [rate.take(10, per_second, second) for second in range(1, 6)] == taken


def test_a_rate_saves_up_no_more_than_a_second() -> None:
    assert Rate(0.0).take(100, 20.0, 3600.0) == 20
    assert Rate(0.0).take(100, 0.1, 3600.0) == 1
    assert Rate(0.0).take(100, None, 0.0) == 100


def test_threads_send_everything_once(
    connection: db.Connection, clock: VirtualClock, database_url: str
) -> None:
    names = [f"kettle {n}" for n in range(50)]
    served_kettles(connection, clock, *names)
    waiter = Waiter()
    stop = threading.Event()
    dispatcher = Dispatcher({"table": waiter}, clock, DispatchLimits(batch=7))
    threads = dispatcher.run(lambda: db.connect(database_url), stop, threads_per_connector=4)
    for _ in range(600):
        if sum(waiter.served.values()) == 100 and count(connection, "outbox") == 0:
            break
        connection.rollback()
        stop.wait(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert len(waiter.served) == 100 and set(waiter.served.values()) == {1}
