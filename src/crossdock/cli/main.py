"""The command line's entry point: the options before the command, and the list of commands.

A command module has a function `register(app)` that adds its commands; it is listed in COMMANDS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdock import __version__
from crossdock.cli import (
    bench,
    check,
    contracts,
    database,
    dead_letters,
    explain,
    files,
    init,
    keys,
    networks,
    orders,
    payloads,
    quarantine,
    run,
    schema,
    serve,
    settings,
    test_mode,
    workers,
)
from crossdock.cli.context import FaultsShown, Options

COMMANDS = (
    bench.register,
    check.register,
    contracts.register,
    database.register,
    dead_letters.register,
    explain.register,
    files.register,
    schema.register,
    init.register,
    keys.register,
    networks.register,
    orders.register,
    payloads.register,
    quarantine.register,
    run.register,
    serve.register,
    settings.register,
    test_mode.register,
    workers.register,
)

app = typer.Typer(
    name="crossdock",
    cls=FaultsShown,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(help="Data folder of the embedded PostgreSQL.", file_okay=False),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file; by default crossdock.toml if there is one.")
    ] = None,
    shows_version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it alone."),
    ] = False,
) -> None:
    """Run a retailer's orders, stock and fulfillment as durable, explainable workflows.

    CROSSDOCK_DATABASE_URL names a PostgreSQL 15+ of your own; without it an embedded one is started
    for as long as a command runs. `demo`, and `run` without --keep, use neither: they start one
    whose data are thrown away.
    """
    context.obj = Options(data=data, config=config)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


for register in COMMANDS:
    register(app)
