"""Answers that come when the lease has run out and another dispatcher has sent the effect again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest

from crossdock import db
from crossdock.engine import outbox_store
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.effects import Done, EffectResult, PendingEffect, Repeat, TryLater
from crossdock.kernel.clock import VirtualClock
from crossdock.kernel.messages import Message
from tests.integration.engine.test_dispatcher import Waiter, served_kettles
from tests.integration.engine.toy import NOON, Filled, Poured, Whistled


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


TWO_ANSWERS = pytest.mark.parametrize(
    ("first", "second", "differs_in"),
    [
        (Whistled(tune="rising"), Whistled(tune="rising"), None),
        (Whistled(tune="rising"), Whistled(tune="falling"), "answer.tune"),
        (Filled(cups=1), Poured(cups=1), "type"),
    ],
)


def check_told(connection: db.Connection, differs_in: str | None) -> None:
    """People are told of a second answer only where it says something else."""
    rows = connection.execute("SELECT kind, detail FROM case_file").fetchall()
    if differs_in is None:
        assert rows == []
        return
    [(kind, detail)] = rows
    assert kind == "effect answered twice"
    assert detail.endswith(f"the first answer wins; this one differs in its {differs_in}")


@TWO_ANSWERS
def test_the_first_result_wins_and_another_one_after_it_is_a_case(
    connection: db.Connection,
    clock: VirtualClock,
    database_url: str,
    first: Message,
    second: Message,
    differs_in: str | None,
) -> None:
    served_kettles(connection, clock, "blue")

    class Quick(Waiter):
        def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
            return [Done(first) for _ in effects]

    class Slow(Waiter):
        def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
            clock.move_to(NOON + timedelta(minutes=5))
            with db.connect(database_url) as other:
                Dispatcher({"table": Quick()}, clock).dispatch(other, "table")
            return [Done(second) for _ in effects]

    Dispatcher({"table": Slow()}, clock).dispatch(connection, "table")
    kinds = connection.execute("SELECT type FROM inbox").fetchall()
    assert kinds == [(first.message_type,)]
    check_told(connection, differs_in)


@TWO_ANSWERS
def test_an_answer_after_its_lease_may_be_the_first_and_wins(
    connection: db.Connection,
    clock: VirtualClock,
    database_url: str,
    first: Message,
    second: Message,
    differs_in: str | None,
) -> None:
    served_kettles(connection, clock, "blue")
    has_sent, may_answer = threading.Event(), threading.Event()

    class Again(Waiter):
        def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
            has_sent.set()
            assert may_answer.wait(10)
            return [Done(second) for _ in effects]

    def send_again() -> None:
        with db.connect(database_url) as other:
            Dispatcher({"table": Again()}, clock).dispatch(other, "table")

    sending = threading.Thread(target=send_again)

    class Late(Waiter):
        def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
            clock.move_to(NOON + timedelta(minutes=5))
            sending.start()
            assert has_sent.wait(10)
            return [Done(first) for _ in effects]

    Dispatcher({"table": Late()}, clock).dispatch(connection, "table")
    may_answer.set()
    sending.join()
    kinds = connection.execute("SELECT type FROM inbox").fetchall()
    assert kinds == [(first.message_type,)]
    check_told(connection, differs_in)


@pytest.mark.parametrize("repeat", [Repeat.LOOKUP, Repeat.NEVER])
def test_an_answer_that_comes_after_its_lease_ends_nobody_elses(
    connection: db.Connection, clock: VirtualClock, database_url: str, repeat: Repeat
) -> None:
    served_kettles(connection, clock, "blue")
    waiter = Waiter(repeat)

    class Slow(Waiter):
        """Says it did nothing, when another has claimed the effect and is sending it."""

        def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
            now = NOON + timedelta(minutes=5)
            clock.move_to(now)
            with db.connect(database_url) as other:
                outbox_store.claim(other, "table", now, now + timedelta(minutes=2), 10)
            for effect in effects:
                waiter.served[effect.key] += 1
            return [TryLater("too busy")] * len(effects)

    Dispatcher({"table": Slow(repeat)}, clock).dispatch(connection, "table")
    dispatcher = Dispatcher({"table": waiter}, clock)
    clock.move_to(NOON + timedelta(minutes=6))
    assert dispatcher.dispatch(connection, "table") == 0, "the other has it"
    clock.move_to(NOON + timedelta(minutes=8))
    assert dispatcher.dispatch(connection, "table") == 1
    assert waiter.calls == [], "looked up, or left to a person"
    assert set(waiter.served.values()) == {1}
