"""`crossdock settings`: every setting, its value, its source, its meaning."""

from __future__ import annotations

import typer
from rich.table import Table

from crossdock.cli.context import options_of, output
from crossdock.settings import settings_in_use


def register(app: typer.Typer) -> None:
    """Adds `settings`."""
    app.command("settings")(settings)


def settings(context: typer.Context) -> None:
    """Print every setting and limit with its value, where that comes from and what it means."""
    table = Table("setting", "value", "from", "meaning")
    for row in settings_in_use(options_of(context).config):
        table.add_row(row.name, _shown(row.name, row.value), row.source, row.meaning)
    output.print(table)


def _shown(name: str, value: object) -> str:
    """A database URL may carry a password."""
    if name == "database.url" and value:
        return "(set)"
    return str(value)
