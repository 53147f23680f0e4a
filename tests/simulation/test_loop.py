"""Simulated time moves in ticks, skips what is empty, and is the same for any number of workers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import pytest

from crossdock import db
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.effects import Done, EffectResult, PendingEffect, Repeat, TryLater
from crossdock.engine.inbox import Inbound
from crossdock.engine.runner import Limits, Runner
from crossdock.kernel.clock import VirtualClock
from crossdock.kernel.messages import Message
from crossdock.simulator.agenda import Agenda
from crossdock.simulator.loop import Simulation
from tests.integration.engine.test_runner import state_of
from tests.integration.engine.toy import NOON, Filled, Poured, Whistled, inbound, kitchen

TICK = timedelta(minutes=5)


class Nobody:
    """Nothing arrives by itself."""

    def next_at(self) -> datetime | None:
        return None

    def take_in(self, connection: db.Connection, now: datetime) -> list[Inbound]:
        return []


class Table:
    """Closed until `opens`; remembers when it was asked."""

    name = "table"
    most_per_second: float | None = None

    def __init__(self, clock: VirtualClock, opens: datetime = NOON) -> None:
        self.clock = clock
        self.opens = opens
        self.asked: list[tuple[datetime, str]] = []

    def repeats(self, operation: str) -> Repeat:
        return Repeat.IDEMPOTENT

    def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
        now = self.clock.now()
        self.asked += [(now, effect.key) for effect in effects]
        if now < self.opens:
            return [TryLater("closed", seconds=7200.0) for _ in effects]
        return [Done(Whistled(tune=effect.key)) for effect in effects]

    def look_up(self, effects: Sequence[PendingEffect]) -> list[Message | None]:
        return [None for _ in effects]


def planned(agenda: Agenda, name: str, minutes: float, message: Message) -> None:
    """Have somebody tell the kettle something so many minutes past noon."""

    def act(entity: str, due: float) -> Iterable[Inbound]:
        yield inbound(name, message, f"{entity}/{due}")

    agenda.plan((NOON + timedelta(minutes=minutes)).timestamp(), name, type(message).__name__, act)


@contextlib.contextmanager
def a_simulation(
    url: str, agenda: Agenda, workers: int = 1, opens: datetime = NOON
) -> Iterator[tuple[Simulation, Table]]:
    clock = VirtualClock(NOON)
    table = Table(clock, opens)
    with contextlib.ExitStack() as stack:
        mine, sending, *theirs = (
            stack.enter_context(contextlib.closing(db.connect(url))) for _ in range(workers + 2)
        )
        runners = [Runner(kitchen(), one, clock, limits=Limits(messages=8)) for one in theirs]
        for runner in runners:
            runner.start()
        dispatcher = Dispatcher({"table": table}, clock)
        yield (
            Simulation(mine, clock, TICK, runners, dispatcher, sending, agenda, Nobody(), ()),
            table,
        )


def far() -> datetime:
    return NOON + timedelta(days=30)


def test_ticks_without_anything_due_are_skipped(database_url: str) -> None:
    agenda = Agenda()
    planned(agenda, "blue", 1, Filled(cups=1))
    planned(agenda, "blue", 600, Poured(cups=1))
    with a_simulation(database_url, agenda) as (simulation, _):
        ends: list[datetime] = []
        simulation.run(far, ends.append)
    minutes = [(end - NOON) / timedelta(minutes=1) for end in ends]
    assert minutes[0] == 5 and minutes[-1] == 600
    assert len(ends) < 25, "the kettle is heated anew every half hour; nothing else happens"
    assert simulation.spending.skipped_ticks > 90


def test_what_an_effect_leads_to_happens_in_the_same_tick(database_url: str) -> None:
    agenda = Agenda()
    planned(agenda, "blue", 1, Filled(cups=1))
    planned(agenda, "blue", 2, Poured(cups=1))
    with a_simulation(database_url, agenda) as (simulation, table):
        simulation.run(far)
        assert state_of(simulation.connection, "blue").whistles == 1
    assert [at for at, _ in table.asked] == [NOON + TICK]


def test_an_outage_is_waited_out_in_simulated_time(database_url: str) -> None:
    agenda = Agenda()
    planned(agenda, "blue", 1, Filled(cups=1))
    planned(agenda, "blue", 2, Poured(cups=1))
    opens = NOON + timedelta(hours=5)
    with a_simulation(database_url, agenda, opens=opens) as (simulation, table):
        simulation.run(far)
        assert state_of(simulation.connection, "blue").whistles == 1
    assert len(table.asked) == 4 and table.asked[-1][0] >= opens


@pytest.mark.parametrize("workers", [2, 3])
def test_the_number_of_workers_changes_nothing(
    workers: int, database_url: str, empty_database_url: str
) -> None:
    stories = []
    with contextlib.closing(db.connect(empty_database_url)) as connection:
        db.migrate(connection)
    for url, count in ((database_url, 1), (empty_database_url, workers)):
        agenda = Agenda()
        for number in range(40):
            name = f"kettle {number}"
            planned(agenda, name, 1, Filled(cups=3))
            for cup in range(3):
                planned(agenda, name, 3 + number % 7 + 40 * cup, Poured(cups=1))
        with a_simulation(url, agenda, count) as (simulation, table):
            simulation.run(far)
            entries = simulation.connection.execute(
                "SELECT shard, number, instance, activity, occurred_at, recorded_at, message_id"
                " FROM event_log ORDER BY shard, number"
            ).fetchall()
        stories.append((entries, table.asked))
    assert len(stories[0][0]) > 200
    assert stories[0] == stories[1]
