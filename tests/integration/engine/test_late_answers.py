"""Answers that come when the lease has run out and another dispatcher has sent the effect again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

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


class Saying(Waiter):
    """Gives one answer to every effect, after something else has happened."""

    def __init__(self, answer: Message, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.answer = answer
        self.meanwhile = meanwhile

    def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
        self.meanwhile()
        return [Done(self.answer) for _ in effects]


class Answers(NamedTuple):
    """Two answers to one effect, and in what the second is said to differ."""

    first: Message
    second: Message
    differs_in: str | None


RISING = Whistled(tune="rising")
TWO_ANSWERS = pytest.mark.parametrize(
    "answers",
    [
        Answers(RISING, RISING, None),
        Answers(RISING, Whistled(tune="falling"), "answer.tune"),
        Answers(Filled(cups=1), Poured(cups=1), "type"),
    ],
)


def check_first_won(connection: db.Connection, answers: Answers) -> None:
    """Its process gets the first; people are told of the second where it says something else."""
    kinds = connection.execute("SELECT type FROM inbox").fetchall()
    assert kinds == [(answers.first.message_type,)]
    if answers.differs_in is None:
        assert told_of(connection) == []
    else:
        assert told_of(connection) == [f"this one differs in its {answers.differs_in}"]


def told_of(connection: db.Connection) -> list[str]:
    """What people are told of second answers."""
    rows = connection.execute("SELECT kind, detail FROM case_file").fetchall()
    assert {kind for kind, _ in rows} <= {"effect answered twice"}
    return [str(detail).partition("the first answer wins; ")[2] for _, detail in rows]


@TWO_ANSWERS
def test_the_first_result_wins_and_another_one_after_it_is_a_case(
    connection: db.Connection, clock: VirtualClock, database_url: str, answers: Answers
) -> None:
    served_kettles(connection, clock, "blue")

    def another_answers() -> None:
        clock.move_to(NOON + timedelta(minutes=5))
        with db.connect(database_url) as other:
            Dispatcher({"table": Saying(answers.first)}, clock).dispatch(other, "table")

    slow = Saying(answers.second, another_answers)
    Dispatcher({"table": slow}, clock).dispatch(connection, "table")
    check_first_won(connection, answers)


@TWO_ANSWERS
def test_an_answer_after_its_lease_may_be_the_first_and_wins(
    connection: db.Connection, clock: VirtualClock, database_url: str, answers: Answers
) -> None:
    served_kettles(connection, clock, "blue")
    has_sent, may_answer = threading.Event(), threading.Event()

    def wait_for_the_first() -> None:
        has_sent.set()
        assert may_answer.wait(10)

    def send_again() -> None:
        again = Saying(answers.second, wait_for_the_first)
        with db.connect(database_url) as other:
            Dispatcher({"table": again}, clock).dispatch(other, "table")

    sending = threading.Thread(target=send_again)

    def another_sends() -> None:
        clock.move_to(NOON + timedelta(minutes=5))
        sending.start()
        assert has_sent.wait(10)

    late = Saying(answers.first, another_sends)
    Dispatcher({"table": late}, clock).dispatch(connection, "table")
    may_answer.set()
    sending.join()
    check_first_won(connection, answers)


def test_an_answer_to_an_effect_that_was_answered_another_way_is_a_case(
    connection: db.Connection, clock: VirtualClock, database_url: str
) -> None:
    served_kettles(connection, clock, "blue")

    def somebody_settles_it() -> None:
        with db.connect(database_url) as other:
            other.execute("DELETE FROM outbox")

    waiter = Saying(RISING, somebody_settles_it)
    Dispatcher({"table": waiter}, clock).dispatch(connection, "table")
    assert connection.execute("SELECT type FROM inbox").fetchall() == []
    assert told_of(connection) == ["it is not kept to compare this one with"]


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
