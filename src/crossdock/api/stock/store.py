"""Statements about stock as the API shows and corrects it: one function each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple, cast

from crossdock.api.stock.model import StockLevel
from crossdock.db import Connection

LevelPlace = tuple[str, str, str, str]
"""sku, node, owner, lot."""

_SINCE = """
    AND (sku, node) IN (SELECT sku, node FROM stock_ledger WHERE recorded_at >= %(since)s)
"""


def levels(
    connection: Connection,
    nodes: Sequence[str] | None,
    sku: str | None,
    since: datetime | None,
    after: LevelPlace,
    limit: int,
) -> list[StockLevel]:
    """Levels by SKU, node, owner and lot, behind a place. `since`: those with a move since then."""
    rows = connection.execute(
        f"""
        SELECT sku, node, owner, lot, expires_on, sellable, reserved, available, damaged,
               quality_control, in_transit, safety_stock, buffer, quarantined, sellable_as_of
        FROM stock_level LEFT JOIN lot USING (sku, lot)
        WHERE (sku, node, owner, lot) > (%(sku_after)s, %(node_after)s, %(owner)s, %(lot)s)
          AND (%(nodes)s::text[] IS NULL OR node = ANY (%(nodes)s))
          AND (%(sku)s::text IS NULL OR sku = %(sku)s)
          {_SINCE if since is not None else ""}
        ORDER BY sku, node, owner, lot LIMIT %(limit)s
        """,
        {
            "sku_after": after[0],
            "node_after": after[1],
            "owner": after[2],
            "lot": after[3],
            "nodes": None if nodes is None else list(nodes),
            "sku": sku,
            "since": since,
            "limit": limit,
        },
    ).fetchall()
    names = StockLevel.__struct_fields__
    return [StockLevel(**dict(zip(names, row, strict=True))) for row in rows]


def levels_then(
    connection: Connection,
    node: str,
    sku: str | None,
    as_of: datetime,
    after: LevelPlace,
    limit: int,
) -> list[StockLevel]:
    """The levels of one node as they were, by all that is known now: less what moved since then.

    What only promised units is left out, so that an index finds the rest.
    """
    rows = connection.execute(
        """
        WITH page AS (
            SELECT sku, node, owner, lot, sellable, damaged, quality_control, in_transit
            FROM stock_level
            WHERE node = %(node)s AND (%(sku)s::text IS NULL OR sku = %(sku)s)
              AND (sku, node, owner, lot) > (%(sku_after)s, %(node_after)s, %(owner)s, %(lot)s)
            ORDER BY sku, node, owner, lot LIMIT %(limit)s
        ), since AS (
            SELECT sku, owner, lot,
                   sum(quantity * ((to_bucket IN ('free', 'reserved', 'picked'))::int
                                 - (from_bucket IN ('free', 'reserved', 'picked'))::int))
                       AS sellable,
                   sum(quantity * ((to_bucket = 'damaged')::int - (from_bucket = 'damaged')::int))
                       AS damaged,
                   sum(quantity * ((to_bucket = 'quality_control')::int
                                 - (from_bucket = 'quality_control')::int)) AS quality_control,
                   sum(quantity * ((to_bucket = 'in_transit')::int
                                 - (from_bucket = 'in_transit')::int)) AS in_transit
            FROM stock_ledger
            WHERE node = %(node)s AND occurred_at > %(as_of)s
              AND NOT (from_bucket IN ('free', 'reserved') AND to_bucket IN ('free', 'reserved'))
              AND sku IN (SELECT sku FROM page)
            GROUP BY sku, owner, lot
        )
        SELECT p.sku, p.node, p.owner, p.lot, p.sellable - coalesce(s.sellable, 0),
               p.damaged - coalesce(s.damaged, 0),
               p.quality_control - coalesce(s.quality_control, 0),
               p.in_transit - coalesce(s.in_transit, 0), t.expires_on
        FROM page p LEFT JOIN since s USING (sku, owner, lot)
        LEFT JOIN lot t ON t.sku = p.sku AND t.lot = p.lot
        ORDER BY p.sku, p.node, p.owner, p.lot
        """,
        {
            "node": node,
            "sku": sku,
            "as_of": as_of,
            "sku_after": after[0],
            "node_after": after[1],
            "owner": after[2],
            "lot": after[3],
            "limit": limit,
        },
    ).fetchall()
    return [
        StockLevel(
            sku=row[0],
            node=row[1],
            owner=row[2],
            lot=row[3],
            expires_on=row[8],
            sellable=int(row[4]),
            damaged=int(row[5]),
            quality_control=int(row[6]),
            in_transit=int(row[7]),
        )
        for row in rows
    ]


def history_begins(connection: Connection) -> datetime | None:
    """Since when the ledger has every move; None while nothing has ever moved.

    Rows are only ever appended, so that the first of each partition is its oldest, or next to it.
    """
    closed = connection.execute("SELECT until FROM stock_ledger_closing").fetchone()
    if closed is not None:
        return cast("datetime", closed[0])
    partitions = connection.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits"
        " WHERE inhparent = 'stock_ledger'::regclass"
    ).fetchall()
    first = " UNION ALL ".join(
        f"(SELECT recorded_at FROM {partition} LIMIT 1)" for (partition,) in partitions
    )
    row = connection.execute(f"SELECT min(recorded_at) FROM ({first}) AS first").fetchone()
    assert row is not None, "an aggregate has a row"
    return cast("datetime | None", row[0])


def known_nodes(connection: Connection, codes: Collection[str]) -> set[str]:
    """Those of the codes that are nodes."""
    rows = connection.execute(
        "SELECT code FROM node WHERE code = ANY (%s::text[])", (sorted(codes),), prepare=True
    ).fetchall()
    return {code for (code,) in rows}


def known_skus(connection: Connection, skus: Collection[str]) -> set[str]:
    """Those of the SKUs that are products."""
    rows = connection.execute(
        "SELECT sku FROM product WHERE sku = ANY (%s::text[])", (sorted(skus),), prepare=True
    ).fetchall()
    return {sku for (sku,) in rows}


class StoredCorrection(NamedTuple):
    """A decided correction as it is kept."""

    id: str
    decided_at: datetime
    expected: int
    quantity: int
    actual: int
    applied: bool
    sku: str
    node: str
    bucket: str
    reason: str
    actor: str
    lot: str


_CORRECTION = ", ".join(StoredCorrection._fields)


def save_corrections(connection: Connection, corrections: Sequence[StoredCorrection]) -> None:
    """Keep what was decided, refused ones included."""
    columns = [list(column) for column in zip(*corrections, strict=True)]
    connection.execute(
        f"""
        INSERT INTO stock_correction ({_CORRECTION})
        SELECT * FROM unnest(%s::uuid[], %s::timestamptz[], %s::int[], %s::int[], %s::int[],
                             %s::bool[], %s::text[], %s::text[], %s::text[], %s::text[],
                             %s::text[], %s::text[])
        """,
        columns,
        prepare=True,
    )


def corrections(connection: Connection, ids: Sequence[str]) -> dict[str, StoredCorrection]:
    """What was decided under these ids."""
    rows = connection.execute(
        f"SELECT {_CORRECTION} FROM stock_correction WHERE id = ANY (%s::uuid[])",
        (list(ids),),
        prepare=True,
    ).fetchall()
    return {row[0]: StoredCorrection(*row) for row in rows}
