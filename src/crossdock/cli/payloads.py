"""`crossdock payloads`: what a system really sent, while it is kept."""

from __future__ import annotations

from typing import Annotated

import typer

from crossdock.cli.context import (
    FOUND_SOMETHING,
    connect,
    errors,
    open_database,
    output,
    settings_of,
)
from crossdock.kernel.errors import SettingRefused
from crossdock.ordering import payloads


def register(app: typer.Typer) -> None:
    """Adds `payloads show` and `payloads new-key`."""
    commands = typer.Typer(no_args_is_help=True)
    commands.command("show")(show)
    commands.command("new-key")(new_key)
    app.add_typer(commands, name="payloads", help="Raw inbound payloads, kept encrypted.")


def new_key() -> None:
    """Print a new key for the setting payloads.keys; put it before the ones that are there."""
    typer.echo(payloads.new_key())


def show(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="Who sent it, such as a channel.")],
    source_id: Annotated[str, typer.Argument(help="What it was sent as, such as order/W1001.")],
) -> None:
    """Print what was received under an identity, decrypted: it holds personal data."""
    settings = settings_of(context).payloads
    keeper = payloads.PayloadKeeper.of(settings.keys, settings.days)
    if keeper is None:
        raise SettingRefused(
            "No key for raw payloads is configured, so none are kept.",
            advice="`crossdock payloads new-key` makes one for the setting payloads.keys.",
        )
    with open_database(context, migrate=False) as database, connect(database) as connection:
        found = keeper.read(connection, source, source_id)
    if not found:
        errors.print(f"Nothing of {source} {source_id} is kept.")
        raise typer.Exit(FOUND_SOMETHING)
    for kept in found:
        output.print(f"{kept.received_at.isoformat()} {kept.content_type}", style="bold")
        body = kept.body
        text = "(its key is gone)" if body is None else body.decode("utf-8", "backslashreplace")
        typer.echo(text)
