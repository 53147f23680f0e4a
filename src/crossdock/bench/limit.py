"""The limit a pipeline is compared with: the very same rows by COPY, with no logic at all."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence

from crossdock import db
from crossdock.bench import store

SAMPLE = 5_000
KEPT = frozenset(
    {
        "schema_migration",
        "shard",
        "required_version",
        "master_data_version",
        "stock_level",
        "stock_total",
        "stock_balance",
        "node_capacity",
        "sourcing_policy",
        "active_sourcing_policy",
        "planning_facts",
    }
)
"""Tables whose rows were updated or that hold no orders' rows: COPY writes none of them."""


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


class Passing:
    """Some rows of tables that keep only what is open, caught while they are there."""

    NUMBERED = ("inbox", "outbox")
    NAMED = ("timer", "reservation")
    PAUSE_SECONDS = 0.25
    """Between two looks at numbered rows: whoever looks takes time from those who work."""
    MOST = 200
    """Of the others, so many at each look."""

    def __init__(self, connection: db.Connection) -> None:
        self.connection = connection
        self.rows: dict[str, list[bytes]] = {t: [] for t in (*self.NUMBERED, *self.NAMED)}
        self._last = dict.fromkeys(self.NUMBERED, 0)
        self._looked_at = 0.0

    def catch_numbered(self) -> None:
        """The messages and effects that are there now and were not seen before, now and then."""
        now = time.perf_counter()
        seen_some = all(self.rows[table] for table in self.NUMBERED)
        if seen_some and now - self._looked_at < self.PAUSE_SECONDS:
            return
        self._looked_at = now
        for table in self.NUMBERED:
            found, self._last[table] = store.rows_numbered_above(
                self.connection, table, self._last[table]
            )
            self.rows[table] += found

    def catch_named(self) -> None:
        for table in self.NAMED:
            self.rows[table] += store.sample_some(self.connection, table, self.MOST)

    def as_inserted(
        self, written: Mapping[str, store.Written]
    ) -> tuple[dict[str, list[bytes]], dict[str, str]]:
        """As many rows of each table as were ever inserted, each under a name of its own.

        The second of the pair are the columns of tables that number their rows themselves.
        """
        rows = {}
        for table, caught in self.rows.items():
            again = _repeat(table, caught, written[table].inserted)
            if table in self.NUMBERED:
                rows[table] = [row.split(b"\t", 1)[1] for row in again]
            else:
                rows[table] = [b"%032x" % n + row[36:] for n, row in enumerate(again, start=1)]
        named = {t: store.columns_but(self.connection, t, "number") for t in self.NUMBERED}
        return rows, named


def dump_versions(
    connection: db.Connection,
    written: Mapping[str, store.Written],
    passing: Passing | None = None,
) -> dict[str, list[bytes]]:
    """As many rows as were updated, for a twin of each table without any index.

    An update writes its row once more, and most touch no index.
    """
    found = {}
    caught = {} if passing is None else passing.rows
    for table, one in sorted(written.items()):
        if one.updated:
            rows = caught.get(table) or store.sample_some(connection, table, SAMPLE)
            found[store.make_twin(connection, table)] = _repeat(table, rows, one.updated)
    return found


def _repeat(table: str, rows: Sequence[bytes], count: int) -> list[bytes]:
    assert rows or not count, f"no row of {table} was ever seen"
    return list(itertools.islice(itertools.cycle(rows), count)) if count else []


def copy_again(
    connection: db.Connection,
    rows: Mapping[str, Sequence[bytes]],
    batches: int,
    columns: Mapping[str, str] | None = None,
) -> float:
    """Write those rows into their emptied tables, in so many commits; returns the seconds.

    Same tables, indexes, constraints and durability, one connection, COPY. The lines are joined
    before the clock starts. `columns` are those of tables of whose rows some are left out.
    """
    named = columns or {}
    columns = {table: named.get(table) or store.columns_of(connection, table) for table in rows}
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
