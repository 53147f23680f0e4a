"""Statements that make a long history out of a few closed orders, set by set."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from crossdock import db
from crossdock.allocation import store as allocation_store
from crossdock.engine import upkeep
from crossdock.engine.transaction import Transaction
from crossdock.inventory.store import ensure_ledger_partitions


class Pattern(NamedTuple):
    """A table of closed orders, and how its rows are made anew for an earlier time."""

    table: str
    columns: str
    earlier: str
    """The columns' expressions; %(ms)s and `n` say how much earlier."""


class Column(NamedTuple):
    """A column as the catalog knows it; `alone` when it has to tell rows apart by its text."""

    name: str
    type: str
    alone: bool


def tables_with_rows(connection: db.Connection) -> set[str]:
    """Tables that hold rows, partitioned ones as a whole."""
    names = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = 'public'"
    ).fetchall()
    found = set()
    for (name,) in names:
        row = connection.execute(f"SELECT EXISTS (SELECT FROM {name})").fetchone()
        if row is not None and row[0]:
            found.add(name)
    connection.commit()
    return found


def make_patterns(connection: db.Connection, tables: Iterable[str]) -> list[Pattern]:
    """Set the rows of those tables aside, and empty them."""
    names = sorted(tables)
    patterns = []
    for table in names:
        connection.execute(f"CREATE UNLOGGED TABLE pattern_{table} AS TABLE {table}")
        connection.execute(f"ANALYZE pattern_{table}")
        found = _columns(connection, table)
        patterns.append(
            Pattern(
                table,
                ", ".join(column.name for column in found),
                ", ".join(_earlier(table, column) for column in found),
            )
        )
    connection.execute(f"TRUNCATE {', '.join(names)}")
    connection.commit()
    return patterns


def _columns(connection: db.Connection, table: str) -> list[Column]:
    """The last text column of each unique key without an id or a time is `alone`."""
    rows = connection.execute(
        """
        WITH part AS (
            SELECT i.indexrelid, a.attname, a.attnum, t.typname
            FROM pg_index i
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
            JOIN pg_type t ON t.oid = a.atttypid
            WHERE i.indrelid = %(table)s::regclass AND i.indisunique
        ), alone AS (
            SELECT (array_agg(attname ORDER BY attnum DESC)
                    FILTER (WHERE typname = 'text'))[1] AS attname
            FROM part GROUP BY indexrelid
            HAVING NOT bool_or(typname IN ('uuid', 'timestamptz', 'bytea'))
        )
        SELECT a.attname, t.typname, a.attname IN (SELECT attname FROM alone)
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attgenerated = '' AND a.attidentity = ''
        ORDER BY a.attnum
        """,
        {"table": table},
    ).fetchall()
    return [Column(*row) for row in rows]


def _earlier(table: str, column: Column) -> str:
    """Ids carry their time in front, so they are made earlier as times are."""
    name, kind, alone = column
    if (table, name) == ("event_log", "number"):
        return f"{name} + (%(copies)s - n) * %(stride)s"
    if kind == "uuid":
        head = f"('x' || left(replace({name}::text, '-', ''), 12))::bit(48)::bigint - n * %(ms)s"
        return f"(lpad(to_hex({head}), 12, '0') || right(replace({name}::text, '-', ''), 20))::uuid"
    if kind == "timestamptz":
        return f"{name} - n * %(ms)s * interval '1 millisecond'"
    if kind == "bytea" and name == "hash":
        return f"decode(md5({name} || n::text::bytea), 'hex')"
    return f"{name} || '-' || n" if alone else name


def longest_log(connection: db.Connection) -> int:
    """The highest number in the log of any shard."""
    row = connection.execute("SELECT max(last_entry) FROM shard").fetchone()
    connection.commit()
    assert row is not None
    return int(row[0])


def repeat(
    connection: db.Connection,
    pattern: Pattern,
    numbers: range,
    copies: int,
    step: timedelta,
    stride: int,
) -> int:
    """The pattern's rows again for each n of `numbers`, n steps earlier; returns how many.

    Log numbers rise with time: each copy has `stride` of them to itself.
    """
    return connection.execute(
        f"INSERT INTO {pattern.table} ({pattern.columns}) SELECT {pattern.earlier}"
        " FROM generate_series(%(first)s::bigint, %(last)s) AS n,"
        f" pattern_{pattern.table}".encode(),
        {
            "first": numbers[0],
            "last": numbers[-1],
            "copies": copies,
            "stride": stride,
            "ms": int(step / timedelta(milliseconds=1)),
        },
    ).rowcount


def go_on_behind(connection: db.Connection, last_entry: int) -> None:
    """Let the shards number their log from there."""
    connection.execute("UPDATE shard SET last_entry = %s WHERE zone IS NULL", (last_entry,))
    connection.commit()


def forget_old_hashes(connection: db.Connection, now: datetime, ages: upkeep.Ages) -> None:
    """What the regular upkeep would have forgotten of the messages received."""
    connection.execute(
        "DELETE FROM dedupe WHERE recorded_at < %s", (now - timedelta(days=ages.hash_days),)
    )
    connection.execute(
        "UPDATE dedupe SET body = NULL WHERE recorded_at < %s AND body IS NOT NULL",
        (now - timedelta(days=ages.body_days),),
    )
    connection.commit()


def make_partitions(connection: db.Connection, first: datetime, last: datetime) -> None:
    """Monthly partitions of all that is kept by time."""
    months = (last - first).days // 28 + 1
    upkeep.make_partitions(connection, "event_log", first, months)
    ensure_ledger_partitions(Transaction(connection, last), first, last)
    allocation_store.ensure_partitions(connection, first, last)
    connection.commit()


def settle_down(connection: db.Connection) -> None:
    """Vacuum and analyze everything, as autovacuum had a year to do."""
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM (ANALYZE)")
    connection.execute("CHECKPOINT")
    connection.autocommit = False


def size_bytes(connection: db.Connection) -> int:
    row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    connection.commit()
    assert row is not None
    return int(row[0])
