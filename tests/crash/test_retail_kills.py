"""SIGKILL to workers, dispatcher and PostgreSQL at random while a retailer fulfills its orders.

Time is virtual: five days pass while killing goes on, and then whatever the last orders need.
Prints its seed; CROSSDOCK_CRASH_SEED runs one again.
"""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta

import pytest

from crossdock import db, postgres
from crossdock.app import registry
from crossdock.engine import store as engine_store
from crossdock.engine.dispatcher import DispatchLimits
from crossdock.invariants import check
from crossdock.model.effects import DocumentPosted
from crossdock.simulator.demand import Mix
from crossdock.simulator.retailer import RetailerPlan, make_retailer
from crossdock.simulator.shared_clock import SharedClock
from tests.crash.crew import (
    Crew,
    dispatch,
    kill_postmaster,
    open_to_others,
    persist,
    seed_of_this_run,
    work,
)
from tests.crash.street import Street

START = datetime(2026, 11, 2, 5, tzinfo=UTC)
PLAN = RetailerPlan(
    stores=12,
    dcs=2,
    skus=300,
    orders=240,
    start=START,
    hours=72.0,
    mix=Mix(bad_address=0.02, suspicious=0.02, cancel=0.06, cancel_part=0.05, repeated=0.04),
)
SECONDS_OF_KILLING = 25.0
DAYS_OF_KILLING = 5.0
MOST_WAITING = 200
"""Messages and effects; while more wait, time stands still: nodes are not to lose patience."""
SECONDS_BETWEEN_KILLS = 1.5
VICTIMS = ["worker a", "worker b", "dispatcher"]
SERVER_DEATHS = 2
SECONDS_TO_FINISH = 180.0
SHORTEST_WAIT = timedelta(hours=3)
OPEN_ORDERS = "SELECT id::text FROM sales_order WHERE stage <> 'closed'"
VIRTUAL_LEASES = DispatchLimits(
    batch=40, lease_seconds=4 * 3600.0, first_wait_seconds=300.0, longest_wait_seconds=7200.0
)


@pytest.mark.crash
def test_killing_everything_while_orders_flow_leaves_every_order_whole() -> None:
    seed = seed_of_this_run()
    crew, clock = Crew(seed), SharedClock(START)
    with postgres.serve(ephemeral=True) as server:
        street = Street(server.url, make_retailer(seed, PLAN), clock, seed)
        street.open()
        with open_to_others(**street.doors) as ports:
            for role in ("worker a", "worker b"):
                crew.hire(role, work, server.url, role + " {n}", registry, clock)
            crew.hire("dispatcher", dispatch, server.url, ports, clock, VIRTUAL_LEASES)
            try:
                kill_for_a_while(crew, street, server)
                go_on_until_all_is_done(street)
            finally:
                crew.dismiss()
        print("killed:", crew.deaths, "ended:", clock.now())
        with contextlib.closing(db.connect(server.url)) as connection:
            assert_every_order_is_whole(connection)
            assert_each_effect_was_done_once(connection, street)
            assert_the_log_has_no_gap(connection)


def kill_for_a_while(crew: Crew, street: Street, server: postgres.Server) -> None:
    begun = last = time.monotonic()
    next_kill = begun + 2.0
    while (spent := (time.monotonic() - begun) / SECONDS_OF_KILLING) < 1.0:
        if persist(lambda: open_work(street))[0] < MOST_WAITING:
            days = DAYS_OF_KILLING * (time.monotonic() - last) / SECONDS_OF_KILLING
            street.clock.move_to(street.clock.now() + timedelta(days=days))
        last = time.monotonic()
        persist(street.visit)
        if time.monotonic() > next_kill:
            crew.kill(crew.random.choice(VICTIMS))
            next_kill = time.monotonic() + crew.random.expovariate(1 / SECONDS_BETWEEN_KILLS)
        killed = crew.deaths.get("postgres", 0)
        if spent > (killed + 1) / (SERVER_DEATHS + 1):
            kill_postmaster(server.data_folder)
            crew.deaths["postgres"] = killed + 1
        time.sleep(crew.random.random() * 0.1)


def go_on_until_all_is_done(street: Street) -> None:
    """The clock moves when nothing is left to do, or seems to be stuck behind a dead's lease."""
    deadline = moved = time.monotonic()
    deadline += SECONDS_TO_FINISH
    while time.monotonic() < deadline:
        persist(street.visit)
        ready, due, unfinished = persist(lambda: open_work(street))
        if not (ready or due or unfinished) and street.cast.arrivals.next_at() is None:
            return
        if not ready or time.monotonic() > moved + 2.0:
            street.clock.move_to(persist(lambda: street.next_moment(SHORTEST_WAIT)))
            moved = time.monotonic()
        time.sleep(0.02)
    with contextlib.closing(db.connect(street.url)) as connection:
        open_orders = engine_store.fetch(connection, OPEN_ORDERS)
        for (order_id,) in open_orders[:3]:
            tell_story(connection, order_id)
    raise AssertionError(f"{len(open_orders)} orders are not closed by {street.clock.now()}")


def open_work(street: Street) -> tuple[int, int, int]:
    """Messages and effects that can be worked on now; those that wait; unfinished orders."""
    with contextlib.closing(db.connect(street.url, connect_timeout_seconds=3)) as connection:
        [row] = engine_store.fetch(
            connection,
            """
            SELECT (SELECT count(*) FROM inbox)
                   + (SELECT count(*) FROM outbox WHERE available_at <= %s)
                   + (SELECT count(*) FROM timer WHERE due <= %s),
                   (SELECT count(*) FROM outbox) + (SELECT count(*) FROM held_message),
                   (SELECT count(*) FROM process WHERE stage <> 'closed')
            """,
            (street.clock.now(), street.clock.now()),
        )
        ready, waiting, unfinished = row
        return ready, waiting, unfinished


def assert_every_order_is_whole(connection: db.Connection) -> None:
    def rows(statement: str) -> list[tuple[object, ...]]:
        return engine_store.fetch(connection, statement)

    assert rows("SELECT process, instance, type, error FROM dead_letter") == []
    violations = check(connection)
    for broken in violations[:3]:
        tell_story(connection, str(dict(broken.row).get("order_id")))
    assert violations == []
    assert rows("SELECT stage, count(*) FROM sales_order GROUP BY stage") == [
        ("closed", PLAN.orders)
    ]
    assert rows("SELECT * FROM order_line WHERE shipped + canceled <> quantity") == []
    assert rows("SELECT * FROM reservation") == []
    print("cases:", rows("SELECT kind, count(*) FROM case_file GROUP BY kind"))
    serious = rows(
        "SELECT kind, subject, detail FROM case_file WHERE kind IN"
        " ('dead letter', 'message refused', 'effect answered twice') ORDER BY opened_at"
    )
    assert serious == []


def tell_story(connection: db.Connection, order_id: str) -> None:
    """What became of an order, for whoever has to find out why it is not whole."""
    for table in ("tender", "payment_entry", "order_line", "fulfillment_line", "cancellation"):
        for row in engine_store.fetch(
            connection, f"SELECT * FROM {table} WHERE order_id::text = %s", (order_id,)
        ):
            print(table, row)
    for row in engine_store.fetch(
        connection,
        "SELECT number, recorded_at, process, activity, actor, message_id FROM event_log"
        " WHERE correlation_id::text = %s ORDER BY number",
        (order_id,),
    ):
        print(*row)


def assert_each_effect_was_done_once(connection: db.Connection, street: Street) -> None:
    for name, port in street.ports.items():
        print(name, len(port.fake.times_done), "effects in", sum(port.calls.values()), "tries")
        assert set(port.fake.times_done) == set(port.operations), name
        assert [key for key, times in port.fake.times_done.items() if times != 1] == [], name
    entries = engine_store.fetch(connection, "SELECT key, status FROM payment_entry")
    payment = street.ports["payment"].fake
    assert {status for _, status in entries} <= {"done", "refused"}
    assert {key for key, _ in entries} <= set(payment.times_done)
    posted = engine_store.fetch(connection, "SELECT document FROM posting ORDER BY document")
    answers = street.ports["erp"].fake.answers.values()
    documents = sorted(a.document for a in answers if isinstance(a, DocumentPosted))
    assert [number for (number,) in posted] == documents


def assert_the_log_has_no_gap(connection: db.Connection) -> None:
    gaps = engine_store.fetch(
        connection,
        """
        SELECT s.number, s.last_entry, count(e.number), max(e.number)
        FROM shard s LEFT JOIN event_log e ON e.shard = s.number
        GROUP BY s.number, s.last_entry
        HAVING count(DISTINCT e.number) <> s.last_entry OR count(e.number) <> s.last_entry
            OR coalesce(max(e.number), 0) <> s.last_entry
        """,
    )
    assert gaps == []
