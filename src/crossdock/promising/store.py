"""What promises are made of: one function per statement."""

from __future__ import annotations

from collections.abc import Sequence

from crossdock.engine.transaction import Transaction
from crossdock.promising.rules import Expected
from crossdock.sourcing.model import StockColumn


def available_columns(
    tx: Transaction, skus: Sequence[str], method: str
) -> dict[str, dict[str, StockColumn]]:
    """By zone and SKU: units that may be sold by the method, safety stock and buffers taken off,
    and for pickup what is queued at the store."""
    rows = tx.fetch(
        """
        WITH queued AS (
            SELECT sku, pickup_node, sum(quantity) AS units FROM reservation
            WHERE sku = ANY (%s::text[]) AND node IS NULL AND pickup_node IS NOT NULL
              AND %s = 'pickup'
            GROUP BY sku, pickup_node
        ), at_node AS (
            SELECT l.zone, l.sku, l.node,
                   (sum(l.available) - coalesce(max(q.units), 0))::int AS units
            FROM stock_level l
            LEFT JOIN queued q ON q.sku = l.sku AND q.pickup_node = l.node
            WHERE l.sku = ANY (%s::text[]) AND l.available > 0
              AND l.methods & method_bits(ARRAY[%s]) <> 0
            GROUP BY l.zone, l.sku, l.node
        )
        SELECT zone, sku, array_agg(node ORDER BY node), array_agg(units ORDER BY node)
        FROM at_node WHERE units > 0 GROUP BY zone, sku
        """,
        (list(skus), method, list(skus), method),
    )
    found: dict[str, dict[str, StockColumn]] = {}
    for zone, sku, nodes, units in rows:
        found.setdefault(zone, {})[sku] = StockColumn(nodes, units)
    return found


def expected_supply(tx: Transaction, skus: Sequence[str], method: str) -> dict[str, list[Expected]]:
    """Open supplies by SKU, in the order of time, at nodes that offer the method."""
    rows = tx.fetch(
        """
        SELECT s.sku, s.node, s.quantity - s.received, s.expected_at, s.confidence
        FROM supply s JOIN node n ON n.code = s.node
        WHERE s.sku = ANY (%s::text[]) AND s.status = 'open' AND s.quantity > s.received
          AND n.enabled AND %s = ANY (n.methods)
        ORDER BY s.sku, s.expected_at, s.id
        """,
        (list(skus), method),
    )
    found: dict[str, list[Expected]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Expected(*row))
    return found


def channel(tx: Transaction, code: str) -> tuple[str, tuple[str, ...], tuple[str, ...]] | None:
    """(brand, methods, zones) of a channel that is on; None for any other."""
    rows = tx.fetch(
        "SELECT coalesce(brand, ''), methods, zones FROM channel WHERE code = %s AND enabled",
        (code,),
    )
    return (rows[0][0], tuple(rows[0][1]), tuple(rows[0][2])) if rows else None
