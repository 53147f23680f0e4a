"""Statements of test mode: its schema, what it copies, and what its people see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg import sql

from crossdock.db import Connection
from crossdock.model.fulfillment import FulfillmentLine

MASTER_TABLES = (
    "legal_entity",
    "brand",
    "region",
    "allocation_zone",
    "node",
    "node_opening",
    "node_special_day",
    "node_cut_off",
    "node_group",
    "node_hierarchy",
    "scope_switch",
    "product",
    "kit_component",
    "product_pack",
    "product_node",
    "channel",
    "listing",
    "sourcing_policy",
    "active_sourcing_policy",
)
"""What test mode has from the live schema; what refers to another one comes after it."""

KEPT_FOR_GOOD = frozenset({"sourcing_policy"})
"""Versions that never change and never go: new ones are added."""

Attributes = dict[str, str]

_NOT_THERE = frozenset({"42P01", "42883", "42704", "3F000"})


def current_schema(connection: Connection) -> str:
    """The schema that a connection works on."""
    row = connection.execute("SELECT current_schema()").fetchone()
    assert row is not None and row[0], "the search path names a schema that exists"
    return str(row[0])


def is_made(connection: Connection, schema: str) -> bool:
    """Whether the schema is there, with the tables that channels need."""
    row = connection.execute(
        "SELECT to_regclass(%s || '.channel') IS NOT NULL"
        " AND to_regclass(%s || '.checkout') IS NOT NULL",
        (schema, schema),
    ).fetchone()
    return bool(row and row[0])


def is_gone(error: BaseException) -> bool:
    """Whether a statement found no table, function, type or schema of the name it uses."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _NOT_THERE


def create_schema(connection: Connection, schema: str) -> None:
    """Make the schema unless it is there."""
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))


def live_versions(connection: Connection, live: str) -> list[tuple[str, int]]:
    """Versions of the live master data and policies."""
    rows = connection.execute(
        sql.SQL(
            "SELECT kind, version FROM {0}.master_data_version"
            " UNION ALL SELECT 'policy ' || brand || '/' || channel || ' ' || version, 0"
            " FROM {0}.active_sourcing_policy ORDER BY 1"
        ).format(sql.Identifier(live))
    ).fetchall()
    return [(row[0], row[1]) for row in rows]


def copy_master_data(connection: Connection, live: str) -> None:
    """Make the tables of MASTER_TABLES equal to those of the live schema, row by row."""
    for table in reversed([t for t in MASTER_TABLES if t not in KEPT_FOR_GOOD]):
        key, _ = _columns(connection, table)
        same = sql.SQL(" AND ").join(
            sql.SQL("l.{0} = t.{0}").format(sql.Identifier(name)) for name in key
        )
        connection.execute(
            sql.SQL(
                "DELETE FROM {table} t WHERE NOT EXISTS (SELECT 1 FROM {live} l WHERE {same})"
            ).format(table=sql.Identifier(table), live=sql.Identifier(live, table), same=same)
        )
    for table in MASTER_TABLES:
        key, others = _columns(connection, table)
        connection.execute(_upsert(table, live, key, others))


def _columns(connection: Connection, table: str) -> tuple[list[str], list[str]]:
    """The columns of a table's primary key, and its other ones that can be written."""
    rows = connection.execute(
        """
        SELECT a.attname, coalesce(a.attnum = ANY (i.indkey), false)
        FROM pg_attribute a
        LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
        WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attgenerated = ''
        ORDER BY a.attnum
        """,
        (table,),
    ).fetchall()
    return [name for name, is_key in rows if is_key], [name for name, key in rows if not key]


def _upsert(table: str, live: str, key: list[str], others: list[str]) -> sql.Composed:
    def names(columns: list[str], prefix: str = "") -> sql.Composed:
        dotted = [sql.SQL(prefix) + sql.Identifier(name) for name in columns]
        return sql.SQL(", ").join(dotted)

    action: sql.Composable = sql.SQL("NOTHING")
    if others and table not in KEPT_FOR_GOOD:
        action = sql.SQL(
            "UPDATE SET ({0}) = ROW({1}) WHERE ROW({2}) IS DISTINCT FROM ROW({1})"
        ).format(names(others), names(others, "excluded."), names(others, "t."))
    return sql.SQL(
        "INSERT INTO {0} AS t ({1}) SELECT {1} FROM {2} ON CONFLICT ({3}) DO {4}"
    ).format(
        sql.Identifier(table),
        names([*key, *others]),
        sql.Identifier(live, table),
        names(key),
        action,
    )


def zones(connection: Connection) -> list[str]:
    """All allocation zones."""
    return [row[0] for row in connection.execute("SELECT code FROM allocation_zone").fetchall()]


def unstocked(connection: Connection, most_levels: int) -> Iterator[tuple[str, str]]:
    """(SKU, node) that should have made-up stock and have none.

    At all nodes where that is few enough; else at as many nodes as may be, distribution centers
    first.
    """
    rows = connection.execute(
        """
        WITH sold AS (SELECT sku FROM product WHERE kind <> 'kit'),
        chosen AS (
            SELECT code FROM node WHERE enabled ORDER BY kind <> 'dc', code
            LIMIT greatest(3, %s / greatest(1, (SELECT count(*) FROM sold))))
        SELECT sold.sku, chosen.code FROM sold CROSS JOIN chosen
        WHERE NOT EXISTS (SELECT 1 FROM stock_level l
                          WHERE l.sku = sold.sku AND l.node = chosen.code
                            AND l.owner = '' AND l.lot = '')
        ORDER BY sold.sku, chosen.code
        """,
        (most_levels,),
    ).fetchall()
    yield from ((row[0], row[1]) for row in rows)


def attributes_of(connection: Connection, order_ids: Sequence[str]) -> dict[str, Attributes]:
    """The attributes of orders by id."""
    rows = connection.execute(
        "SELECT id, coalesce(attributes, '{}') FROM sales_order WHERE id = ANY (%s::uuid[])",
        (list(order_ids),),
    ).fetchall()
    return {row[0]: row[1] for row in rows}


class OpenWork(NamedTuple):
    """A FulfillmentOrder that is not closed; `is_first` when it replaces no other."""

    id: str
    order_id: str
    node: str
    service: str
    acknowledgement: str
    is_first: bool
    attributes: Attributes
    lines: list[FulfillmentLine]
    recalls: dict[str, dict[int, int]]
    """Units by line of each recall that is not answered."""


def open_work(connection: Connection, limit: int = 1000) -> list[OpenWork]:
    """The oldest open work of all nodes."""
    rows = connection.execute(
        """
        SELECT f.id, f.order_id, f.node, g.service, f.acknowledgement, f.replaces IS NULL,
               coalesce(o.attributes, '{}'), l.lines, coalesce(r.recalls, '[]')
        FROM fulfillment_order f
        JOIN sales_order o ON o.id = f.order_id
        JOIN delivery_group g ON g.order_id = f.order_id AND g.number = f.group_number
        CROSS JOIN LATERAL (
            SELECT json_agg(json_build_object(
                       'line', line_number, 'quantity', quantity, 'picked', picked,
                       'short', short, 'packed', packed, 'shipped', shipped,
                       'given_back', given_back) ORDER BY line_number) AS lines
            FROM fulfillment_line WHERE order_id = f.order_id AND fulfillment_id = f.id) AS l
        CROSS JOIN LATERAL (
            SELECT json_agg(json_build_array(request_id, line_number, quantity)) AS recalls
            FROM recall WHERE order_id = f.order_id AND fulfillment_id = f.id
              AND answered_at IS NULL) AS r
        WHERE f.closed_at IS NULL AND f.work NOT IN ('shipped', 'delivered')
          AND coalesce(o.attributes ->> 'test.node', '') <> 'manual'
        ORDER BY f.opened_at LIMIT %s
        """,
        (limit,),
    ).fetchall()
    return [_work(row) for row in rows]


def _work(row: tuple[Any, ...]) -> OpenWork:
    lines = msgspec.convert(row[7], list[FulfillmentLine])
    recalls: dict[str, dict[int, int]] = {}
    for request_id, line, quantity in row[8]:
        recalls.setdefault(request_id, {})[line] = quantity
    return OpenWork(row[0], row[1], row[2], row[3], row[4], row[5], row[6], lines, recalls)


class OpenParcel(NamedTuple):
    """A package on its way; `is_first` when it is the first that left for its order."""

    order_id: str
    fulfillment_id: str
    reference: str
    tracking: str
    is_first: bool
    attributes: Attributes


def open_parcels(connection: Connection, limit: int = 1000) -> list[OpenParcel]:
    """The oldest packages that have not arrived; only of work that is not closed."""
    rows = connection.execute(
        """
        SELECT s.order_id, s.fulfillment_id, s.reference, p.tracking,
               NOT EXISTS (SELECT 1 FROM shipment e WHERE e.order_id = s.order_id
                             AND (e.shipped_at, e.id) < (s.shipped_at, s.id)),
               coalesce(o.attributes, '{}')
        FROM fulfillment_order f
        JOIN shipment s ON s.order_id = f.order_id AND s.fulfillment_id = f.id
        JOIN package p ON p.order_id = s.order_id AND p.shipment_id = s.id
        JOIN sales_order o ON o.id = s.order_id
        WHERE f.closed_at IS NULL AND p.delivered_at IS NULL AND p.lost_at IS NULL
          AND p.stopped_at IS NULL AND coalesce(o.attributes ->> 'test.carrier', '') <> 'never'
        ORDER BY s.shipped_at LIMIT %s
        """,
        (limit,),
    ).fetchall()
    return [OpenParcel(*row) for row in rows]
