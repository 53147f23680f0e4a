"""What every command shares: the options before the command, the database, how errors are shown.

Exit codes: 0 done, 1 done and something was found wrong (the output says what), 2 wrong usage or
settings, 3 a fault: something outside failed, and the same command can succeed later.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import typer
from rich.console import Console, ConsoleDimensions
from rich.text import Text
from typer.core import TyperGroup

from crossdock import db, postgres
from crossdock.api.access.faults import KeyFault
from crossdock.catalog.errors import MasterDataRefused, NetworkUnreadable
from crossdock.kernel.errors import Fault, SettingRefused
from crossdock.settings import DatabaseSettings, Settings, load_settings
from crossdock.sourcing.errors import PolicyNotFound, PolicyRefused

FOUND_SOMETHING = 1
WRONG_USAGE = 2
FAULT = 3

OF_THE_USER = (
    SettingRefused,
    PolicyNotFound,
    PolicyRefused,
    NetworkUnreadable,
    MasterDataRefused,
    KeyFault,
)
"""Faults of what was given to a command: waiting does not help."""


# What would move the cursor, color the rest of a terminal, turn text round, or be no character.
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# Bytes of an argument that are no UTF-8: neither the database nor a terminal takes them.
_NO_CHARACTER = re.compile("[\ud800-\udfff]")


class Terminal(Console):
    """Shows every text as it is, in tables too: people's names may hold [ ] and :x:.

    What is to have a style is a rich Text. It is as wide as COLUMNS says when it prints, not when
    this module was imported.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(_NO_TEXT.sub("·", text), **options)

    @property
    def size(self) -> ConsoleDimensions:
        columns = os.environ.get("COLUMNS", "")
        measured = super().size
        if not columns.isdigit():
            return measured
        return ConsoleDimensions(int(columns), measured.height)

    @size.setter
    def size(self, dimensions: tuple[int, int]) -> None:
        self._width, self._height = dimensions


output = Terminal()
errors = Terminal(stderr=True)


@dataclass(frozen=True)
class Options:
    """The options given before the command."""

    data: Path | None = None
    config: Path | None = None


@dataclass(frozen=True)
class Database:
    """An open database; `server` is None where the retailer's own is used."""

    url: str
    server: postgres.Server | None
    timeouts: DatabaseSettings


class FaultsShown(TyperGroup):
    """A group of commands that shows a fault as one message and an exit code, never a traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for arg in args:
            if _NO_CHARACTER.search(arg):
                raise typer.BadParameter(f"{_NO_CHARACTER.sub('·', arg)} is not written in UTF-8.")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            with db.naming_faults():
                return super().invoke(ctx)
        except Fault as fault:
            errors.print(fault.problem, style="bold red", highlight=False, soft_wrap=True)
            again = "Then run it again." if fault.retryable else ""
            if fault.advice:
                advice = f"{fault.advice} {again}".strip()
                errors.print(advice, highlight=False, soft_wrap=True)
            code = WRONG_USAGE if isinstance(fault, OF_THE_USER) else FAULT
            raise typer.Exit(code) from fault


def options_of(context: typer.Context) -> Options:
    """The options before the command."""
    return context.find_object(Options) or Options()


def settings_of(context: typer.Context) -> Settings:
    """The settings in force for this command. Raises SettingRefused."""
    return load_settings(options_of(context).config)


def data_folder_of(context: typer.Context) -> Path | None:
    """--data, else the setting; None stands for the platform's folder."""
    named = settings_of(context).postgres.data
    return options_of(context).data or (Path(named) if named else None)


@contextlib.contextmanager
def open_database(
    context: typer.Context, *, ephemeral: bool = False, migrate: bool = True
) -> Iterator[Database]:
    """The retailer's database or the embedded one, running and (unless told not to) migrated.

    `ephemeral` starts an embedded server whose data go away with the command.
    """
    settings = settings_of(context)
    if settings.database.url and not ephemeral:
        if options_of(context).data:
            raise SettingRefused(
                "--data names a folder for the embedded PostgreSQL, and CROSSDOCK_DATABASE_URL "
                "names another server.",
                advice="Leave out one of the two.",
            )
        # Refused before it is handed on to a program that would show it.
        db.parts_of(settings.database.url)
        database = Database(settings.database.url, None, settings.database)
        if migrate:
            _migrate(database)
        yield database
        return
    programs = settings.postgres.bin
    with postgres.serve(
        None if ephemeral else data_folder_of(context),
        ephemeral=ephemeral,
        port=None if settings.postgres.port < 0 else settings.postgres.port,
        binaries=postgres.BinariesInFolder(Path(programs)) if programs else None,
        account_name=settings.postgres.user,
    ) as server:
        database = Database(server.url, server, settings.database)
        if migrate:
            _migrate(database)
        yield database


def connect(database: Database) -> contextlib.closing[db.Connection]:
    """A connection for the length of a `with` block."""
    return contextlib.closing(connector(database, "cli")())


class Connector(Protocol):
    """Opens connections, each of which its user closes."""

    def __call__(self, autocommit: bool = False) -> db.Connection: ...


def connector(database: Database, name: str) -> Connector:
    """What opens connections for the part of Crossdock of that name, with the timeouts as set."""

    def connect(autocommit: bool = False) -> db.Connection:
        return db.connect(
            database.url,
            application_name=f"crossdock {name}",
            autocommit=autocommit,
            idle_in_transaction_seconds=database.timeouts.idle_in_transaction_seconds,
            connect_timeout_seconds=database.timeouts.connect_timeout_seconds,
        )

    return connect


def _migrate(database: Database) -> None:
    with contextlib.closing(connector(database, "migrate")()) as connection:
        db.migrate(connection)
