"""Writing master data: records loaded, levels in line with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crossdock.api.access.caller import Caller
from crossdock.api.services import Backend
from crossdock.catalog.loading import NODES, Kind, Loaded, Row, load
from crossdock.catalog.model import Record, defaults_of
from crossdock.db import Connection
from crossdock.engine.transaction import Transaction
from crossdock.inventory.upkeep import align_levels


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
    connection: Connection, backend: Backend, caller: Caller, kind: Kind, record: Record
) -> Loaded:
    """Put one whole record in place of what is there; the caller commits."""
    content = {**defaults_of(kind.record), **msgspec.to_builtins(record)}
    return load_rows(connection, backend, kind, [content], caller.name, whole=True)
