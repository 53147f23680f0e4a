"""A message that kills the worker's process, and workers of two versions."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from crossdock import db
from crossdock.engine import dead_letters, inbox, store
from crossdock.engine.process import Output, Process
from crossdock.engine.registry import Registry
from crossdock.engine.runner import Limits, Runner, WorkerTooOld
from crossdock.kernel.clock import VirtualClock
from tests.integration.engine.test_runner import put, runner_on, state_of
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
