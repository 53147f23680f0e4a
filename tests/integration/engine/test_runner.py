"""The batch runner on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from crossdock import db
from crossdock.engine import dead_letters, inbox, store
from crossdock.engine.capability import Delivery, Outgoing
from crossdock.engine.inbox import Inbound, Received
from crossdock.engine.process import Address, Process, Send
from crossdock.engine.registry import Registry
from crossdock.engine.runner import Limits, Runner
from crossdock.engine.transaction import Transaction
from crossdock.kernel.clock import VirtualClock
from tests.integration.engine.toy import (
    NOON,
    Bell,
    Filled,
    Kettle,
    Kicked,
    Poured,
    Whistled,
    inbound,
    kettle_id,
    kitchen,
)


def runner_on(connection: db.Connection, clock: VirtualClock, **limits: int) -> Runner:
    runner = Runner(kitchen(), connection, clock, limits=Limits(**limits))
    runner.start()
    return runner


def put(connection: db.Connection, *items: Inbound) -> list[inbox.Receipt]:
    receipts = inbox.receive(connection, items, NOON)
    connection.commit()
    return receipts


def state_of(connection: db.Connection, name: str) -> Kettle:
    rows = store.load_processes(connection, [kettle_id(name)])
    return msgspec.msgpack.decode(rows[0].state, type=Kettle)


def count(connection: db.Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_a_batch_takes_a_message_through_command_reply_timer_and_effect(
    connection: db.Connection,
) -> None:
    clock = VirtualClock(NOON)
    runner = runner_on(connection, clock)
    put(connection, inbound("blue", Filled(cups=2), "1"), inbound("blue", Poured(cups=2), "2"))
    outcome = runner.run_until_idle()
    assert outcome.dead == 0
    assert state_of(connection, "blue").stage == "closed"
    assert count(connection, "outbox") == 1
    assert count(connection, "timer") == 0, "closing stopped it"
    assert count(connection, "inbox") == 0
    log = connection.execute("SELECT activity, number FROM event_log ORDER BY number").fetchall()
    assert log == [("Filled", 1), ("Boiled", 2), ("Poured", 3)]


def test_an_early_message_waits_for_its_process_and_its_stage(connection: db.Connection) -> None:
    runner = runner_on(connection, VirtualClock(NOON))
    put(connection, inbound("red", Poured(cups=1), "p"))
    runner.run_until_idle()
    assert count(connection, "held_message") == 1
    put(connection, inbound("red", Filled(cups=3), "f"))
    runner.run_until_idle()
    assert count(connection, "held_message") == 0
    assert state_of(connection, "red").poured == 1


def test_a_message_no_stage_takes_is_refused_visibly(connection: db.Connection) -> None:
    runner = runner_on(connection, VirtualClock(NOON))
    put(connection, inbound("red", Filled(cups=1), "f"), inbound("red", Poured(cups=1), "p"))
    put(connection, inbound("red", Poured(cups=1), "again"))
    runner.run_until_idle()
    assert state_of(connection, "red").poured == 1
    cases = connection.execute("SELECT kind, subject FROM case_file").fetchall()
    assert cases == [("message refused", kettle_id("red"))]


def test_a_timer_fires_when_due_with_its_own_time(connection: db.Connection) -> None:
    clock = VirtualClock(NOON)
    runner = runner_on(connection, clock)
    put(connection, inbound("blue", Filled(cups=2), "1"))
    runner.run_until_idle()
    assert runner.run_batch().taken == 0
    clock.move_to(NOON + timedelta(hours=2))
    runner.run_until_idle()
    rows = connection.execute(
        "SELECT activity, occurred_at - %s FROM event_log ORDER BY number", (NOON,)
    ).fetchall()
    assert rows[2] == ("Cooled", timedelta(minutes=30))
    assert state_of(connection, "blue").stage == "hot"
    assert count(connection, "timer") == 1, "heated again, so it cools again"


def test_the_same_message_twice_is_taken_once_and_other_content_is_a_conflict(
    connection: db.Connection,
) -> None:
    first = put(connection, inbound("blue", Filled(cups=2), "1"))
    again = put(
        connection,
        inbound("blue", Filled(cups=2), "1"),
        inbound("blue", Filled(cups=3), "1"),
        inbound("red", Filled(cups=1), "2"),
        inbound("red", Filled(cups=4), "2"),
    )
    assert first[0].result is Received.ACCEPTED
    assert [receipt.result for receipt in again] == [
        Received.REPEATED,
        Received.CONFLICT,
        Received.ACCEPTED,
        Received.CONFLICT,
    ]
    assert again[1].field == "cups" and again[3].field == "cups"
    assert count(connection, "inbox") == 2


def test_a_poison_message_dies_alone_and_parks_its_process(connection: db.Connection) -> None:
    runner = runner_on(connection, VirtualClock(NOON))
    names = [f"kettle {n}" for n in range(40)]
    put(connection, *(inbound(name, Filled(cups=1), f"f{name}") for name in names))
    put(connection, inbound("kettle 7", Kicked(), "kick"))
    put(connection, *(inbound(name, Poured(cups=1), f"p{name}") for name in names))
    outcome = runner.run_until_idle()
    assert outcome.dead == 1
    closed = connection.execute("SELECT count(*) FROM process WHERE stage = 'closed'").fetchone()
    assert closed == (39,)
    letter = dead_letters.listed(connection)[0]
    assert "fell off the stove" in letter.error
    assert letter.waiting == 1, "the pour waits behind it"
    assert dead_letters.skip(connection, [letter.id], NOON) == [letter.id]
    connection.commit()
    runner.run_until_idle()
    assert state_of(connection, "kettle 7").stage == "closed"
    numbers = connection.execute(
        "SELECT shard, array_agg(number ORDER BY number) FROM event_log GROUP BY shard"
    ).fetchall()
    assert all(found == list(range(1, len(found) + 1)) for _, found in numbers), "gapless"


def test_a_retried_dead_letter_is_handled_before_what_waited(connection: db.Connection) -> None:
    runner = runner_on(connection, VirtualClock(NOON))
    put(connection, inbound("blue", Filled(cups=1), "f"), inbound("blue", Kicked(), "k"))
    put(connection, inbound("blue", Poured(cups=1), "p"))
    runner.run_until_idle()
    letter = dead_letters.listed(connection)[0]
    dead_letters.retry(connection, [letter.id], NOON)
    connection.commit()
    assert runner.run_until_idle().dead == 1, "it fails again"
    assert dead_letters.listed(connection)[0].waiting == 1


def test_a_timer_that_fell_due_while_its_process_was_parked_can_still_be_stopped(
    connection: db.Connection,
) -> None:
    clock = VirtualClock(NOON)
    runner = runner_on(connection, clock)
    names = ("blue", "red")
    for name in names:
        put(connection, inbound(name, Filled(cups=1), f"f{name}"))
        put(connection, inbound(name, Kicked(), f"k{name}"))
    put(connection, inbound("blue", Poured(cups=1), "p"))
    runner.run_until_idle()
    clock.move_to(NOON + timedelta(hours=1))
    runner.run_until_idle()
    assert count(connection, "timer") == len(names)
    dead_letters.skip(connection, [each.id for each in dead_letters.listed(connection)], NOON)
    connection.commit()
    runner.run_until_idle()
    assert count(connection, "timer") == 1, "with the last cup it was stopped"
    clock.move_to(NOON + timedelta(hours=2))
    runner.run_until_idle()
    log = "SELECT instance::text, array_agg(activity ORDER BY number) FROM event_log GROUP BY 1"
    done: dict[str, list[str]] = dict(connection.execute(log).fetchall())
    assert done[kettle_id("blue")] == ["Filled", "Boiled", "Poured"]
    assert done[kettle_id("red")] == ["Filled", "Boiled", "Cooled", "Boiled"]


def test_deciding_one_dead_letter_of_a_station_leaves_the_cases_of_the_others_open(
    connection: db.Connection,
) -> None:
    class BrokenBell(Bell):
        def receive(self, deliveries: Sequence[Delivery], tx: Transaction) -> list[Outgoing]:
            raise ValueError("the bell has no tongue")

    runner = Runner(Registry([], [BrokenBell()]), connection, VirtualClock(NOON))
    runner.start()
    to = Address("bell", "kitchen", "aa")
    put(connection, *(Inbound("cook", str(n), Whistled(tune="tea"), to, NOON) for n in range(3)))
    assert runner.run_until_idle().dead == 3
    first, second, _ = dead_letters.listed(connection)

    dead_letters.skip(connection, [first.id], NOON)
    assert cases_by_status(connection) == {"open": 2, "closed": 1}
    dead_letters.retry(connection, [second.id], NOON)
    assert cases_by_status(connection) == {"open": 1, "closed": 2}
    connection.commit()
    assert runner.run_until_idle().dead == 1, "it fails again"
    assert cases_by_status(connection) == {"open": 2, "closed": 1}


def cases_by_status(connection: db.Connection) -> dict[str, int]:
    rows = connection.execute("SELECT status, count(*) FROM case_file GROUP BY status").fetchall()
    return dict(rows)


def test_an_error_text_that_is_no_utf_8_is_kept_as_far_as_it_can_be(
    connection: db.Connection,
) -> None:
    whistling = Process("kettle", version=1, owner="kitchen", state=Kettle, stages=("heating",))

    @whistling.starts_with(Filled)
    def fail(state: Kettle, filled: Filled, now: datetime) -> None:
        raise ValueError("half a character: \ud800, and a NUL: \x00")

    runner = Runner(Registry([whistling]), connection, VirtualClock(NOON))
    runner.start()
    put(connection, inbound("blue", Filled(cups=1), "1"))
    assert runner.run_until_idle().dead == 1
    (letter,) = dead_letters.listed(connection)
    assert letter.error == "ValueError: half a character: \\ud800, and a NUL: \\x00"
    assert connection.execute("SELECT detail FROM case_file").fetchall() == [(letter.error,)]


def test_messages_of_one_round_reach_a_station_together(connection: db.Connection) -> None:
    registry = kitchen()
    runner = Runner(registry, connection, VirtualClock(NOON))
    runner.start()
    store.ensure_zone_shards(connection, ["kitchen"])
    connection.commit()
    to = Address("bell", "kitchen", "kitchen")
    put(connection, *(Inbound("cook", str(n), Whistled(tune=str(n)), to, NOON) for n in range(5)))
    runner.run_until_idle()
    bell = registry.stations["bell"]
    assert isinstance(bell, Bell)
    assert bell.heard == [["0", "1", "2", "3", "4"]]


def test_poison_in_a_shard_that_is_taken_over_is_blamed_on_nobody_else(
    connection: db.Connection,
) -> None:
    class CrackedBell(Bell):
        def receive(self, deliveries: Sequence[Delivery], tx: Transaction) -> list[Outgoing]:
            super().receive(deliveries, tx)
            assert "crack" not in self.heard[-1]
            return []

    ringing = Process("kettle", version=1, owner="kitchen", state=Kettle, stages=("heating",))
    to = Address("bell", "kitchen", "kitchen")
    ringing.starts_with(Filled)(lambda state, filled, now: [Send(to, Whistled(tune=state.id))])
    bell = CrackedBell()
    limits = Limits(shards=1)
    runner = Runner(Registry([ringing], [bell]), connection, VirtualClock(NOON), limits=limits)
    runner.start()
    store.ensure_zone_shards(connection, ["kitchen"])
    put(connection, inbound("blue", Filled(cups=2), "1"))
    put(connection, Inbound("cook", "2", Whistled(tune="crack"), to, NOON + timedelta(minutes=1)))
    outcome = runner.run_until_idle()
    assert outcome.dead == 1
    assert [letter.process for letter in dead_letters.listed(connection)] == ["bell"]
    assert bell.heard[-1] == [kettle_id("blue")], "what the kettle said was heard"


def test_what_the_round_limit_leaves_over_goes_on_in_the_next_batch(
    connection: db.Connection,
) -> None:
    runner = runner_on(connection, VirtualClock(NOON), rounds=1)
    put(connection, inbound("blue", Filled(cups=2), "1"))
    runner.run_batch()
    assert state_of(connection, "blue").stage == "heating"
    runner.run_until_idle()
    assert state_of(connection, "blue").stage == "hot"


def test_a_batch_reads_no_more_bytes_than_it_may_and_at_least_one_message(
    connection: db.Connection,
) -> None:
    put(connection, *(inbound("blue", Whistled(tune="la" * 50), str(n)) for n in range(5)))
    (shard,) = {row.shard for row in store.read_inbox(connection, range(64), 9, 9)}

    def read(most_bytes: int) -> int:
        return len(store.read_inbox(connection, [shard], 9, 9, most_bytes))

    assert [read(most) for most in (1, 150, 250, 100_000)] == [1, 2, 3, 5]
