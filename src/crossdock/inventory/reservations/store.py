"""Reservation rows, queued demand and its gates: one function per statement.

Queued rows (without node) are locked here before any stock level. Allocated and picked rows are
changed by whoever holds their level's lock, which comes later; so a row is written only if it still
is what was read, and else the batch is tried again as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from crossdock.engine.transaction import Transaction
from crossdock.kernel.errors import TransactionConflict

COLUMNS = (
    "id, order_id, checkout_id, fulfillment_id, created_at, promised_by, expires_at, picked_at,"
    " line_number, quantity, per_unit, priority, state, sku, node, pickup_node, kit, owner, lot,"
    " channel, method"
)

Row = tuple[Any, ...]


def lock_queued(tx: Transaction, order_ids: Sequence[str]) -> None:
    """Lock the queued rows of these orders, in the order of their keys, until the commit."""
    tx.fetch(
        "SELECT 1 FROM reservation WHERE order_id = ANY(%s::uuid[]) AND node IS NULL"
        " ORDER BY order_id, id FOR NO KEY UPDATE",
        (list(order_ids),),
    )


def live_rows(tx: Transaction, order_ids: Sequence[str]) -> list[Row]:
    """All live reservations of these orders, by order and line, in COLUMNS order."""
    return tx.fetch(
        f"SELECT {COLUMNS} FROM reservation WHERE order_id = ANY(%s::uuid[])"
        " ORDER BY order_id, line_number, id",
        (list(order_ids),),
    )


def add_rows(tx: Transaction, rows: Iterable[Row]) -> None:
    """Append new reservations, in COLUMNS order."""
    tx.copy(f"reservation ({COLUMNS})", rows)


def update_rows(tx: Transaction, rows: Sequence[Row]) -> None:
    """Write what can change of each: (order_id, id, quantity, state, sku, node, kit, owner, lot,
    per_unit, fulfillment_id, picked_at, expires_at), then the state and quantity it was read with.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    written = tx.execute(
        """
        UPDATE reservation r
        SET quantity = n.quantity, state = n.state, sku = n.sku, node = n.node, kit = n.kit,
            owner = n.owner, lot = n.lot, per_unit = n.per_unit,
            fulfillment_id = n.fulfillment_id, picked_at = n.picked_at, expires_at = n.expires_at
        FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[],
                    %s::text[], %s::text[], %s::text[], %s::int[], %s::uuid[],
                    %s::timestamptz[], %s::timestamptz[], %s::text[], %s::int[])
             AS n (order_id, id, quantity, state, sku, node, kit, owner, lot, per_unit,
                   fulfillment_id, picked_at, expires_at, old_state, old_quantity)
        WHERE r.order_id = n.order_id AND r.id = n.id
          AND r.state = n.old_state AND r.quantity = n.old_quantity
        """,
        columns,
    )
    _insist(written, len(rows))


def delete_rows(tx: Transaction, rows: Sequence[Row]) -> None:
    """Remove reservations that ended: (order_id, id, state and quantity it was read with)."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    deleted = tx.execute(
        "DELETE FROM reservation r USING unnest(%s::uuid[], %s::uuid[], %s::text[], %s::int[])"
        " AS gone (order_id, id, state, quantity) WHERE r.order_id = gone.order_id"
        " AND r.id = gone.id AND r.state = gone.state AND r.quantity = gone.quantity",
        columns,
    )
    _insist(deleted, len(rows))


def _insist(written: int, meant: int) -> None:
    """A reservation that a fact broke since it was read: the same batch again sees it as it is."""
    if written != meant:
        raise TransactionConflict(f"{meant - written} reservations changed since they were read")


def expired_orders(tx: Transaction, limit: int) -> list[str]:
    """Orders and checkouts that have queued reservations whose time is over, oldest first."""
    rows = tx.fetch(
        "SELECT DISTINCT order_id FROM (SELECT order_id FROM reservation WHERE expires_at <= %s"
        " ORDER BY expires_at LIMIT %s) AS late",
        (tx.now, limit),
    )
    return [row[0] for row in rows]


class Room(NamedTuple):
    """What of one SKU can still be promised, before thresholds."""

    unreserved: int
    """For demand that must be taken: sellable, not reserved, not promised to the queue."""
    available: int
    """For demand that may be refused: ATS of all nodes that offer the method, less the queue."""


def room_left(tx: Transaction, skus: Sequence[str], method: str) -> dict[str, Room]:
    """Totals and queued demand of each SKU, both from one snapshot."""
    rows = tx.fetch(
        """
        SELECT wanted.sku, total.unreserved - queue.units, total.available - queue.units
        FROM unnest(%s::text[]) AS wanted (sku)
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(sellable - reserved), 0)::bigint AS unreserved,
                   coalesce(sum(available) FILTER (WHERE methods & method_bits(%s) <> 0), 0)::bigint
                       AS available
            FROM stock_total t WHERE t.sku = wanted.sku) AS total
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(quantity), 0)::bigint AS units
            FROM reservation r WHERE r.sku = wanted.sku AND r.node IS NULL) AS queue
        """,
        (list(skus), [method]),
    )
    return {sku: Room(unreserved, available) for sku, unreserved, available in rows}


def components_of(tx: Transaction, skus: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """(component, units in one kit) of those of the SKUs that are kits."""
    rows = tx.fetch(
        "SELECT kit, component, quantity FROM kit_component WHERE kit = ANY(%s::text[])"
        " ORDER BY kit, component",
        (list(skus),),
    )
    found: dict[str, list[tuple[str, int]]] = {}
    for kit, component, quantity in rows:
        found.setdefault(kit, []).append((component, quantity))
    return found


def whole_kits(tx: Transaction, kits: Sequence[str], method: str) -> dict[str, Room]:
    """How often all components of a kit lie at one node, summed over nodes, less queued kits."""
    rows = tx.fetch(
        """
        SELECT at_node.kit, sum(at_node.unreserved)::bigint - max(queue.kits),
               sum(at_node.available)::bigint - max(queue.kits)
        FROM (
            SELECT k.kit, l.node,
                   min(greatest(l.unreserved, 0) / k.quantity) AS unreserved,
                   min(l.available / k.quantity) AS available
            FROM kit_component k
            CROSS JOIN LATERAL (
                SELECT node, sum(sellable - reserved) AS unreserved,
                       coalesce(sum(available) FILTER (WHERE methods & method_bits(%s) <> 0), 0)
                           AS available
                FROM stock_level s WHERE s.sku = k.component GROUP BY node) AS l
            WHERE k.kit = ANY(%s::text[])
            GROUP BY k.kit, l.node
            HAVING count(*) = (SELECT count(*) FROM kit_component c WHERE c.kit = k.kit)
        ) AS at_node
        CROSS JOIN LATERAL (
            -- Every queued kit has a row of each component: one of them counts for all.
            SELECT coalesce(sum(r.quantity / r.per_unit), 0)::bigint AS kits FROM reservation r
            WHERE r.node IS NULL AND r.kit = at_node.kit
              AND r.sku = (SELECT min(component) FROM kit_component c WHERE c.kit = at_node.kit)
        ) AS queue
        GROUP BY at_node.kit
        """,
        ([method], list(kits)),
    )
    return {kit: Room(unreserved, available) for kit, unreserved, available in rows}


def pickup_room_left(
    tx: Transaction, places: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """By (SKU, store): the store's own ATS for pickup less its queued pickups."""
    rows = tx.fetch(
        """
        SELECT wanted.sku, wanted.node, level.available - queue.units
        FROM unnest(%s::text[], %s::text[]) AS wanted (sku, node)
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(available), 0)::bigint AS available FROM stock_level l
            WHERE l.sku = wanted.sku AND l.node = wanted.node
              AND l.methods & method_bits('{pickup}') <> 0) AS level
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(quantity), 0)::bigint AS units FROM reservation r
            WHERE r.sku = wanted.sku AND r.node IS NULL AND r.pickup_node = wanted.node) AS queue
        """,
        ([sku for sku, _ in places], [node for _, node in places]),
    )
    return {(sku, node): units for sku, node, units in rows}


def thresholds(tx: Transaction, channel: str, skus: Sequence[str]) -> dict[str, int]:
    """Units of each SKU the channel never sells: the listing's, else the channel's."""
    rows = tx.fetch(
        """
        SELECT wanted.sku, coalesce(max(listing.threshold), max(channel.threshold), 0)
        FROM unnest(%s::text[]) AS wanted (sku)
        LEFT JOIN channel ON channel.code = %s
        LEFT JOIN listing ON listing.sku = wanted.sku AND listing.channel = channel.code
            AND listing.valid_from <= %s
            AND (listing.valid_to IS NULL OR listing.valid_to > %s)
        GROUP BY wanted.sku
        """,
        (list(skus), channel, tx.now.date(), tx.now.date()),
    )
    return {sku: units for sku, units in rows if units}


def pass_gates(tx: Transaction, skus: Sequence[str], alone: Sequence[bool]) -> None:
    """Stand in the gates of these SKUs until the commit: alone, or together with others."""
    tx.locks_shared_rows = True
    tx.fetch("SELECT pass_demand_gates(%s::text[], %s::bool[])", (list(skus), list(alone)))


def take_seat(tx: Transaction) -> int | None:
    """Be one of those who stand in gates together, until the commit; says how many others may.

    None where every seat is taken, or where this transaction has claimed from its seat before.
    """
    others = tx.fetch("SELECT take_demand_seat()")[0][0]
    return None if others is None else int(others)


def add_shipped_lots(tx: Transaction, units: Mapping[tuple[str, str, int, str, str], int]) -> None:
    """Note what left of which lots, by (order, shipment, line, SKU, lot)."""
    tx.copy(
        "shipped_lot (order_id, shipment_id, line_number, sku, lot, quantity)",
        ((*key, quantity) for key, quantity in sorted(units.items())),
    )
