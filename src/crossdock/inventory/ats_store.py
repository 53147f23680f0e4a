"""Statements of ATS and of the upkeep of what ATS reads: one function each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from crossdock.engine.transaction import Transaction
from crossdock.inventory.model import LevelKey
from crossdock.inventory.store import TotalKey


class ChannelTerms(NamedTuple):
    """What a channel may sell by a method: nothing unless `open`; `zones` () are all."""

    open: bool
    zones: tuple[str, ...]
    threshold: int


def channel_terms(tx: Transaction, channel: str, method: str) -> ChannelTerms:
    """The terms of a channel; one that nobody knows sells nothing."""
    rows = tx.fetch(
        "SELECT enabled AND %s = ANY (methods), zones, threshold FROM channel WHERE code = %s",
        (method, channel),
    )
    if not rows:
        return ChannelTerms(False, (), 0)
    is_open, zones, threshold = rows[0]
    return ChannelTerms(is_open, tuple(zones), threshold)


class Offer(NamedTuple):
    """What ATS of a SKU is made of, before anything that this batch has not written yet."""

    sku: str
    of_nodes: int
    """Node ATS summed."""
    without_node: int
    """Queued demand, that of kits it is a component of included."""
    threshold: int
    open: bool
    """Whether product and listing may be sold by the method."""
    is_kit: bool


def offers(
    tx: Transaction, channel: str, terms: ChannelTerms, method: str, skus: Sequence[str]
) -> list[Offer]:
    """One row for each known product among `skus`. A listing overrides the channel's threshold.

    A SKU without listing is sold under its own number; one whose listings are all off is not.
    """
    rows = tx.fetch(
        """
        SELECT p.sku, total.available, queue.units + coalesce(in_kits.units, 0),
               coalesce(listed.threshold, %s),
               p.enabled AND (p.methods IS NULL OR %s = ANY (p.methods))
                   AND coalesce(listed.is_open, true),
               p.kind = 'kit'
        FROM unnest(%s::text[]) AS wanted (sku)
        JOIN product p ON p.sku = wanted.sku
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(t.available), 0)::bigint AS available FROM stock_total t
            WHERE t.sku = p.sku AND t.methods & method_bits(ARRAY[%s]) <> 0
              AND (%s::text[] = '{}' OR t.zone = ANY (%s::text[]))) AS total
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(r.quantity), 0)::bigint AS units FROM reservation r
            WHERE r.sku = p.sku AND r.node IS NULL) AS queue
        LEFT JOIN (
            SELECT k.component, sum(r.quantity * k.quantity)::bigint AS units
            FROM kit_component k JOIN reservation r ON r.sku = k.kit AND r.node IS NULL
            WHERE k.component = ANY (%s::text[])
            GROUP BY k.component) AS in_kits ON in_kits.component = p.sku
        CROSS JOIN LATERAL (
            SELECT max(i.threshold) FILTER (WHERE i.is_open) AS threshold,
                   bool_or(i.is_open) AS is_open
            FROM (SELECT threshold, enabled AND valid_from <= %s
                             AND (valid_to IS NULL OR valid_to > %s) AS is_open
                  FROM listing WHERE listing.sku = p.sku AND listing.channel = %s) AS i) AS listed
        """,
        (
            terms.threshold,
            method,
            list(skus),
            method,
            list(terms.zones),
            list(terms.zones),
            list(skus),
            tx.now.date(),
            tx.now.date(),
            channel,
        ),
    )
    return [Offer(*row) for row in rows]


def kits_at_nodes(
    tx: Transaction, kits: Sequence[str], method: str, zones: Sequence[str]
) -> list[tuple[str, str, int]]:
    """(kit, node, whole kits) where all components are: floor over components, per node."""
    rows = tx.fetch(
        """
        SELECT have.kit, have.node, min(have.units / have.per_kit)
        FROM (
            SELECT k.kit, k.component, k.quantity AS per_kit, l.node, sum(l.available) AS units
            FROM kit_component k
            JOIN stock_level l ON l.sku = k.component
            WHERE k.kit = ANY (%s::text[]) AND l.methods & method_bits(ARRAY[%s]) <> 0
              AND (%s::text[] = '{}' OR l.zone = ANY (%s::text[]))
            GROUP BY k.kit, k.component, k.quantity, l.node
        ) AS have
        GROUP BY have.kit, have.node
        HAVING count(*) = (SELECT count(*) FROM kit_component c WHERE c.kit = have.kit)
        """,
        (list(kits), method, list(zones), list(zones)),
    )
    return [(kit, node, int(units)) for kit, node, units in rows]


def components_queued(tx: Transaction, kits: Sequence[str]) -> dict[str, int]:
    """Kits that the queued demand for a component alone uses up: of its scarcest one."""
    rows = tx.fetch(
        """
        SELECT k.kit, max((queue.units + k.quantity - 1) / k.quantity)
        FROM kit_component k
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(r.quantity), 0)::bigint AS units FROM reservation r
            WHERE r.sku = k.component AND r.node IS NULL) AS queue
        WHERE k.kit = ANY (%s::text[])
        GROUP BY k.kit
        """,
        (list(kits),),
    )
    return {kit: int(units) for kit, units in rows}


def at_nodes(
    tx: Transaction, skus: Sequence[str], method: str, zones: Sequence[str]
) -> list[tuple[str, str, int, int]]:
    """(SKU, node, available, pickups queued there), by SKU and node."""
    rows = tx.fetch(
        """
        WITH queued AS (
            SELECT r.sku, r.pickup_node, sum(r.quantity)::bigint AS units FROM reservation r
            WHERE r.sku = ANY (%s::text[]) AND r.node IS NULL AND r.pickup_node IS NOT NULL
            GROUP BY r.sku, r.pickup_node)
        SELECT l.sku, l.node, sum(l.available)::bigint, coalesce(q.units, 0)
        FROM stock_level l
        LEFT JOIN queued q ON q.sku = l.sku AND q.pickup_node = l.node
        WHERE l.sku = ANY (%s::text[]) AND l.methods & method_bits(ARRAY[%s]) <> 0
          AND (%s::text[] = '{}' OR l.zone = ANY (%s::text[]))
        GROUP BY l.sku, l.node, q.units
        ORDER BY l.sku, l.node
        """,
        (list(skus), list(skus), method, list(zones), list(zones)),
    )
    return [(sku, node, int(available), int(queued)) for sku, node, available, queued in rows]


Widening = tuple[str, int]
"""Node, units its buffer is wider than master data say."""


_REALIGN = """), changed AS (
            UPDATE stock_level l
            SET zone = due.new_zone, methods = due.new_methods,
                safety_stock = due.new_safety_stock, buffer = due.new_buffer
            FROM due
            WHERE l.sku = due.sku AND l.node = due.node AND l.owner = due.owner
              AND l.lot = due.lot
            RETURNING l.sku, l.zone, l.methods, l.sellable, l.reserved, l.available
        ), differences AS (
            SELECT sku, zone, methods, -sellable AS sellable, -reserved AS reserved,
                   -available AS available FROM due
            UNION ALL SELECT * FROM changed
        )
        SELECT sku, zone, methods, sum(sellable)::bigint, sum(reserved)::bigint,
               sum(available)::bigint
        FROM differences GROUP BY sku, zone, methods
"""
"""Gives the levels in `due` their new terms; returns what totals change by."""


def align_levels(
    tx: Transaction, widenings: Sequence[Widening]
) -> list[tuple[TotalKey, tuple[int, int, int]]]:
    """Give levels of these nodes the zone, methods, safety stock and buffer of now.

    Returns what totals change by: (sku, zone, methods) and (sellable, reserved, available).
    """
    rows = tx.fetch(
        f"""
        WITH at_node AS (
            SELECT n.code AS node, n.allocation_zone AS zone, n.enabled, n.safety_stock, n.buffer,
                   method_bits(n.methods) AS methods, w.units
            FROM unnest(%s::text[], %s::int[]) AS w (node, units) JOIN node n ON n.code = w.node
        ), due AS MATERIALIZED (
            SELECT l.sku, l.node, l.owner, l.lot, l.zone, l.methods, l.sellable, l.reserved,
                   l.available, t.zone AS new_zone, t.methods AS new_methods,
                   t.safety_stock AS new_safety_stock, t.buffer AS new_buffer
            FROM stock_level l
            JOIN at_node n ON n.node = l.node
            LEFT JOIN product_node p ON p.sku = l.sku AND p.node = l.node
            LEFT JOIN lot o ON l.lot <> '' AND o.sku = l.sku AND o.lot = l.lot AND o.is_over
            -- Stock is held back at the level without owner and lot; `hold_back` shares it out.
            CROSS JOIN LATERAL (
                SELECT n.zone,
                       CASE WHEN n.enabled AND coalesce(p.enabled, true) AND o.lot IS NULL
                            THEN (n.methods & ~method_bits(coalesce(p.methods_off, '{{}}')))
                            ELSE 0 END::smallint AS methods,
                       CASE WHEN l.owner = '' AND l.lot = ''
                            THEN coalesce(p.safety_stock, n.safety_stock) ELSE 0 END
                           AS safety_stock,
                       CASE WHEN l.owner = '' AND l.lot = ''
                            THEN coalesce(p.buffer, n.buffer) + n.units
                            WHEN l.owner = '' THEN l.buffer ELSE 0 END AS buffer) AS t
            WHERE (l.zone, l.methods, l.safety_stock, l.buffer)
                  IS DISTINCT FROM (t.zone, t.methods, t.safety_stock, t.buffer)
            ORDER BY l.sku, l.node, l.owner, l.lot
            FOR NO KEY UPDATE OF l
        {_REALIGN}
        """,
        ([node for node, _ in widenings], [units for _, units in widenings]),
    )
    return [((row[0], row[1], row[2]), (row[3], row[4], row[5])) for row in rows]


def align_lots(
    tx: Transaction, lots: Sequence[tuple[str, str]]
) -> list[tuple[TotalKey, tuple[int, int, int]]]:
    """The same for the levels of these (SKU, lot), wherever they are."""
    rows = tx.fetch(
        f"""
        WITH due AS MATERIALIZED (
            SELECT l.sku, l.node, l.owner, l.lot, l.zone, l.methods, l.sellable, l.reserved,
                   l.available, t.zone AS new_zone, t.methods AS new_methods,
                   l.safety_stock AS new_safety_stock, l.buffer AS new_buffer
            FROM unnest(%s::text[], %s::text[]) AS k (sku, lot)
            JOIN stock_level l ON l.sku = k.sku AND l.lot = k.lot AND l.lot <> ''
            CROSS JOIN LATERAL level_terms(l.sku, l.node, l.owner, l.lot) AS t
            WHERE (l.zone, l.methods) IS DISTINCT FROM (t.zone, t.methods)
            ORDER BY l.sku, l.node, l.owner, l.lot
            FOR NO KEY UPDATE OF l
        {_REALIGN}
        """,
        ([sku for sku, _ in lots], [lot for _, lot in lots]),
    )
    return [((row[0], row[1], row[2]), (row[3], row[4], row[5])) for row in rows]


def hold_back(
    tx: Transaction, places: Sequence[tuple[str, str]]
) -> list[tuple[TotalKey, tuple[int, int, int]]]:
    """At these (SKU, node), what the units of no known lot cannot hold back is held back by lots:
    by the longest-lived, which are sold last. Each place once. Returns what totals change by.
    """
    rows = tx.fetch(
        f"""
        WITH shelf AS MATERIALIZED (
            SELECT l.sku, l.node, l.owner, l.lot, l.zone, l.methods, l.sellable, l.reserved,
                   l.available, l.safety_stock, l.buffer,
                   greatest(0, l.sellable - l.reserved) AS free
            FROM unnest(%s::text[], %s::text[]) AS k (sku, node)
            JOIN stock_level l ON l.sku = k.sku AND l.node = k.node AND l.owner = ''
            WHERE l.lot = '' OR l.sellable > 0 OR l.buffer > 0
            ORDER BY l.sku, l.node, l.owner, l.lot
            FOR NO KEY UPDATE OF l
        ), owed AS (
            SELECT l.sku, l.node,
                   greatest(0, coalesce(min(l.safety_stock + l.buffer - l.free)
                                        FILTER (WHERE l.lot = ''),
                                        min(t.safety_stock + t.buffer))) AS units
            FROM shelf l
            LEFT JOIN LATERAL level_terms(l.sku, l.node, '', '') AS t ON true
            GROUP BY l.sku, l.node
        ), share AS (
            SELECT l.sku, l.node, l.lot,
                   least(l.free, greatest(0, o.units - coalesce(sum(l.free) OVER longer_lived, 0)))
                       AS units
            FROM shelf l
            JOIN owed o USING (sku, node)
            LEFT JOIN lot d ON d.sku = l.sku AND d.lot = l.lot
            WHERE l.lot <> ''
            WINDOW longer_lived AS (PARTITION BY l.sku, l.node ORDER BY d.expires_on DESC, l.lot
                                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        ), due AS (
            SELECT l.*, l.zone AS new_zone, l.methods AS new_methods,
                   l.safety_stock AS new_safety_stock, s.units::int AS new_buffer
            FROM shelf l JOIN share s USING (sku, node, lot) WHERE l.buffer <> s.units
        {_REALIGN}
        """,
        ([sku for sku, _ in places], [node for _, node in places]),
    )
    return [((row[0], row[1], row[2]), (row[3], row[4], row[5])) for row in rows]


def places_in_lots(tx: Transaction, nodes: Sequence[str]) -> list[tuple[str, str]]:
    """(SKU, node) of what these nodes have in lots."""
    return tx.fetch(
        "SELECT DISTINCT sku, node FROM stock_level WHERE node = ANY (%s::text[]) AND lot <> ''",
        (list(nodes),),
    )


def feed_ages(tx: Transaction, nodes: Sequence[str]) -> list[tuple[str, datetime | None, float]]:
    """(node, when any of its feeds was heard last, pick failure probability)."""
    return [
        (node, heard_at, probability)
        for node, heard_at, probability in tx.fetch(
            "SELECT n.code, max(f.heard_at), n.pick_failure_probability"
            " FROM node n LEFT JOIN stock_feed f ON f.node = n.code"
            " WHERE n.code = ANY (%s::text[]) GROUP BY n.code, n.pick_failure_probability",
            (list(nodes),),
        )
    ]


def all_nodes(tx: Transaction) -> list[str]:
    """Every node with its own code."""
    return [node for (node,) in tx.fetch("SELECT code FROM node ORDER BY code")]


def quarantine(
    tx: Transaction, keys: Sequence[LevelKey], is_quarantined: bool
) -> list[tuple[TotalKey, tuple[int, int, int]]]:
    """Set or clear the quarantine of levels; returns what totals change by."""
    columns = [list(column) for column in zip(*sorted(keys), strict=True)] or [[]] * 4
    rows = tx.fetch(
        """
        WITH due AS MATERIALIZED (
            SELECT l.sku, l.node, l.owner, l.lot, l.available
            FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS k (sku, node, owner, lot)
            JOIN stock_level l
              ON l.sku = k.sku AND l.node = k.node AND l.owner = k.owner AND l.lot = k.lot
            WHERE l.quarantined <> %s
            ORDER BY l.sku, l.node, l.owner, l.lot
            FOR NO KEY UPDATE OF l
        )
        UPDATE stock_level l SET quarantined = %s FROM due
        WHERE l.sku = due.sku AND l.node = due.node AND l.owner = due.owner AND l.lot = due.lot
        RETURNING l.sku, l.zone, l.methods, l.available - due.available
        """,
        (*columns, is_quarantined, is_quarantined),
    )
    return [((row[0], row[1], row[2]), (0, 0, row[3])) for row in rows]


def quarantined_levels(tx: Transaction) -> list[LevelKey]:
    """Every level that offers nothing until a person lifts that."""
    rows = tx.fetch(
        "SELECT sku, node, owner, lot FROM stock_level WHERE quarantined"
        " ORDER BY sku, node, owner, lot"
    )
    return [LevelKey(*row) for row in rows]


OPENING_COLUMNS = "sku, node, owner, lot, sellable, damaged, quality_control, in_transit"


def load_opening(tx: Transaction, rows: Iterable[Sequence[Any]]) -> int:
    """Open new levels with stock, in OPENING_COLUMNS order, and their totals; returns how many.

    The numbers stand in stock_balance as the ledger's beginning. A level that exists already is an
    error (stock_level_pkey): its stock changes by facts only.
    """
    tx.execute(
        'CREATE TEMPORARY TABLE opening_stock (sku text COLLATE "C", node text COLLATE "C",'
        ' owner text COLLATE "C", lot text COLLATE "C", sellable int, damaged int,'
        " quality_control int, in_transit int) ON COMMIT DROP"
    )
    tx.copy(f"opening_stock ({OPENING_COLUMNS})", rows)
    tx.execute("ANALYZE opening_stock")
    loaded = tx.execute(
        f"""
        WITH terms AS (
            SELECT n.code AS node, n.allocation_zone AS zone, n.safety_stock, n.buffer,
                   CASE WHEN n.enabled THEN method_bits(n.methods) ELSE 0::smallint END AS methods
            FROM node n
        ), special AS (
            SELECT p.sku, p.node, t.* FROM product_node p
            CROSS JOIN LATERAL level_terms(p.sku, p.node, '', '') AS t
        )
        INSERT INTO stock_level ({OPENING_COLUMNS}, zone, methods, safety_stock, buffer)
        SELECT o.sku, o.node, o.owner, o.lot, o.sellable, o.damaged, o.quality_control,
               o.in_transit, coalesce(t.zone, ''),
               CASE WHEN d.is_over THEN 0 ELSE coalesce(s.methods, t.methods, 0) END,
               CASE WHEN o.owner = '' AND o.lot = ''
                    THEN coalesce(s.safety_stock, t.safety_stock, 0) ELSE 0 END,
               CASE WHEN o.owner = '' AND o.lot = ''
                    THEN coalesce(s.buffer, t.buffer, 0) ELSE 0 END
        FROM opening_stock o
        LEFT JOIN terms t ON t.node = o.node
        LEFT JOIN special s ON s.sku = o.sku AND s.node = o.node
        LEFT JOIN lot d ON d.sku = o.sku AND d.lot = o.lot
        ORDER BY o.sku, o.node, o.owner, o.lot
        """
    )
    tx.execute(
        f"INSERT INTO stock_balance ({OPENING_COLUMNS}, reserved, picked)"
        f" SELECT {OPENING_COLUMNS}, 0, 0 FROM opening_stock"
        " WHERE greatest(sellable, damaged, quality_control, in_transit) > 0"
    )
    tx.execute(
        """
        INSERT INTO stock_total AS t (sku, zone, methods, sellable, reserved, available)
        SELECT l.sku, l.zone, l.methods, sum(l.sellable), sum(l.reserved), sum(l.available)
        FROM opening_stock o JOIN stock_level l USING (sku, node, owner, lot)
        GROUP BY l.sku, l.zone, l.methods ORDER BY l.sku, l.zone, l.methods
        ON CONFLICT (sku, zone, methods) DO UPDATE
        SET sellable = t.sellable + excluded.sellable, reserved = t.reserved + excluded.reserved,
            available = t.available + excluded.available
        """
    )
    tx.execute("DROP TABLE opening_stock")
    return loaded


def close_ledger(tx: Transaction, until: datetime) -> int:
    """Sum the ledger before `until` into the closing balance; returns the balance's rows."""
    tx.execute("LOCK TABLE stock_ledger_closing IN EXCLUSIVE MODE")
    rows = tx.execute(
        """
        WITH old AS (DELETE FROM stock_balance RETURNING *), moved AS (
            SELECT sku, node, owner, lot, sellable, reserved, picked, damaged, quality_control,
                   in_transit FROM old
            UNION ALL
            SELECT sku, node, owner, lot,
                   quantity * ((to_bucket IN ('free', 'reserved', 'picked'))::int
                             - (from_bucket IN ('free', 'reserved', 'picked'))::int),
                   quantity * ((to_bucket IN ('reserved', 'picked'))::int
                             - (from_bucket IN ('reserved', 'picked'))::int),
                   quantity * ((to_bucket = 'picked')::int - (from_bucket = 'picked')::int),
                   quantity * ((to_bucket = 'damaged')::int - (from_bucket = 'damaged')::int),
                   quantity * ((to_bucket = 'quality_control')::int
                             - (from_bucket = 'quality_control')::int),
                   quantity * ((to_bucket = 'in_transit')::int - (from_bucket = 'in_transit')::int)
            FROM stock_ledger
            WHERE recorded_at < %s
              AND recorded_at >= coalesce((SELECT until FROM stock_ledger_closing), '-infinity')
        )
        INSERT INTO stock_balance (sku, node, owner, lot, sellable, reserved, picked, damaged,
                                   quality_control, in_transit)
        SELECT sku, node, owner, lot, sum(sellable), sum(reserved), sum(picked), sum(damaged),
               sum(quality_control), sum(in_transit)
        FROM moved GROUP BY sku, node, owner, lot
        """,
        (until,),
    )
    tx.execute(
        "INSERT INTO stock_ledger_closing (until) VALUES (%s)"
        " ON CONFLICT (is_only) DO UPDATE SET until = excluded.until",
        (until,),
    )
    return rows


def closed_until(tx: Transaction) -> datetime | None:
    """Up to when the ledger is closed."""
    rows = tx.fetch("SELECT until FROM stock_ledger_closing")
    return rows[0][0] if rows else None
