"""`crossdock files`: the process that loads files of stock, products and prices."""

from __future__ import annotations

import threading
from dataclasses import replace

import typer

from crossdock import db
from crossdock.api.files.runner import run_files
from crossdock.api.services import TEST_SCHEMA
from crossdock.cli.context import connector, open_database, output
from crossdock.cli.workers import until_told


def register(app: typer.Typer) -> None:
    """Adds `files`."""
    app.command("files")(files)


def files(context: typer.Context) -> None:
    """Load the files that were sent to the API until told to stop; a job under way goes on later.

    Any number of these, on any number of machines, share one database. Files sent with a test key
    are loaded into test mode.
    """
    with open_database(context) as database:
        stop = until_told()
        test = replace(database, url=db.in_schema(database.url, TEST_SCHEMA))
        threads = [
            threading.Thread(target=run_files, args=(connector(each, "files"), stop))
            for each in (database, test)
        ]
        output.print("Loading files; Ctrl-C stops it.", highlight=False)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
