"""`crossdock dead-letters`: messages that could not be handled, and what is done about them."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from crossdock.cli.context import FOUND_SOMETHING, connect, errors, open_database, output
from crossdock.engine import dead_letters
from crossdock.kernel.clock import SystemClock
from crossdock.kernel.ids import is_id

Ids = Annotated[list[str], typer.Argument(help="Ids as `crossdock dead-letters list` shows them.")]


def register(app: typer.Typer) -> None:
    """Adds `dead-letters` with its commands."""
    commands = typer.Typer(no_args_is_help=True, help="Messages that could not be handled.")
    commands.command("list")(listed)
    commands.command("show")(show)
    commands.command("retry")(retry)
    commands.command("skip")(skip)
    app.add_typer(commands, name="dead-letters")


def listed(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")] = 100,
) -> None:
    """List them, oldest first, with how many messages wait behind each."""
    with open_database(context) as database, connect(database) as connection:
        letters = dead_letters.listed(connection, limit)
    if not letters:
        output.print("No dead letters.")
        return
    table = Table("id", "since", "process", "instance", "message", "waiting", "error")
    for letter in letters:
        since = letter.failed_at.isoformat(timespec="seconds")
        facts = (letter.process, letter.instance, letter.type, str(letter.waiting))
        table.add_row(letter.id, since, *facts, letter.error)
    output.print(table)


def show(context: typer.Context, letter_id: str) -> None:
    """Show one with its content and the trace of its failure."""
    _require_ids([letter_id])
    with open_database(context) as database, connect(database) as connection:
        letter = dead_letters.shown(connection, letter_id)
    if letter is None:
        _tell_missing([letter_id])
        raise typer.Exit(FOUND_SOMETHING)
    content = msgspec.json.format(msgspec.json.encode(msgspec.msgpack.decode(letter.body)))
    for text in (f"{letter.type} for {letter.process} {letter.instance}", letter.error):
        output.print(text, highlight=False, soft_wrap=True)
    output.print_json(content.decode())
    output.print(letter.trace, highlight=False, soft_wrap=True)
    output.print(f"{letter.waiting} messages wait behind it.")


def retry(context: typer.Context, letter_ids: Ids) -> None:
    """Hand them to their processes again; what waited behind them follows."""
    _decide(context, letter_ids, again=True)


def skip(context: typer.Context, letter_ids: Ids) -> None:
    """Drop them for good; what waited behind them goes on."""
    _decide(context, letter_ids, again=False)


def _decide(context: typer.Context, letter_ids: list[str], *, again: bool) -> None:
    """Decide each; exits 1 if one was not found, with all others decided."""
    _require_ids(letter_ids)
    decide = dead_letters.retry if again else dead_letters.skip
    with open_database(context) as database, connect(database) as connection:
        found = decide(connection, letter_ids, SystemClock().now())
        connection.commit()
    for letter_id in found:
        output.print(f"{letter_id} {'goes to its process again' if again else 'is skipped'}")
    missing = [letter_id for letter_id in letter_ids if letter_id not in found]
    if missing:
        _tell_missing(missing)
        raise typer.Exit(FOUND_SOMETHING)


def _require_ids(letter_ids: list[str]) -> None:
    wrong = [letter_id for letter_id in letter_ids if not is_id(letter_id)]
    if wrong:
        raise typer.BadParameter(f"not an id: {', '.join(wrong)}")


def _tell_missing(letter_ids: list[str]) -> None:
    missing = ", ".join(letter_ids)
    errors.print(f"No dead letter of that id (retried or skipped before?): {missing}")
