"""`crossdock db`: the database's state, its migrations, a way in."""

from __future__ import annotations

import shutil
import signal
import subprocess
from typing import Annotated

import typer

from crossdock import db, postgres
from crossdock.cli.context import (
    FOUND_SOMETHING,
    Database,
    connect,
    data_folder_of,
    errors,
    open_database,
    output,
    settings_of,
)
from crossdock.kernel.errors import PostgresMissing

commands = typer.Typer(help="The database: its state, its migrations, a way in.")


def register(app: typer.Typer) -> None:
    """Adds `db status`, `migrate`, `url`, `psql` and `serve`."""
    app.add_typer(commands, name="db", no_args_is_help=True)


@commands.command()
def status(context: typer.Context) -> None:
    """Print where the database is, its version and size, and what is still to be migrated."""
    with open_database(context, migrate=False) as database, connect(database) as connection:
        state = db.migration_state(connection)
        facts = db.server_facts(connection)
    place = database.server.data_folder if database.server else "CROSSDOCK_DATABASE_URL"
    output.print(f"server     PostgreSQL {facts.version}", highlight=False)
    output.print(f"at         {place}", highlight=False, soft_wrap=True)
    output.print(f"size       {facts.size_bytes / 1024**2:,.1f} MiB", highlight=False)
    output.print(f"migrated   {', '.join(state.applied) or 'nothing'}", highlight=False)
    pending = ", ".join(migration.name for migration in state.pending)
    output.print(f"pending    {pending or 'nothing'}", highlight=False)


@commands.command()
def migrate(context: typer.Context) -> None:
    """Bring the database to this version's schema."""
    with open_database(context, migrate=False) as database, connect(database) as connection:
        applied = db.migrate(connection)
    for name in applied:
        output.print(f"applied {name}", highlight=False)
    output.print("The database is up to date.")


@commands.command()
def url(context: typer.Context) -> None:
    """Print the URL of the database; the embedded one has one only while it runs."""
    named = settings_of(context).database.url
    found = named or postgres.running_url(data_folder_of(context))
    if not found:
        errors.print("The embedded PostgreSQL is not running; `crossdock db serve` keeps it up.")
        raise typer.Exit(FOUND_SOMETHING)
    typer.echo(found)


@commands.command()
def serve(context: typer.Context) -> None:
    """Keep the embedded PostgreSQL running, print its URL, and stop with Ctrl-C."""
    ends = {signal.SIGINT, signal.SIGTERM}
    with open_database(context) as database:
        # Blocked, so that they wait for sigwait instead of ending us on the way there.
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        typer.echo(database.url)
        errors.print("Running. Stop with Ctrl-C.")
        signal.sigwait(ends)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)


@commands.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def psql(
    context: typer.Context,
    arguments: Annotated[list[str] | None, typer.Argument(help="Handed on to psql.")] = None,
) -> None:
    """Open psql on the database."""
    with open_database(context, migrate=False) as database:
        command = [_psql(database), database.url, *(arguments or [])]
        # Ctrl-C is for psql, which cancels its statement with it; we wait for psql to end.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            code = subprocess.run(command, check=False, preexec_fn=_take_interrupts).returncode
        finally:
            signal.signal(signal.SIGINT, before)
    raise typer.Exit(code)


def _take_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _psql(database: Database) -> str:
    folder = database.server.programs if database.server else None
    found = shutil.which("psql", path=str(folder)) if folder else None
    found = found or shutil.which("psql")
    if found is None:
        with_wheel = postgres.find_binaries().folder / "psql"
        found = str(with_wheel) if with_wheel.is_file() else None
    if found is None:
        raise PostgresMissing("There is no psql on this machine.", advice="Install it, then again.")
    return found
