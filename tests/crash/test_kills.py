"""SIGKILL to workers, dispatcher and PostgreSQL at random while messages flow: nothing is lost.

Prints its seed; CROSSDOCK_CRASH_SEED runs one again.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter

import pytest

from crossdock import db, postgres
from crossdock.engine import inbox, store
from crossdock.engine.process import Process
from crossdock.kernel.clock import SystemClock
from tests.crash.crew import (
    Crew,
    dispatch,
    kill_postmaster,
    open_to_others,
    persist,
    seed_of_this_run,
    work,
)
from tests.integration.engine.test_dispatcher import Waiter
from tests.integration.engine.toy import Filled, Kettle, Poured, inbound, kettle, kettle_id, kitchen

KETTLES = 400
SECONDS_OF_KILLING = 15.0
VICTIMS = ["worker a", "worker b", "dispatcher", ""]
CHANCES = [4, 4, 4, 30]
SERVER_DEATHS = 2


def state_of(connection: db.Connection, name: str) -> tuple[Process[Kettle], Kettle]:
    (row,) = store.load_processes(connection, [kettle_id(name)])
    return kettle, kettle.load(row.version, row.state)


def receive(url: str, items: list[inbox.Inbound]) -> None:
    """As a client does it: again until it has been acknowledged, whatever happened to the first."""

    def once() -> None:
        with contextlib.closing(db.connect(url, connect_timeout_seconds=3)) as connection:
            inbox.receive(connection, items, SystemClock().now())
            connection.commit()

    persist(once)


def open_work(url: str) -> dict[str, int]:
    def count() -> dict[str, int]:
        with contextlib.closing(db.connect(url, connect_timeout_seconds=3)) as connection:
            tables = ("inbox", "outbox", "held_message")
            return {
                table: store.fetch(connection, f"SELECT count(*) FROM {table}")[0][0]
                for table in tables
            }

    return persist(count)


@pytest.mark.crash
def test_killing_workers_dispatcher_and_server_loses_and_doubles_nothing() -> None:
    waiter = Waiter()
    names = [f"kettle {n}" for n in range(KETTLES)]
    messages = [inbound(name, Filled(cups=3), f"f{name}") for name in names]
    messages += [inbound(n, Poured(cups=1), f"p{n}/{cup}") for cup in range(3) for n in names]
    crew = Crew(seed_of_this_run())
    with postgres.serve(ephemeral=True) as server, open_to_others(table=waiter) as ports:
        with contextlib.closing(db.connect(server.url)) as connection:
            db.migrate(connection)
            connection.commit()
        for role in ("worker a", "worker b"):
            crew.hire(role, work, server.url, role + " {n}", kitchen)
        crew.hire("dispatcher", dispatch, server.url, ports)
        try:
            crew.random.shuffle(messages)
            ends = time.monotonic() + SECONDS_OF_KILLING
            while time.monotonic() < ends or messages:
                receive(server.url, [messages.pop() for _ in range(min(15, len(messages)))])
                time.sleep(crew.random.random() * 0.3)
                victim = crew.random.choices(VICTIMS, CHANCES)[0]
                if victim:
                    crew.kill(victim)
                killed = crew.deaths.get("postgres", 0)
                left = (ends - time.monotonic()) / SECONDS_OF_KILLING
                if left < 1 - (killed + 1) / (SERVER_DEATHS + 1):
                    kill_postmaster(server.data_folder)
                    crew.deaths["postgres"] = killed + 1
            deadline = time.monotonic() + 90
            while any(open_work(server.url).values()) and time.monotonic() < deadline:
                time.sleep(0.25)
        finally:
            crew.dismiss()
        print("killed:", crew.deaths)
        with contextlib.closing(db.connect(server.url)) as connection:
            assert_nothing_lost(connection, names, waiter)


def assert_nothing_lost(connection: db.Connection, names: list[str], waiter: Waiter) -> None:
    stages: Counter[str] = Counter()
    for name in names:
        _, state = state_of(connection, name)
        stages[state.stage] += 1
        assert (state.cups, state.poured, state.whistles) == (0, 3, 3), name
    assert stages == {"closed": len(names)}
    assert len(waiter.served) == 3 * len(names)
    for table in ("inbox", "outbox", "held_message", "dead_letter", "timer"):
        assert store.fetch(connection, f"SELECT count(*) FROM {table}") == [(0,)], table
    gaps = store.fetch(
        connection,
        "SELECT shard FROM event_log GROUP BY shard HAVING count(*) <> max(number)",
    )
    assert gaps == []
