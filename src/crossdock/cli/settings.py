"""`crossdock settings`: every setting, its value, its source, its meaning."""

from __future__ import annotations

import typer
from rich.table import Table

from crossdock.cli.context import options_of, output
from crossdock.settings import SettingInUse, settings_in_use


def register(app: typer.Typer) -> None:
    """Adds `settings`."""
    app.command("settings")(settings)


def settings(context: typer.Context) -> None:
    """Print every setting and limit with its value, where that comes from and what it means."""
    table = Table("setting", "value", "from", "meaning")
    for row in settings_in_use(options_of(context).config):
        table.add_row(row.name, _shown(row), row.source, row.meaning)
    output.print(table)


def _shown(row: SettingInUse) -> str:
    """Whether a secret is set, never what it is."""
    return "(set)" if row.is_secret and row.value else str(row.value)
