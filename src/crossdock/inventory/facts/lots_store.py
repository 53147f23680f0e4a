"""Statements about lots: one function each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from crossdock.engine.transaction import Transaction

LotKey = tuple[str, str]
"""SKU, lot."""


def dates(tx: Transaction, lots: Collection[LotKey]) -> dict[LotKey, date]:
    """The last day of life of those lots of which one was told."""
    rows = tx.fetch(
        "SELECT t.sku, t.lot, t.expires_on FROM unnest(%s::text[], %s::text[]) AS k (sku, lot)"
        " JOIN lot t USING (sku, lot)",
        _columns(lots),
    )
    return {(sku, lot): expires_on for sku, lot, expires_on in rows}


def put_dates(tx: Transaction, rows: Sequence[tuple[str, str, date, str]]) -> None:
    """Keep (SKU, lot, last day of life, source); `settle` says whether they are over."""
    tx.execute(
        "INSERT INTO lot (sku, lot, expires_on, source, is_over)"
        " SELECT n.*, false FROM unnest(%s::text[], %s::text[], %s::date[], %s::text[]) AS n"
        " ON CONFLICT (sku, lot) DO UPDATE"
        " SET expires_on = excluded.expires_on, source = excluded.source",
        [list(column) for column in zip(*sorted(rows), strict=True)],
    )


def settle(tx: Transaction, today: date, lots: Collection[LotKey] | None) -> list[LotKey]:
    """Write which of these lots (None: of all) are over as of a day; returns those that changed.

    A lot is over when even who had it today would not get the life that the product owes.
    """
    skus, names = _columns(lots or ())
    rows = tx.fetch(
        """
        WITH due AS MATERIALIZED (
            SELECT t.sku, t.lot
            FROM lot t LEFT JOIN product p ON p.sku = t.sku AND p.tracks_lots
            WHERE t.is_over <> (t.expires_on - coalesce(p.minimum_remaining_days, 0) < %s)
              AND (%s OR (t.sku, t.lot) IN (SELECT * FROM unnest(%s::text[], %s::text[])))
            ORDER BY t.sku, t.lot
            FOR NO KEY UPDATE OF t
        )
        UPDATE lot t SET is_over = NOT t.is_over FROM due
        WHERE t.sku = due.sku AND t.lot = due.lot
        RETURNING t.sku, t.lot
        """,
        (today, lots is None, skus, names),
    )
    return [(sku, lot) for sku, lot in rows]


class Lots(dict[tuple[str, str], list[tuple[str, bool]]]):
    """By SKU and node, the lots there and whether they hold anything; those over soonest first."""


def lots_at(tx: Transaction, places: Collection[tuple[str, str]]) -> Lots:
    """The lots that have a level, without owner, at these (SKU, node)."""
    rows = tx.fetch(
        """
        SELECT l.sku, l.node, l.lot,
               greatest(l.sellable, l.damaged, l.quality_control, l.in_transit) > 0
        FROM unnest(%s::text[], %s::text[]) AS k (sku, node)
        JOIN stock_level l
          ON l.sku = k.sku AND l.node = k.node AND l.lot <> '' AND l.owner = ''
        LEFT JOIN lot t ON t.sku = l.sku AND t.lot = l.lot
        ORDER BY t.is_over IS TRUE, t.expires_on, l.lot
        """,
        _columns(places),
    )
    found = Lots()
    for sku, node, lot, holds_any in rows:
        found.setdefault((sku, node), []).append((lot, holds_any))
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


def _columns(pairs: Collection[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [one for one, _ in pairs], [other for _, other in pairs]
