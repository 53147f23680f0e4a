"""Statements about stock as the API shows and corrects it: one function each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

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
        SELECT sku, node, owner, lot, sellable, reserved, available, damaged, quality_control,
               in_transit, safety_stock, buffer, quarantined, sellable_as_of
        FROM stock_level
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


_CORRECTION = ", ".join(StoredCorrection._fields)


def save_corrections(connection: Connection, corrections: Sequence[StoredCorrection]) -> None:
    """Keep what was decided, refused ones included."""
    columns = [list(column) for column in zip(*corrections, strict=True)]
    connection.execute(
        f"""
        INSERT INTO stock_correction ({_CORRECTION})
        SELECT * FROM unnest(%s::uuid[], %s::timestamptz[], %s::int[], %s::int[], %s::int[],
                             %s::bool[], %s::text[], %s::text[], %s::text[], %s::text[],
                             %s::text[])
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
