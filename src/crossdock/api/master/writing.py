"""Writing master data for a request: one transaction, taken once, levels in line with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crossdock.api.access.caller import Caller
from crossdock.api.idempotency import identity, was_done_before
from crossdock.api.services import Backend
from crossdock.catalog.loading import NODES, Kind, Loaded, Row, load
from crossdock.catalog.model import Record
from crossdock.db import Connection
from crossdock.engine.inbox import content_of, take_once
from crossdock.engine.transaction import Transaction
from crossdock.inventory.upkeep import align_levels


def write_records(
    backend: Backend,
    caller: Caller,
    kind: Kind,
    contents: Sequence[Mapping[str, Any]],
    key: str | None,
) -> tuple[Loaded, bool]:
    """Load records for a request, and tell whether that was done before.

    Of what was done before nothing is written again; what was refused then is told again.
    """
    with backend.writing() as connection:
        before = _was_done(connection, backend, caller, kind, list(contents), key)
        loaded = load_rows(connection, backend, kind, contents, caller.name)
        if before:
            connection.rollback()
        else:
            connection.commit()
    return loaded, before


def load_rows(
    connection: Connection,
    backend: Backend,
    kind: Kind,
    contents: Sequence[Mapping[str, Any]],
    system: str,
    *,
    whole: bool = False,
) -> Loaded:
    """Load records and bring stock levels in line with changed nodes; the caller commits."""
    rows = [Row(number, content) for number, content in enumerate(contents)]
    loaded = load(connection, kind, rows, system, whole=whole)
    if kind is NODES and loaded.changed:
        tx = Transaction(connection, backend.clock.now())
        align_levels(tx, loaded.changed)
        tx.flush_books()
    return loaded


def put_record(
    connection: Connection,
    backend: Backend,
    caller: Caller,
    kind: Kind,
    record: Record,
    key: str | None,
) -> tuple[Loaded, bool]:
    """Put one whole record in place of what is there; the caller commits, also a repetition."""
    content = {**_defaults(kind.record), **msgspec.to_builtins(record)}
    before = _was_done(connection, backend, caller, kind, content, key)
    if before:
        return Loaded((), ()), True
    return load_rows(connection, backend, kind, [content], caller.name, whole=True), False


def _defaults(record: type[Record]) -> dict[str, Any]:
    """Fields that a record leaves out because they have their defaults."""
    return {
        field.name: msgspec.to_builtins(
            field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        )
        for field in msgspec.structs.fields(record)
        if not field.required
    }


def _was_done(
    connection: Connection,
    backend: Backend,
    caller: Caller,
    kind: Kind,
    content: object,
    key: str | None,
) -> bool:
    return was_done(connection, backend, caller, f"{kind.name} records", content, key)


def was_done(
    connection: Connection,
    backend: Backend,
    caller: Caller,
    operation: str,
    content: object,
    key: str | None,
) -> bool:
    """Note a write under its Idempotency-Key; whether it was done before. Raises 409."""
    if key is None:
        return False
    name = identity(caller, operation, key, "")
    try:
        named = content_of(*name, operation, {"body": content})
    except OverflowError:  # A number that no field takes: no field can be named either.
        named = content_of(*name, operation, {"body": repr(content)})
    return was_done_before(take_once(connection, [named], backend.clock.now())[0])
