"""The limit a pipeline is compared with: the very same rows by COPY, with no logic at all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from crossdock import db
from crossdock.bench import store

KEPT = frozenset({"schema_migration", "shard", "stock_level", "stock_total", "stock_balance"})
"""Tables whose rows were updated, or were there before: COPY writes none of them."""


def dump_rows(connection: db.Connection, before: Mapping[str, int]) -> dict[str, list[bytes]]:
    """The rows that a run added, table by table, as lines of COPY's text format.

    `before` is the number of rows of each table at its start; tables that were not empty then
    must not have been deleted from.
    """
    found = {}
    for table in store.tables(connection):
        if table in KEPT or store.row_count(connection, table) == before.get(table, 0):
            continue
        found[table] = store.dump(connection, table)[before.get(table, 0) :]
    connection.commit()
    return found


def copy_again(
    connection: db.Connection, rows: Mapping[str, Sequence[bytes]], batches: int
) -> float:
    """Write those rows into their emptied tables, in so many commits; returns the seconds.

    Same tables, indexes, constraints and durability, one connection, COPY. The lines are joined
    before the clock starts.
    """
    columns = {table: store.columns_of(connection, table) for table in rows}
    store.truncate(connection, list(rows))
    store.checkpoint(connection)
    blocks = [
        {
            table: b"".join(lines[len(lines) * i // batches : len(lines) * (i + 1) // batches])
            for table, lines in rows.items()
        }
        for i in range(batches)
    ]
    started = time.perf_counter()
    for block in blocks:
        for table, text in block.items():
            if text:
                store.append(connection, table, columns[table], text)
        connection.commit()
    return time.perf_counter() - started
