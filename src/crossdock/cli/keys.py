"""`crossdock keys`: who may call the API."""

from __future__ import annotations

import getpass
from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Table

from crossdock.api.access import keys
from crossdock.api.access.permissions import ROLES, Codes, Scope
from crossdock.api.access.store import KeyRow
from crossdock.cli.context import connect, errors, open_database, output, settings_of
from crossdock.kernel.clock import SystemClock

KeyName = Annotated[str, typer.Argument(help="Id or name as `crossdock keys list` shows it.")]
Named = list[str]


def register(app: typer.Typer) -> None:
    """Adds `keys` with its commands."""
    commands = typer.Typer(no_args_is_help=True, help="API keys: who may call the API.")
    commands.command("create")(create)
    commands.command("list")(listed)
    commands.command("rotate")(rotate)
    commands.command("revoke")(revoke)
    app.add_typer(commands, name="keys")


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What people call the client.")],
    grant: Annotated[
        Named, typer.Option(help=f"A role ({', '.join(ROLES)}) or a permission; repeatable.")
    ],
    node: Annotated[Named | None, typer.Option(help="Limit to this node; repeatable.")] = None,
    brand: Annotated[Named | None, typer.Option(help="Limit to this brand; repeatable.")] = None,
    region: Annotated[Named | None, typer.Option(help="Limit to this region; repeatable.")] = None,
    channel: Annotated[
        Named | None, typer.Option(help="Limit to this channel; repeatable.")
    ] = None,
    test: Annotated[bool, typer.Option(help="Works on fakes and on no real stock.")] = False,
    requests: Annotated[
        int | None, typer.Option(min=0, max=1_000_000_000, help="Requests per window; 0: no limit.")
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=3_650, help="Until it expires.")
    ] = keys.LIFETIME_DAYS,
) -> None:
    """Make a key and print its secret, which is shown this once.

    Only the secret goes to standard output. '*' for a node or a channel says that all are meant.
    """
    new = keys.NewKey(
        name=name,
        grants=tuple(grant),
        scope=Scope(
            nodes=_codes(node),
            brands=_codes(brand),
            regions=_codes(region),
            channels=_codes(channel),
        ),
        mode="test" if test else "live",
        requests=requests,
        lifetime_days=days,
    )
    own_roles = settings_of(context).access.roles
    with open_database(context) as database, connect(database) as connection:
        issued = keys.create(connection, new, SystemClock().now(), _who(), own_roles)
        unknown = keys.unknown_codes(connection, new.scope)
        connection.commit()
    _show(issued)
    if unknown:
        _say(f"Not in the master data (yet): {', '.join(unknown)}.")


def listed(
    context: typer.Context,
    revoked: Annotated[bool, typer.Option(help="Those too that were revoked.")] = False,
) -> None:
    """List the keys with what they may do and until when; never their secrets."""
    with open_database(context) as database, connect(database) as connection:
        found = keys.listed(connection, revoked=revoked)
    if not found:
        output.print("No keys. Make one: crossdock keys create NAME --grant ROLE")
        return
    table = Table("name", "id", "mode", "grants", "limited to", "requests", "until")
    for key in found:
        requests = {None: "default", 0: "no limit"}.get(key.requests, str(key.requests))
        grants = ", ".join(key.grants)
        table.add_row(key.name, key.id, key.mode, grants, _limits(key), requests, _until(key))
    output.print(table)


def rotate(
    context: typer.Context,
    key: KeyName,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=8_760, help="How long the secrets it has go on working.")
    ] = keys.OVERLAP.total_seconds() / 3600,
) -> None:
    """Print a new secret for a key; the old one goes on working for a while."""
    overlap = timedelta(hours=overlap_hours)
    with open_database(context) as database, connect(database) as connection:
        issued = keys.rotate(connection, key, SystemClock().now(), overlap)
        connection.commit()
    _show(issued)


def revoke(context: typer.Context, key: KeyName) -> None:
    """End a key with all its secrets, within seconds."""
    with open_database(context) as database, connect(database) as connection:
        ended = keys.revoke(connection, key, SystemClock().now(), _who())
        connection.commit()
    seconds = settings_of(context).access.key_cache_seconds
    _say(f"{ended.name} opens nothing any more, everywhere within {seconds:g} s.")


def _show(issued: keys.IssuedKey) -> None:
    """The secret alone on standard output, so that a script can take it."""
    until = issued.expires_at.isoformat(timespec="minutes")
    _say(f"{issued.name} ({issued.id}) until {until}. The secret is shown this once:")
    output.print(issued.secret, highlight=False, soft_wrap=True)
    if issued.others_end_at is not None:
        end = issued.others_end_at.isoformat(timespec="minutes")
        _say(f"Its older secrets work until {end}.")


def _say(text: str) -> None:
    errors.print(text, highlight=False, soft_wrap=True)


def _limits(key: KeyRow) -> str:
    kinds = ("nodes", "brands", "regions", "channels")
    named = {kind: getattr(key.scope, kind) for kind in kinds}
    limits = [f"{kind} {' '.join(sorted(codes))}" for kind, codes in named.items() if codes]
    return ", ".join(limits) or "nothing"


def _until(key: KeyRow) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at.isoformat(timespec='minutes')}"
    return key.expires_at.isoformat(timespec="minutes") if key.expires_at else "never opened"


def _codes(named: Named | None) -> Codes:
    return frozenset(named) if named else None


def _who() -> str:
    return f"{getpass.getuser()} at the command line"
