"""Opening balances in bulk: levels, the balance they fold from, and totals, in four statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from crossdock import db


def load_stock(
    connection: db.Connection, by_node: Iterable[tuple[str, Sequence[str], Sequence[int]]]
) -> int:
    """Sellable units of (node, SKUs, quantities), for nodes and SKUs that have none yet.

    Returns the number of levels. The caller commits.
    """
    connection.execute(
        'CREATE TEMPORARY TABLE opening (node text COLLATE "C", sku text COLLATE "C", quantity int)'
        " ON COMMIT DROP"
    )
    with connection.cursor() as cursor, cursor.copy("COPY opening FROM STDIN") as copy:
        for node, skus, quantities in by_node:
            # A line per level written by hand: a call per row would take half of the time of all.
            start = _escaped(node)
            lines = [
                f"{start}\t{_escaped(sku)}\t{quantity}\n"
                for sku, quantity in zip(skus, quantities, strict=True)
            ]
            copy.write("".join(lines))
    # In the order of the key, so that the index grows at its end; terms are joined once per node,
    # because a function call per level would take longer than all the rest.
    made = connection.execute(
        """
        INSERT INTO stock_level (sku, node, zone, sellable, methods, safety_stock, buffer)
        SELECT o.sku, o.node, n.allocation_zone, o.quantity,
               CASE WHEN n.enabled AND coalesce(p.enabled, true)
                    THEN n.bits & ~method_bits(coalesce(p.methods_off, '{}')) ELSE 0 END,
               coalesce(p.safety_stock, n.safety_stock), coalesce(p.buffer, n.buffer)
        FROM opening o
        JOIN (SELECT *, method_bits(methods) AS bits FROM node) n ON n.code = o.node
        LEFT JOIN product_node p ON p.sku = o.sku AND p.node = o.node
        ORDER BY o.sku, o.node
        """
    ).rowcount
    connection.execute(
        """
        INSERT INTO stock_balance (sku, node, sellable, reserved, picked, damaged, quality_control,
                                   in_transit)
        SELECT sku, node, quantity, 0, 0, 0, 0, 0 FROM opening
        """
    )
    connection.execute(
        """
        INSERT INTO stock_total (sku, zone, methods, sellable, reserved, available)
        SELECT sku, zone, methods, sum(sellable), sum(reserved), sum(available)
        FROM stock_level GROUP BY sku, zone, methods
        """
    )
    return made


@lru_cache(maxsize=200_000)
def _escaped(code: str) -> str:
    """A code as COPY's text format wants it."""
    escaped = code.replace("\\", "\\\\").replace("\t", "\\t")
    return escaped.replace("\n", "\\n").replace("\r", "\\r")
