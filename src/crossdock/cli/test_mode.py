"""`crossdock test-mode`: does the work of keys of mode test, on a schema of their own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import typer

from crossdock.api.test_mode.running import run_test_mode, url_of_test_schema
from crossdock.api.test_mode.store import current_schema
from crossdock.cli.context import connect, connector, open_database, output, settings_of
from crossdock.cli.workers import until_told
from crossdock.kernel.clock import SystemClock
from crossdock.webhooks.retention import EventRetention
from crossdock.webhooks.worker import keep_events


def register(app: typer.Typer) -> None:
    """Adds `test-mode`."""
    app.command("test-mode")(test_mode)


def test_mode(context: typer.Context) -> None:
    """Run orders of test keys on made-up stock and fakes until told to stop.

    It keeps the schema crossdock_test like the live one, whose master data it reads and where it
    writes nothing. `crossdock serve` runs one.
    """
    settings, clock = settings_of(context), SystemClock()
    with open_database(context) as database:
        stop = until_told()
        test = replace(database, url=url_of_test_schema(database.url))
        with connect(database) as live:
            schema = current_schema(live)
        output.print("test mode starts; Ctrl-C stops it", highlight=False)
        run_test_mode(
            database.url,
            stop,
            clock=clock,
            chores=(EventRetention(settings.webhooks.event_days),),
            more=(partial(keep_events, connector(test, "test mode"), clock, settings, schema),),
        )
