"""`crossdock quarantine`: stock levels that offer nothing because their books were broken."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from crossdock.cli.context import FOUND_SOMETHING, connect, errors, open_database, output
from crossdock.inventory import watch
from crossdock.inventory.model import LevelKey
from crossdock.kernel.clock import SystemClock


def register(app: typer.Typer) -> None:
    """Adds `quarantine list` and `quarantine lift`."""
    commands = typer.Typer(no_args_is_help=True)
    commands.command("list")(show)
    commands.command("lift")(lift)
    app.add_typer(commands, name="quarantine", help="Stock levels that a check took out of sale.")


def show(context: typer.Context) -> None:
    """List the levels that offer nothing until they are lifted."""
    with open_database(context, migrate=False) as database, connect(database) as connection:
        levels = watch.quarantined(connection, SystemClock().now())
    if not levels:
        output.print("No stock level is in quarantine.")
        return
    table = Table("SKU", "node", "owner", "lot")
    for level in levels:
        table.add_row(*level)
    output.print(table)


def lift(
    context: typer.Context,
    sku: Annotated[str, typer.Argument()],
    node: Annotated[str, typer.Argument()],
    owner: Annotated[str, typer.Option(help="The legal entity that owns the stock.")] = "",
    lot: Annotated[str, typer.Option(help="The lot, where lots are kept.")] = "",
) -> None:
    """Offer a level's stock again and close its case; refused while its books are broken."""
    level = LevelKey(sku, node, owner, lot)
    with open_database(context, migrate=False) as database, connect(database) as connection:
        now = SystemClock().now()
        known = level in watch.quarantined(connection, now)
        connection.rollback()
        refused = watch.lift(connection, level, now) if known else None
        connection.commit()
    if not known:
        errors.print(f"{sku} at {node} is not in quarantine.")
        raise typer.Exit(FOUND_SOMETHING)
    if refused is not None:
        errors.print(f"{sku} at {node} is still broken:", style="bold red")
        for violation in refused.violations:
            errors.print(f"  {violation}", soft_wrap=True)
        raise typer.Exit(FOUND_SOMETHING)
    output.print(f"{sku} at {node} is offered again.")
