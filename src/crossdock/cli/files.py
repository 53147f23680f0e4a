"""`crossdock files`: the process that loads files of stock, products and prices."""

from __future__ import annotations

import threading

import typer

from crossdock import db
from crossdock.api.files.runner import run_files
from crossdock.api.services import TEST_SCHEMA
from crossdock.cli.context import connect, open_database, output, settings_of
from crossdock.cli.workers import until_told


def register(app: typer.Typer) -> None:
    """Adds `files`."""
    app.command("files")(files)


def files(context: typer.Context) -> None:
    """Load the files that were sent to the API until told to stop; a job under way goes on later.

    Any number of these, on any number of machines, share one database. Files sent with a test key
    are loaded into test mode.
    """
    timeouts = settings_of(context).database
    stop = until_told()
    with open_database(context) as database:

        def runner(url: str) -> threading.Thread:
            return threading.Thread(
                target=run_files,
                args=(
                    lambda: db.connect(
                        url,
                        application_name="crossdock files",
                        idle_in_transaction_seconds=timeouts.idle_in_transaction_seconds,
                        connect_timeout_seconds=timeouts.connect_timeout_seconds,
                    ),
                    stop,
                ),
            )

        with connect(database):
            output.print("Loading files; Ctrl-C stops it.", highlight=False)
        threads = [runner(database.url), runner(db.in_schema(database.url, TEST_SCHEMA))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
