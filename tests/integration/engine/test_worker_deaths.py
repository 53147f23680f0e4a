"""A message that kills the worker's process, and workers of two versions."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest

from crossdock import db
from crossdock.engine import dead_letters, inbox, store
from crossdock.engine.capability import Issued, Outgoing
from crossdock.engine.process import Output, Process, WorkerTooOld
from crossdock.engine.registry import Registry
from crossdock.engine.runner import Limits, Runner
from crossdock.engine.transaction import Transaction
from crossdock.engine.worker import Worker, WorkerLimits
from crossdock.kernel.clock import VirtualClock
from tests.integration.engine.test_runner import put, runner_on, state_of
from tests.integration.engine.test_worker import until
from tests.integration.engine.toy import (
    NOON,
    Boiled,
    Filled,
    Heat,
    Kettle,
    Kicked,
    Poured,
    Stove,
    heat,
    inbound,
    kettle,
    kettle_id,
    kitchen,
    pour,
    whistle,
)

bomb = Process(
    "kettle", version=1, owner="kitchen", state=Kettle, stages=("heating", "hot", "closed")
)
bomb.starts_with(Filled)(heat)
bomb.on(Boiled, stages=("heating",))(whistle)
bomb.on(Poured, stages=("hot",))(pour)


@bomb.on(Kicked)
def explode(state: Kettle, kicked: Kicked, now: datetime) -> Iterator[Output]:
    os.kill(os.getpid(), signal.SIGKILL)
    yield Heat(cups=0)


def work(url: str, name: str) -> None:
    """A worker process that works until it is idle, or dies."""
    with contextlib.closing(db.connect(url)) as connection:
        with contextlib.closing(db.connect(url, autocommit=True)) as notes:
            registry = Registry([bomb], [], [Stove()])
            runner = Runner(registry, connection, VirtualClock(NOON), name=name, notes=notes)
            runner.start()
            runner.run_until_idle()


@pytest.mark.crash
def test_the_message_that_kills_two_workers_when_it_is_alone_is_a_dead_letter(
    connection: db.Connection, database_url: str
) -> None:
    names = [f"kettle {n}" for n in range(30)]
    put(connection, *(inbound(name, Filled(cups=1), f"f{name}") for name in names))
    put(connection, inbound("kettle 7", Kicked(), "kick"))
    put(connection, *(inbound(name, Poured(cups=1), f"p{name}") for name in names))
    deaths = 0
    spawn: Any = multiprocessing.get_context("spawn")
    for attempt in range(6):
        worker = spawn.Process(target=work, args=(database_url, f"worker {attempt}"))
        worker.start()
        worker.join(60)
        if worker.exitcode == 0:
            break
        assert worker.exitcode == -signal.SIGKILL
        deaths += 1
    assert deaths == 3, "once in the crowd, twice alone"
    letters = dead_letters.listed(connection)
    assert [letter.instance for letter in letters] == [kettle_id("kettle 7")]
    assert "died twice" in letters[0].error
    stages = [state_of(connection, name).stage for name in names]
    assert stages.count("closed") == 29, "all others went on"
    assert store.fetch(connection, "SELECT * FROM suspect_shard") == []
    assert store.fetch(connection, "SELECT * FROM worker_attempt") == []


class FancyKettle(Kettle, kw_only=True):
    color: str


def fancier(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "color": "copper"}


def second_version() -> Process[FancyKettle]:
    """The same kettle, with a color since version 2."""
    fancy = Process(
        "kettle",
        version=2,
        owner="kitchen",
        state=FancyKettle,
        stages=("heating", "hot", "closed"),
    )
    fancy.starters.update(kettle.starters)
    fancy.handlers.update(kettle.handlers)
    fancy.unfit.update(kettle.unfit)
    fancy.upgrades_from(1)(fancier)
    return fancy


def test_what_was_opened_under_version_1_finishes_under_version_2_while_both_run(
    connection: db.Connection, database_url: str
) -> None:
    old = runner_on(connection, VirtualClock(NOON))
    put(connection, inbound("blue", Filled(cups=2), "f"))
    old.run_until_idle()
    put(connection, inbound("blue", Poured(cups=2), "p"))
    with contextlib.closing(db.connect(database_url)) as other:
        registry = Registry([second_version()], kitchen().stations.values(), [Stove()])
        new = Runner(registry, other, VirtualClock(NOON), limits=Limits())
        new.start()
        with pytest.raises(WorkerTooOld, match="kettle 2"):
            old.run_batch()
        assert new.run_until_idle().dead == 0
        rows = store.load_processes(other, [kettle_id("blue")])
        state = second_version().decode(rows[0].state)
    assert (rows[0].version, state.stage, state.color) == (2, "closed", "copper")
    with pytest.raises(WorkerTooOld):
        Runner(kitchen(), connection, VirtualClock(NOON)).start()


def test_a_worker_that_was_about_to_begin_sees_that_a_newer_one_has_been_there(
    connection: db.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = runner_on(connection, VirtualClock(NOON))
    put(connection, inbound("blue", Filled(cups=2), "f"))
    old.run_until_idle()
    put(connection, inbound("blue", Poured(cups=1), "p"))
    lock_shards = store.lock_shards

    def lock_after_the_new_one(*asked: Any) -> list[int]:
        monkeypatch.undo()
        with contextlib.closing(db.connect(database_url)) as other:
            new = Runner(Registry([second_version()], [], [Stove()]), other, VirtualClock(NOON))
            new.start()
            new.run_until_idle()
            put(other, inbound("blue", Poured(cups=1), "q"))
        return lock_shards(*asked)

    monkeypatch.setattr(store, "lock_shards", lock_after_the_new_one)
    with pytest.raises(WorkerTooOld):
        old.run_batch()
    [row] = store.load_processes(connection, [kettle_id("blue")])
    with pytest.raises(WorkerTooOld, match="kettle 2"):
        kettle.load(row.version, row.state)


def test_a_batch_that_thinks_for_too_long_is_taken_apart_and_its_worker_goes_on(
    connection: db.Connection, database_url: str
) -> None:
    class Slow(Stove):
        """Takes too long over more than three cups."""

        def handle(self, issued: Sequence[Issued], tx: Transaction) -> Iterator[Outgoing]:
            if any(one.command.cups > 3 for one in issued if isinstance(one.command, Heat)):
                time.sleep(0.4)
            return super().handle(issued, tx)

    def connect(autocommit: bool) -> db.Connection:
        opened = db.connect(database_url, autocommit=autocommit)
        opened.execute("SET idle_in_transaction_session_timeout = '200ms'")
        opened.commit()
        return opened

    names = ("blue", "red", "green")
    put(connection, *(inbound(n, Filled(cups=9 if n == "red" else 1), f"f{n}") for n in names))
    stop, failures = threading.Event(), []
    worker = Worker(
        Registry([kettle], [], [Slow()]), connect, VirtualClock(NOON), name="cook",
        waits=WorkerLimits(idle_seconds=0.01, retry_seconds=0.02),
    )  # fmt: skip

    def work() -> None:
        try:
            worker.run(stop)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        until(lambda: bool(failures or _letters(connection)))
        until(lambda: bool(failures) or not store.fetch(connection, "SELECT * FROM inbox"))
    finally:
        stop.set()
        thread.join(30)
    assert failures == []
    assert _letters(connection) == [kettle_id("red")]
    assert {state_of(connection, name).stage for name in ("blue", "green")} == {"hot"}


def _letters(connection: db.Connection) -> list[str]:
    found = [letter.instance for letter in dead_letters.listed(connection)]
    connection.rollback()
    return found


def test_a_fault_of_the_database_is_blamed_on_no_message(connection: db.Connection) -> None:
    class Stuck(Stove):
        def handle(self, issued: Any, tx: Any) -> Any:
            tx.execute("SET LOCAL statement_timeout = '20ms'")
            tx.execute("SELECT pg_sleep(5)")

    runner = Runner(Registry([kettle], [], [Stuck()]), connection, VirtualClock(NOON))
    runner.start()
    put(connection, inbound("blue", Filled(cups=1), "f"))
    with pytest.raises(Exception, match="statement timeout"):
        runner.run_batch()
    assert dead_letters.listed(connection) == []
    assert runner_on(connection, VirtualClock(NOON)).run_until_idle().taken == 1
    assert inbox.receive(connection, [], NOON) == []
