"""`crossdock worker` and `crossdock dispatcher`: the processes that do the work, until stopped."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Annotated

import typer

from crossdock import db
from crossdock.app import CHORES, registry
from crossdock.cli.context import connector, open_database, output, settings_of
from crossdock.cli.policies import checked_order_policy, put_in_force
from crossdock.cli.telemetry import observed
from crossdock.connectors.fakes import CarrierFake, ErpFake, NotificationFake, PaymentFake
from crossdock.engine.dispatcher import Dispatcher, DispatchLimits
from crossdock.engine.runner import Limits
from crossdock.engine.upkeep import Ages
from crossdock.engine.worker import Chore, Worker, WorkerLimits
from crossdock.inventory.watch import InvariantWatch, WatchLimits
from crossdock.kernel.clock import SystemClock
from crossdock.kernel.errors import SettingRefused
from crossdock.settings import CheckSettings, DispatcherSettings, EngineSettings
from crossdock.webhooks.retention import EventRetention
from crossdock.webhooks.worker import run_events

NO_CONNECTOR = "No connector to an outside system is configured."


def register(app: typer.Typer) -> None:
    """Adds `worker` and `dispatcher`."""
    app.command("worker")(worker)
    app.command("dispatcher")(dispatcher)


def worker(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Unique among workers; by default host and pid.")] = "",
) -> None:
    """Run batches until it is told to stop (Ctrl-C or SIGTERM); a batch under way is finished.

    Any number of workers, on any number of machines, share one database.
    """
    settings = settings_of(context)
    order_rules = checked_order_policy(settings.policies)
    with (
        open_database(context) as database,
        observed(settings.telemetry, "crossdock-worker") as spans,
    ):
        stop = until_told()
        name = name or f"{socket.gethostname()}-{os.getpid()}"
        connect = connector(database, f"worker {name}")
        clock = SystemClock()
        with closing(connect()) as connection:
            changed = put_in_force(connection, settings.policies, clock.now())
            connection.commit()
        if changed is not None:
            output.print(f"sourcing policy {changed} is in force now", highlight=False)
        hand = Worker(
            registry(order_rules),
            connect,
            clock,
            name=name,
            limits=limits_of(settings.engine),
            waits=WorkerLimits(idle_seconds=settings.engine.idle_poll_milliseconds / 1000),
            ages=ages_of(settings.engine),
            chores=(
                *CHORES,
                EventRetention(settings.webhooks.event_days),
                *watch_of(settings.checks, connect),
            ),
            tracing=spans,
        )
        output.print(f"worker {name} starts; Ctrl-C stops it", highlight=False)
        hand.run(stop)
        output.print(f"worker {name} handled {hand.total.handled} messages", highlight=False)


def dispatcher(
    context: typer.Context,
    fakes: Annotated[
        bool, typer.Option("--fakes", help="Call the built-in fakes of all outside systems.")
    ] = False,
) -> None:
    """Call outside systems and send webhooks until it is told to stop (Ctrl-C or SIGTERM)."""
    if not fakes:
        raise SettingRefused(
            NO_CONNECTOR,
            advice="This version brings the ports and their fakes: --fakes calls those.",
        )
    everything = settings_of(context)
    telemetry, settings = everything.telemetry, everything.dispatcher
    clock = SystemClock()
    systems = (PaymentFake(clock), CarrierFake(clock), ErpFake(clock), NotificationFake(clock))
    ports = {system.name: system for system in systems}
    with (
        open_database(context) as database,
        observed(telemetry, "crossdock-dispatcher") as spans,
    ):
        stop, connect = until_told(), connector(database, "dispatcher")
        caller = Dispatcher(ports, clock, dispatch_limits_of(settings), tracing=spans)
        threads = caller.run(
            connect,
            stop,
            threads_per_connector=max(1, settings.threads // len(ports)),
        )
        threads += run_events(connect, clock, everything, stop)
        output.print("dispatcher calls the fakes and webhooks; Ctrl-C stops it", highlight=False)
        for thread in threads:
            thread.join()


def watch_of(settings: CheckSettings, connect: Callable[[], db.Connection]) -> tuple[Chore, ...]:
    """The scheduled check of all invariants, unless it is switched off."""
    if not settings.every_minutes:
        return ()
    limits = WatchLimits(
        every=timedelta(minutes=settings.every_minutes),
        statement_seconds=settings.statement_seconds,
        rows=settings.rows,
    )
    return (InvariantWatch(connect, limits),)


def limits_of(settings: EngineSettings) -> Limits:
    """The batch limits as configured."""
    return Limits(
        messages=settings.batch_messages,
        rounds=settings.batch_rounds,
        shards=settings.batch_shards,
    )


def ages_of(settings: EngineSettings) -> Ages:
    """The ages as configured."""
    return Ages(
        body_days=settings.dedupe_body_days,
        hash_days=settings.dedupe_days,
        early_hours=settings.early_message_hours,
    )


def dispatch_limits_of(settings: DispatcherSettings) -> DispatchLimits:
    """The dispatcher's limits as configured."""
    return DispatchLimits(
        batch=settings.claim_effects,
        first_batch=settings.first_claim_effects,
        lease_seconds=settings.lease_seconds,
        first_wait_seconds=settings.backoff_seconds,
        longest_wait_seconds=settings.backoff_limit_seconds,
        case_after_attempts=settings.attempts,
        breaker_failures=settings.breaker_failures,
        breaker_wait_seconds=settings.breaker_seconds,
    )


def until_told() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set; before this is called, they end the process at once.

    So it is called when there is something to finish: nobody asks the event while a data folder or
    a migration is waited for.
    """
    stop = threading.Event()
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, lambda *_: stop.set())
    return stop
