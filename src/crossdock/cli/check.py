"""`crossdock check`: every invariant, and the rows that break it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from crossdock import db, invariants
from crossdock.cli.context import FOUND_SOMETHING, connect, open_database, output

SHOWN_ROWS = 100
"""Of each rule; a rule that is wrong at all is often so everywhere."""


def register(app: typer.Typer) -> None:
    """Adds `check`."""
    app.command("check")(check)


def check(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Option("--invariants", help="A folder of your own rules, instead of Crossdock's."),
    ] = None,
) -> None:
    """Run every invariant; print the rows that break one and exit with 1 if there are any."""
    count = len(invariants.load_invariants(folder))
    with open_database(context, migrate=False) as database, connect(database) as connection:
        db.require_current_schema(connection)
        violations = invariants.check(connection, folder, rows_per_rule=SHOWN_ROWS + 1)
    if not violations:
        output.print(f"{count} invariants hold.")
        return
    for name in dict.fromkeys(violation.invariant for violation in violations):
        _print_one([violation for violation in violations if violation.invariant == name])
    broken = len({violation.invariant for violation in violations})
    output.print(f"{broken} of {count} invariants are broken.", style="bold red")
    raise typer.Exit(FOUND_SOMETHING)


def _print_one(violations: list[invariants.Violation]) -> None:
    output.print(f"{violations[0].invariant}: {violations[0].rule}", soft_wrap=True)
    table = Table(*(name for name, _ in violations[0].row))
    for violation in violations[:SHOWN_ROWS]:
        table.add_row(*(str(value) for _, value in violation.row))
    output.print(table)
    if len(violations) > SHOWN_ROWS:
        output.print("... and more")
