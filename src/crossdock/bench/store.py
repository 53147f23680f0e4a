"""Statements of the benchmarks: what was written, and the same rows written by COPY alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.abc import Buffer

from crossdock import db

ROWS = "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del, n_tup_hot_upd, n_dead_tup"


class Written(NamedTuple):
    """Rows a table has seen since the database was made."""

    inserted: int
    updated: int
    deleted: int
    hot_updated: int
    dead: int


def written(connection: db.Connection) -> dict[str, Written]:
    """Per table, as the statistics of the server tell; they lag by a moment."""
    count_at_once(connection)
    connection.execute("SELECT pg_stat_clear_snapshot()")
    rows = connection.execute(f"{ROWS} FROM pg_stat_user_tables").fetchall()
    connection.commit()
    return {row[0]: Written(*row[1:]) for row in rows}


def count_at_once(connection: db.Connection) -> None:
    """What this connection has written is in the statistics now, and not within a second."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    connection.commit()


def written_since(
    after: Mapping[str, Written], before: Mapping[str, Written]
) -> dict[str, Written]:
    """Per table, what was written between two looks; dead rows are those at the later one."""
    nothing = Written(0, 0, 0, 0, 0)
    found = {}
    for table, now in after.items():
        then = before.get(table, nothing)
        found[table] = Written(
            now.inserted - then.inserted,
            now.updated - then.updated,
            now.deleted - then.deleted,
            now.hot_updated - then.hot_updated,
            now.dead,
        )
    return found


def log_position(connection: db.Connection) -> int:
    """Bytes of WAL written so far."""
    row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone()
    connection.commit()
    assert row is not None
    return int(row[0])


def tables(connection: db.Connection) -> list[str]:
    """All ordinary tables with rows of their own, partitions included."""
    rows = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND n.nspname = 'public' ORDER BY c.relname"
    ).fetchall()
    return [name for (name,) in rows]


def row_count(connection: db.Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def columns_of(connection: db.Connection, table: str) -> str:
    """The columns that may be written, in order."""
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        (table,),
    ).fetchall()
    return ", ".join(name for (name,) in rows)


def dump(connection: db.Connection, table: str) -> list[bytes]:
    """Every row of a table as a line of COPY's text format."""
    statement = f"COPY {table} ({columns_of(connection, table)}) TO STDOUT"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        return list(lines(copy))


def lines(blocks: Iterable[Buffer]) -> Iterator[bytes]:
    """Whole lines out of blocks that may end anywhere."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + bytes(block)).split(b"\n")
        for line in whole:
            yield line + b"\n"


def truncate(connection: db.Connection, names: Sequence[str]) -> None:
    connection.execute(f"TRUNCATE {', '.join(names)}")
    connection.commit()


def append(connection: db.Connection, table: str, columns: str, block: bytes) -> None:
    """COPY ready-made lines into a table."""
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        copy.write(block)


def skus(connection: db.Connection) -> list[str]:
    """All SKUs, sorted."""
    rows = connection.execute("SELECT sku FROM product ORDER BY sku").fetchall()
    connection.commit()
    return [sku for (sku,) in rows]


def a_channel(connection: db.Connection) -> str:
    """The first channel's code."""
    row = connection.execute("SELECT min(code) FROM channel").fetchone()
    connection.commit()
    assert row is not None
    return str(row[0])


def read_all_levels(connection: db.Connection) -> None:
    """Bring the pages of stock into PostgreSQL's memory, where those of a working day are."""
    # A scan of a whole table passes its pages through a small ring; one by its index keeps them.
    connection.execute("SET LOCAL enable_seqscan = off")
    connection.execute("SET LOCAL enable_bitmapscan = off")
    connection.execute("SET LOCAL enable_indexonlyscan = off")
    connection.execute("SET LOCAL max_parallel_workers_per_gather = 0")
    connection.execute("SELECT sum(sellable) FROM stock_level WHERE sku >= ''")
    connection.commit()


def checkpoint(connection: db.Connection) -> None:
    """Start each measurement from a clean page cache of the server."""
    connection.commit()
    connection.autocommit = True
    connection.execute("CHECKPOINT")
    connection.autocommit = False


def released_orders(connection: db.Connection) -> int:
    """Orders with work open at some node."""
    row = connection.execute("SELECT count(DISTINCT order_id) FROM fulfillment_order").fetchone()
    connection.commit()
    assert row is not None
    return int(row[0])


def make_network(connection: db.Connection, stores: int, dcs: int, skus: int, zones: int) -> None:
    """Stores S0000.. over zones, DCs in the first one, products SKU-000000.., a web channel."""
    connection.execute(
        "INSERT INTO allocation_zone (code, name) SELECT 'zone-' || z, 'zone ' || z"
        " FROM generate_series(0, %s) AS z",
        (zones - 1,),
    )
    connection.execute(
        "INSERT INTO node (code, kind, name, allocation_zone, country, time_zone, methods)"
        " SELECT 'S' || lpad(n::text, 4, '0'), 'store', 'store ' || n, 'zone-' || n %% %s, 'US',"
        " 'UTC', CASE WHEN n %% 5 = 0 THEN '{pickup}'::text[] ELSE '{ship,pickup}' END"
        " FROM generate_series(0, %s) AS n",
        (zones, stores - 1),
    )
    connection.execute(
        "INSERT INTO node (code, kind, name, allocation_zone, country, time_zone)"
        " SELECT 'DC' || n, 'dc', 'dc ' || n, 'zone-0', 'US', 'UTC'"
        " FROM generate_series(0, %s) AS n",
        (dcs - 1,),
    )
    connection.execute(
        "INSERT INTO product (sku, name) SELECT 'SKU-' || lpad(n::text, 6, '0'), 'product ' || n"
        " FROM generate_series(0, %s) AS n",
        (skus - 1,),
    )
    connection.execute(
        "INSERT INTO channel (code, name, methods, threshold) VALUES ('web', 'web', '{ship}', 2)"
    )
    connection.commit()


def stocked(connection: db.Connection) -> list[str]:
    """Nodes that may hold stock."""
    rows = connection.execute("SELECT code FROM node ORDER BY code").fetchall()
    return [node for (node,) in rows]


def skus_at(connection: db.Connection, node: str) -> list[str]:
    rows = connection.execute(
        "SELECT sku FROM stock_level WHERE node = %s ORDER BY sku", (node,)
    ).fetchall()
    return [sku for (sku,) in rows]


def bare_totals(connection: db.Connection, skus: Sequence[str]) -> list[tuple[object, ...]]:
    """The totals of SKUs with nothing taken off and nobody asked."""
    return connection.execute(
        "SELECT sku, sum(available) FROM stock_total WHERE sku = ANY (%s) GROUP BY sku",
        (list(skus),),
        prepare=True,
    ).fetchall()


def analyze(connection: db.Connection) -> None:
    """Let the planner know the tables, as autovacuum would a little later."""
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM (ANALYZE) stock_level, stock_total, stock_ledger, reservation")
    connection.autocommit = False


def is_anything_due(connection: db.Connection, now: datetime) -> bool:
    """Whether a message, a timer or an effect waits that could be worked on."""
    row = connection.execute(
        """
        SELECT EXISTS (SELECT FROM inbox)
            OR EXISTS (SELECT FROM outbox WHERE available_at <= %s)
            OR EXISTS (SELECT FROM shard s WHERE EXISTS
                       (SELECT FROM timer WHERE shard = s.number AND due <= %s))
        """,
        (now, now),
        prepare=True,
    ).fetchone()
    connection.rollback()
    assert row is not None
    return bool(row[0])


def columns_but(connection: db.Connection, table: str, left_out: str) -> str:
    """The columns that may be written, without one that the table numbers by itself."""
    names = columns_of(connection, table).split(", ")
    return ", ".join(name for name in names if name != left_out)


def rows_numbered_above(
    connection: db.Connection, table: str, after: int
) -> tuple[list[bytes], int]:
    """A table's rows numbered above `after` as lines of COPY, and the last number.

    Numbers come first in a line.
    """
    statement = f"COPY (SELECT * FROM {table} WHERE number > {after:d} ORDER BY number) TO STDOUT"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        found = list(lines(copy))
    connection.rollback()
    return found, int(found[-1].partition(b"\t")[0]) if found else after


def make_twin(connection: db.Connection, table: str) -> str:
    """An empty table of the same columns and checks, without any index."""
    twin = f"twin_of_{table}"
    connection.execute(
        f"CREATE TABLE {twin} (LIKE {table} INCLUDING CONSTRAINTS INCLUDING GENERATED)"
    )
    connection.commit()
    return twin


def sample_some(connection: db.Connection, table: str, most: int) -> list[bytes]:
    """Some of a table's rows as lines of COPY."""
    statement = (
        f"COPY (SELECT {columns_of(connection, table)} FROM {table} LIMIT {most:d}) TO STDOUT"
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        found = list(lines(copy))
    connection.rollback()
    return found


def look_at_everything(connection: db.Connection) -> None:
    """Begin a transaction that goes on seeing the database as it is now."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.execute("SELECT count(*) FROM shard")


def anything_open(connection: db.Connection) -> bool:
    """Whether a message waits, or is in some worker's batch that is not committed yet."""
    row = connection.execute("SELECT EXISTS (SELECT FROM inbox)").fetchone()
    connection.commit()
    assert row is not None
    return bool(row[0])
