"""Statements about lots: one function each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import NamedTuple

from crossdock.db import Connection
from crossdock.engine.transaction import Transaction

LotKey = tuple[str, str]
"""SKU, lot."""


def dates(tx: Transaction, lots: Collection[LotKey]) -> dict[LotKey, tuple[date, datetime]]:
    """The last day of life of those lots of which one was told, and as of when."""
    rows = tx.fetch(
        "SELECT t.sku, t.lot, t.expires_on, t.as_of"
        " FROM unnest(%s::text[], %s::text[]) AS k (sku, lot) JOIN lot t USING (sku, lot)",
        _columns(lots),
    )
    return {(sku, lot): (expires_on, as_of) for sku, lot, expires_on, as_of in rows}


def put_dates(
    tx: Transaction, rows: Sequence[tuple[str, str, date, datetime, str]]
) -> list[LotKey]:
    """Keep (SKU, lot, last day of life, as of, source); returns what `settle` has to look at."""
    found = tx.fetch(
        """
        INSERT INTO lot AS t (sku, lot, expires_on, as_of, source, is_over)
        SELECT n.*, false FROM unnest(%s::text[], %s::text[], %s::date[], %s::timestamptz[],
                                      %s::text[]) AS n
        ON CONFLICT (sku, lot) DO UPDATE
        SET expires_on = excluded.expires_on, as_of = excluded.as_of, source = excluded.source
        WHERE excluded.as_of >= t.as_of
        RETURNING t.sku, t.lot
        """,
        [list(column) for column in zip(*sorted(rows), strict=True)],
    )
    return [(sku, lot) for sku, lot in found]


def settle(tx: Transaction, today: date, lots: Collection[LotKey] | None) -> list[LotKey]:
    """Write which of these lots (None: of all) are over as of a day; returns those that changed.

    A lot is over when even who had it today would not get the life that the product owes.
    """
    of_these = "unnest(%s::text[], %s::text[]) AS k (sku, lot) JOIN lot t USING (sku, lot)"
    rows = tx.fetch(
        f"""
        WITH due AS MATERIALIZED (
            SELECT t.sku, t.lot
            FROM {"lot t" if lots is None else of_these}
            LEFT JOIN product p ON p.sku = t.sku AND p.tracks_lots
            WHERE t.is_over <> (t.expires_on - %s::date < coalesce(p.minimum_remaining_days, 0))
            ORDER BY t.sku, t.lot
            FOR NO KEY UPDATE OF t
        )
        UPDATE lot t SET is_over = NOT t.is_over FROM due
        WHERE t.sku = due.sku AND t.lot = due.lot
        RETURNING t.sku, t.lot
        """,
        (*(() if lots is None else _columns(lots)), today),
    )
    return [(sku, lot) for sku, lot in rows]


class Shelved(NamedTuple):
    """A lot of a SKU at a node."""

    lot: str
    expires_on: date
    """`date.max` where none is known."""
    is_over: bool
    holds_any: bool


Lots = dict[tuple[str, str], list[Shelved]]
"""By SKU and node."""


def lots_at(tx: Transaction, places: Collection[tuple[str, str]], since: datetime) -> Lots:
    """The lots, without owner, at these (SKU, node) that hold anything or were counted since."""
    rows = tx.fetch(
        """
        SELECT l.sku, l.node, l.lot, t.expires_on, t.is_over IS TRUE,
               greatest(l.sellable, l.reserved, l.damaged, l.quality_control, l.in_transit) > 0
        FROM unnest(%s::text[], %s::text[]) AS k (sku, node)
        JOIN stock_level l
          ON l.sku = k.sku AND l.node = k.node AND l.lot <> '' AND l.owner = ''
        LEFT JOIN lot t ON t.sku = l.sku AND t.lot = l.lot
        WHERE greatest(l.sellable, l.reserved, l.damaged, l.quality_control, l.in_transit,
                       l.sellable_overdrawn, l.damaged_overdrawn, l.quality_control_overdrawn,
                       l.in_transit_overdrawn) > 0
           OR greatest(l.sellable_as_of, l.damaged_as_of, l.quality_control_as_of,
                       l.in_transit_as_of) >= %s
        ORDER BY l.lot
        """,
        (*_columns(places), since),
    )
    found: Lots = {}
    for sku, node, lot, expires_on, is_over, holds_any in rows:
        shelved = Shelved(lot, expires_on or date.max, is_over, holds_any)
        found.setdefault((sku, node), []).append(shelved)
    return found


def places_without_lot(
    tx: Transaction, places: Collection[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Those (SKU, node) that have a level without owner and lot."""
    rows = tx.fetch(
        "SELECT l.sku, l.node FROM unnest(%s::text[], %s::text[]) AS k (sku, node)"
        " JOIN stock_level l ON l.sku = k.sku AND l.node = k.node AND l.owner = '' AND l.lot = ''",
        _columns(places),
    )
    return [(sku, node) for sku, node in rows]


class OrderLot(NamedTuple):
    """Base units of a lot that a node keeps for an order or has sent."""

    node: str
    sku: str
    lot: str
    expires_on: date | None
    """Last day of life; None where none was told."""
    quantity: int


def lots_of_order(connection: Connection, order_id: str) -> list[OrderLot]:
    """What an order gets of which lots, by node and SKU, the shortest-lived first."""
    rows = connection.execute(
        """
        WITH units AS (
            SELECT node, sku, lot, quantity FROM reservation WHERE order_id = %s AND lot <> ''
            UNION ALL
            SELECT s.node, l.sku, l.lot, l.quantity
            FROM shipped_lot l JOIN shipment s ON s.order_id = l.order_id AND s.id = l.shipment_id
            WHERE l.order_id = %s)
        SELECT u.node, u.sku, u.lot, t.expires_on, sum(u.quantity)::bigint
        FROM units u LEFT JOIN lot t USING (sku, lot)
        GROUP BY u.node, u.sku, u.lot, t.expires_on
        ORDER BY u.node, u.sku, t.expires_on, u.lot
        """,
        (order_id, order_id),
    ).fetchall()
    return [OrderLot(*row) for row in rows]


def _columns(pairs: Collection[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [one for one, _ in pairs], [other for _, other in pairs]
