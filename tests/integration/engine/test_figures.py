"""What workers and dispatchers count of themselves, as any API process can show it."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from crossdock import db
from crossdock.engine import figures_store
from crossdock.engine.dispatcher import Dispatcher, DispatchLimits
from crossdock.engine.effects import TryLater
from crossdock.engine.figures import WorkerFigures, merge, of_running
from crossdock.kernel.clock import VirtualClock
from tests.integration.engine.test_dispatcher import Waiter, served_kettles
from tests.integration.engine.test_runner import count, put
from tests.integration.engine.test_worker import Started, hire, until  # noqa: F401
from tests.integration.engine.toy import NOON, Filled, inbound, kettle_id


def shown(connection: db.Connection) -> CollectorRegistry:
    """All figures reported, as a registry that can be asked for single values."""

    class Reported:
        def collect(self) -> list[Metric]:
            return list(merge(of_running(connection, NOON)))

    registry = CollectorRegistry()
    registry.register(Reported())
    return registry


def test_figures_of_several_processes_stand_side_by_side(connection: db.Connection) -> None:
    for name, batches in (("worker a", 1), ("worker b", 3)):
        figures = WorkerFigures(name)
        for _ in range(batches):
            figures.batch_done(taken=40, handled=100, dead=0, seconds=0.2)
        assert figures.report(connection, NOON)
    registry = shown(connection)
    for name, batches in (("worker a", 1), ("worker b", 3)):
        of_one = {"process": name}
        assert (
            registry.get_sample_value("crossdock_messages_handled_total", of_one) == 100 * batches
        )
        assert registry.get_sample_value("crossdock_batch_messages_sum", of_one) == 40 * batches
        under_50 = {**of_one, "le": "50.0"}
        assert registry.get_sample_value("crossdock_batch_messages_bucket", under_50) == batches


def test_a_process_reports_now_and_then_and_replaces_what_it_said(
    connection: db.Connection,
) -> None:
    figures = WorkerFigures("worker a")
    assert figures.report(connection, NOON)
    figures.batch_done(taken=1, handled=7, dead=0, seconds=0.1)
    assert not figures.report(connection, NOON + timedelta(seconds=3))
    assert figures.report(connection, NOON + timedelta(seconds=10))
    assert count(connection, "process_figures") == 1
    told = shown(connection).get_sample_value(
        "crossdock_messages_handled_total", {"process": "worker a"}
    )
    assert told == 7


def test_a_process_that_is_gone_is_shown_no_more_and_forgotten_in_the_end(
    connection: db.Connection,
) -> None:
    WorkerFigures("worker gone").report(connection, NOON - timedelta(seconds=61))
    assert of_running(connection, NOON) == []
    assert count(connection, "process_figures") == 1
    WorkerFigures("worker here").report(connection, NOON + figures_store.FORGET_AFTER)
    assert [name for name, _ in of_running(connection, NOON)] == ["worker here"]
    assert count(connection, "process_figures") == 1


def test_nobody_waits_for_the_figures_of_another_who_is_just_reporting(
    connection: db.Connection, database_url: str
) -> None:
    figures_store.report(connection, "worker a", "worker", b"", NOON)
    figures_store.report(connection, "worker b", "worker", b"", NOON)
    connection.commit()
    with contextlib.closing(db.connect(database_url)) as other:
        connection.execute("UPDATE process_figures SET figures = 'b' WHERE process = 'worker b'")
        other.execute("SET lock_timeout = '3s'")
        figures_store.report(other, "worker a", "worker", b"", NOON + timedelta(hours=2))
        other.commit()


def test_a_running_worker_tells_of_its_batches(
    connection: db.Connection,
    hire: Started,  # noqa: F811
) -> None:
    put(connection, *(inbound(name, Filled(cups=1), name) for name in ("blue", "red")))
    worker = hire()
    until(lambda: worker.total.handled == 4)
    assert worker.figures.registry.get_sample_value("crossdock_messages_handled_total") == 4
    assert worker.figures.registry.get_sample_value("crossdock_batch_messages_sum") == 2
    until(lambda: bool(of_running(connection, NOON)))
    assert [name for name, _ in of_running(connection, NOON)] == ["worker cook"]


def test_a_dispatcher_tells_latencies_results_and_its_breakers(connection: db.Connection) -> None:
    clock = VirtualClock(NOON)
    served_kettles(connection, clock, "blue", "red")
    waiter = Waiter()
    waiter.mood[kettle_id("blue")] = [TryLater("tray full")]
    clock.move_to(NOON + timedelta(seconds=45))
    limits = DispatchLimits(breaker_failures=1)
    dispatcher = Dispatcher({"table": waiter}, clock, limits, name="a")
    at_rest = dispatcher.figures.registry.get_sample_value
    assert at_rest("crossdock_breaker_open", {"connector": "table"}) == 0
    dispatcher.drain(connection)
    assert dispatcher.figures.report(connection, NOON)
    registry = shown(connection)
    table = {"process": "dispatcher a", "connector": "table"}
    results = {
        said: registry.get_sample_value("crossdock_effects_total", {**table, "result": said})
        for said in ("done", "try_later", "unknown")
    }
    assert results == {"done": 2, "try_later": 1, "unknown": None}
    assert registry.get_sample_value("crossdock_effect_age_seconds_sum", table) == pytest.approx(90)
    assert registry.get_sample_value("crossdock_effect_call_seconds_count", table) == 2
    assert registry.get_sample_value("crossdock_breaker_open", table) == 0
    waiter.mood[kettle_id("blue")] = [TryLater("tray full")]
    clock.move_to(NOON + timedelta(seconds=60))
    dispatcher.drain(connection)
    live = dispatcher.figures.registry
    assert live.get_sample_value("crossdock_breaker_open", {"connector": "table"}) == 1
    assert live.get_sample_value("crossdock_breaker_failures", {"connector": "table"}) == 1
