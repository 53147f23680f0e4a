"""A batch on its way into a zone: it thinks ahead, waits for a moment, or sends its messages."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

import pytest

from crossdock import db
from crossdock.engine import store
from crossdock.engine.capability import Issued, Outgoing
from crossdock.engine.process import Address, Process, Send
from crossdock.engine.registry import Registry
from crossdock.engine.runner import Limits, Runner
from crossdock.engine.transaction import Transaction
from crossdock.kernel.clock import VirtualClock
from crossdock.kernel.messages import Command
from tests.integration.engine.test_runner import count, put
from tests.integration.engine.toy import (
    NOON,
    Bell,
    Boiled,
    Filled,
    Heat,
    Kettle,
    Whistled,
    inbound,
    kettle_id,
)

RING = Address("bell", "kitchen", "kitchen")


def ringing() -> Process[Kettle]:
    """A kettle that whistles as soon as it is filled."""
    process = Process("kettle", version=1, owner="kitchen", state=Kettle, stages=("heating",))
    process.starts_with(Filled)(lambda state, filled, now: [Send(RING, Whistled(tune=state.id))])
    return process


def heating() -> Process[Kettle]:
    """A kettle that whistles when the stove has heated it."""
    process = Process("kettle", version=1, owner="kitchen", state=Kettle, stages=("heating",))
    process.starts_with(Filled)(lambda state, filled, now: [Heat(cups=1)])
    process.on(Boiled, stages=("heating",))(
        lambda state, boiled, now: [Send(RING, Whistled(tune=state.id))]
    )
    return process


class GreedyStove:
    """A capability that locks rows which other batches want as well."""

    commands: tuple[type[Command], ...] = (Heat,)

    def is_last(self, command: Command) -> bool:
        return False

    def handle(self, issued: Sequence[Issued], tx: Transaction) -> Iterator[Outgoing]:
        tx.locks_shared_rows = True
        for one in issued:
            yield one.reply(Boiled())


class LastStove:
    """A capability that is asked when nothing else is left to do; keeps what was done before."""

    commands: tuple[type[Command], ...] = (Heat,)

    def __init__(self, bell: Bell) -> None:
        self.bell = bell
        self.heard_before: list[list[list[str]]] = []

    def is_last(self, command: Command) -> bool:
        return True

    def handle(self, issued: Sequence[Issued], tx: Transaction) -> Iterator[Outgoing]:
        self.heard_before.append(list(self.bell.heard))
        for one in issued:
            yield one.reply(Boiled())


@pytest.fixture
def holder(connection: db.Connection, database_url: str) -> Iterator[db.Connection]:
    """Another batch, which is in the zone."""
    store.ensure_zone_shards(connection, ["kitchen"])
    connection.commit()
    with contextlib.closing(db.connect(database_url)) as other:
        shard = store.zone_shards(other)["kitchen"]
        assert store.lock_shards(other, [shard]) == [shard]
        yield other


def runner_of(connection: db.Connection, registry: Registry) -> Runner:
    runner = Runner(registry, connection, VirtualClock(NOON), limits=Limits(shards=64))
    runner.start()
    return runner


def test_a_batch_thinks_ahead_and_waits_for_the_one_that_is_in_the_zone(
    connection: db.Connection, holder: db.Connection
) -> None:
    bell = Bell()
    runner = runner_of(connection, Registry([ringing()], [bell]))
    put(connection, inbound("blue", Filled(cups=1), "1"))
    leaves = threading.Timer(0.2, holder.rollback)
    leaves.start()
    runner.run_batch()
    leaves.join()
    assert bell.expected == [[kettle_id("blue")]] and bell.heard == bell.expected
    assert count(connection, "inbox") == 0


def test_a_zone_that_does_not_come_free_gets_its_messages_through_its_inbox(
    connection: db.Connection, holder: db.Connection
) -> None:
    bell = Bell()
    runner = runner_of(connection, Registry([ringing()], [bell]))
    put(connection, inbound("blue", Filled(cups=1), "1"))
    runner.run_batch()
    assert bell.heard == [] and count(connection, "inbox") == 1
    connection.commit()
    holder.rollback()
    runner.run_until_idle()
    assert bell.heard == [[kettle_id("blue")]] and count(connection, "inbox") == 0


def test_who_holds_rows_that_others_want_waits_for_no_zone(
    connection: db.Connection, holder: db.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell = Bell()
    runner = runner_of(connection, Registry([heating()], [bell], [GreedyStove()]))
    put(connection, inbound("blue", Filled(cups=1), "1"))
    waits: list[Sequence[int]] = []
    with monkeypatch.context() as watched:
        watched.setattr(store, "wait_for_shards", lambda _, wanted, *more: waits.append(wanted))
        runner.run_batch()
    assert not waits
    assert bell.expected == [] and bell.heard == [] and count(connection, "inbox") == 1
    connection.commit()
    holder.rollback()
    runner.run_until_idle()
    assert bell.heard == [[kettle_id("blue")]]


def test_a_zone_that_is_new_is_known_to_workers_that_run_already(
    connection: db.Connection,
) -> None:
    store.ensure_zone_shards(connection, ["pantry"])
    connection.commit()
    bell = Bell()
    runner = runner_of(connection, Registry([ringing()], [bell]))
    store.ensure_zone_shards(connection, ["kitchen"])
    connection.commit()
    put(connection, inbound("blue", Filled(cups=1), "f"))
    assert runner.run_until_idle().dead == 0
    assert bell.heard == [[kettle_id("blue")]]


def test_what_is_to_be_last_comes_after_zones(connection: db.Connection) -> None:
    store.ensure_zone_shards(connection, ["kitchen"])
    connection.commit()
    process = Process("kettle", version=1, owner="kitchen", state=Kettle, stages=("heating",))
    process.starts_with(Filled)(
        lambda state, filled, now: [Heat(cups=1), Send(RING, Whistled(tune=state.id))]
    )
    process.on(Boiled, stages=("heating",))(lambda state, boiled, now: None)
    bell = Bell()
    stove = LastStove(bell)
    runner = runner_of(connection, Registry([process], [bell], [stove]))
    put(connection, inbound("blue", Filled(cups=1), "1"))
    runner.run_batch()
    assert stove.heard_before == [[[kettle_id("blue")]]]
    assert count(connection, "inbox") == 0


def test_a_batch_at_its_limit_of_rounds_leaves_no_command_unanswered(
    connection: db.Connection,
) -> None:
    process = Process("kettle", version=1, owner="kitchen", state=Kettle, stages=("heating",))
    process.starts_with(Filled)(
        lambda state, filled, now: [
            Heat(cups=1),
            Send(Address("kettle", state.id, state.id), Whistled(tune="more to do")),
        ]
    )
    process.on(Whistled, stages=("heating",))(lambda state, whistled, now: None)
    process.on(Boiled, stages=("heating",))(lambda state, boiled, now: None)
    stove = LastStove(Bell())
    runner = runner_of(connection, Registry([process], [], [stove]))
    runner.limits = Limits(shards=64, rounds=1)
    put(connection, inbound("blue", Filled(cups=1), "1"))
    runner.run_batch()
    assert len(stove.heard_before) == 1
    assert count(connection, "inbox") == 2
    connection.commit()
    runner.run_until_idle()
    assert count(connection, "inbox") == 0
