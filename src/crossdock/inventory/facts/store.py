"""Statements about feeds and what follows from facts: one function each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from crossdock.engine.transaction import Transaction
from crossdock.inventory.model import LevelKey
from crossdock.inventory.rules import BOOKKEEPING, SHIPPED, Breakable, Waiting


class SourceTerms(NamedTuple):
    """What a source's numbers for one bucket mean; the default is a plain, believed source."""

    meaning: str = "physical"
    authoritative: bool = True
    full_files: bool = True
    contains_our_shipments: bool = True
    repeats_our_shipments: bool = False
    our_shipments_since: datetime | None = None


def source_terms(
    tx: Transaction, sources: Collection[str]
) -> dict[tuple[str, str, str], SourceTerms]:
    """The declared terms by (source, node, bucket), and who is believed instead of a source.

    Where another source is the authority of a node and bucket, the asked one is not.
    """
    rows = tx.fetch(
        "SELECT source, node, bucket, meaning, authoritative, full_files, contains_our_shipments,"
        " repeats_our_shipments, our_shipments_since FROM inventory_source"
        " WHERE source = ANY(%s::text[])",
        (sorted(sources),),
    )
    return {(row[0], row[1], row[2]): SourceTerms(*row[3:]) for row in rows}


def authorities(tx: Transaction, nodes: Collection[str]) -> dict[tuple[str, str], str]:
    """The source that is believed, by (node, bucket), where one was declared for the node."""
    rows = tx.fetch(
        "SELECT node, bucket, source FROM inventory_source"
        " WHERE authoritative AND node = ANY(%s::text[])",
        (sorted(nodes),),
    )
    return {(node, bucket): source for node, bucket, source in rows}


def book_sightings(tx: Transaction, hashes: Sequence[str], fingerprints: Sequence[int]) -> set[str]:
    """Note moves or chunks as seen, in the order of their hashes; returns those that were new."""
    order = sorted(range(len(hashes)), key=hashes.__getitem__)
    rows = tx.fetch(
        "INSERT INTO stock_move_seen (hash, fingerprint)"
        " SELECT * FROM unnest(%s::uuid[], %s::bigint[]) ON CONFLICT DO NOTHING RETURNING hash",
        ([hashes[i] for i in order], [fingerprints[i] for i in order]),
    )
    return {row[0] for row in rows}


def fingerprints_of(tx: Transaction, hashes: Sequence[str]) -> dict[str, int]:
    """The fingerprint of what was booked under each hash."""
    return dict(
        tx.fetch(
            "SELECT hash, fingerprint FROM stock_move_seen WHERE hash = ANY(%s::uuid[])",
            (list(hashes),),
        )
    )


def booked_move(tx: Transaction, source: str, move_id: str) -> tuple[Any, ...] | None:
    """What the ledger has of a source's move: sku, node, quantity, buckets, reason, occurred_at.

    Units of several lots are summed. Reads much; for the rare report that two moves have one id.
    """
    rows = tx.fetch(
        "SELECT sku, node, sum(quantity)::int, from_bucket, to_bucket, reason, occurred_at"
        " FROM stock_ledger WHERE source = %s AND source_move_id = %s"
        " GROUP BY sku, node, from_bucket, to_bucket, reason, occurred_at LIMIT 1",
        (source, move_id),
    )
    return rows[0] if rows else None


def note_feeds(tx: Transaction, rows: Iterable[Sequence[Any]]) -> None:
    """Advance (source, node, sequence, counted_as_of, moves, ignored counts) of feeds heard now."""
    columns = [
        list(column) for column in zip(*sorted(rows, key=lambda row: (row[0], row[1])), strict=True)
    ]
    tx.execute(
        """
        INSERT INTO stock_feed AS f (source, node, last_sequence, counted_as_of, moves,
                                     ignored_counts, heard_at)
        SELECT n.*, %s FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::timestamptz[],
                                   %s::bigint[], %s::bigint[]) AS n
        ON CONFLICT (source, node) DO UPDATE
        SET last_sequence = greatest(f.last_sequence, excluded.last_sequence),
            counted_as_of = greatest(f.counted_as_of, excluded.counted_as_of),
            moves = f.moves + excluded.moves,
            ignored_counts = f.ignored_counts + excluded.ignored_counts,
            heard_at = greatest(f.heard_at, excluded.heard_at)
        """,
        (tx.now, *columns),
    )


class Kept(NamedTuple):
    """What moved into each bucket of a level after a time (negative: out of it)."""

    sellable: int = 0
    damaged: int = 0
    quality_control: int = 0
    in_transit: int = 0
    picked: int = 0


def moved_since(
    tx: Transaction, counts: Sequence[tuple[int, str, datetime]]
) -> dict[tuple[int, str, str], Kept]:
    """Net moves that occurred after each (number, node, time), by (number, sku, lot).

    Our own corrections are left out: they are no events of the world. Levels with an owner are not
    what feeds count.
    """
    rows = tx.fetch(
        """
        SELECT c.number, l.sku, l.lot,
            sum(l.quantity * ((l.to_bucket IN ('free', 'reserved', 'picked'))::int
                            - (l.from_bucket IN ('free', 'reserved', 'picked'))::int)),
            sum(l.quantity * ((l.to_bucket = 'damaged')::int - (l.from_bucket = 'damaged')::int)),
            sum(l.quantity * ((l.to_bucket = 'quality_control')::int
                            - (l.from_bucket = 'quality_control')::int)),
            sum(l.quantity * ((l.to_bucket = 'in_transit')::int
                            - (l.from_bucket = 'in_transit')::int)),
            sum(l.quantity * ((l.to_bucket = 'picked')::int - (l.from_bucket = 'picked')::int))
        FROM unnest(%s::int[], %s::text[], %s::timestamptz[]) AS c (number, node, as_of)
        JOIN stock_ledger l ON l.node = c.node AND l.occurred_at > c.as_of
        WHERE NOT (l.from_bucket IN ('free', 'reserved') AND l.to_bucket IN ('free', 'reserved'))
          AND NOT (l.source = '' AND l.reason = ANY(%s::text[])) AND l.owner = ''
        GROUP BY c.number, l.sku, l.lot
        """,
        (*_columns(counts, 3), list(BOOKKEEPING)),
    )
    return {(row[0], row[1], row[2]): Kept(*(int(units) for units in row[3:])) for row in rows}


def held_since(
    tx: Transaction, counts: Sequence[tuple[int, str, datetime]]
) -> dict[tuple[int, str, str], int]:
    """Net units reserved or picked after each (number, node, time), by (number, sku, lot).

    For the rare source that subtracts our reservations; finds its rows by their time alone.
    """
    rows = tx.fetch(
        """
        SELECT c.number, l.sku, l.lot,
            sum(l.quantity * ((l.to_bucket IN ('reserved', 'picked'))::int
                            - (l.from_bucket IN ('reserved', 'picked'))::int))
        FROM unnest(%s::int[], %s::text[], %s::timestamptz[]) AS c (number, node, as_of)
        JOIN stock_ledger l ON l.node = c.node AND l.occurred_at > c.as_of
        WHERE l.owner = ''
        GROUP BY c.number, l.sku, l.lot
        """,
        _columns(counts, 3),
    )
    return {(number, sku, lot): int(units) for number, sku, lot, units in rows}


def our_shipments(
    tx: Transaction, counts: Sequence[tuple[int, str, datetime, datetime]]
) -> dict[tuple[int, str, str], int]:
    """Units we shipped in each (number, node, after, until), by (number, sku, lot)."""
    rows = tx.fetch(
        """
        SELECT c.number, l.sku, l.lot, sum(l.quantity)
        FROM unnest(%s::int[], %s::text[], %s::timestamptz[], %s::timestamptz[])
             AS c (number, node, after, until)
        JOIN stock_ledger l ON l.node = c.node AND l.occurred_at > c.after
                           AND l.occurred_at <= c.until
        WHERE NOT (l.from_bucket IN ('free', 'reserved') AND l.to_bucket IN ('free', 'reserved'))
          AND l.source = '' AND l.reason = %s AND l.owner = ''
        GROUP BY c.number, l.sku, l.lot
        """,
        (*_columns(counts, 4), SHIPPED),
    )
    return {(number, sku, lot): int(units) for number, sku, lot, units in rows}


def picked_now(tx: Transaction, keys: Collection[LevelKey]) -> dict[LevelKey, int]:
    """Units picked and not shipped, at levels that have any."""
    wanted = sorted(keys)
    rows = tx.fetch(
        """
        SELECT r.sku, r.node, r.owner, r.lot, sum(r.quantity)
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS k (sku, node, owner, lot)
        JOIN reservation r ON r.node = k.node AND r.sku = k.sku AND r.owner = k.owner
                          AND r.lot = k.lot AND r.state = 'picked'
        GROUP BY r.sku, r.node, r.owner, r.lot
        """,
        _columns(wanted, 4),
    )
    return {LevelKey(*row[:4]): int(row[4]) for row in rows}


def stocked(tx: Transaction, nodes: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """The (SKU, lot) that have a level at each of these nodes, without owner; no lots used up."""
    rows = tx.fetch(
        "SELECT node, array_agg(sku), array_agg(lot) FROM stock_level"
        " WHERE node = ANY(%s::text[]) AND owner = ''"
        " AND (lot = '' OR sellable > 0 OR reserved > 0 OR sellable_overdrawn > 0) GROUP BY node",
        (sorted(nodes),),
    )
    return {node: list(zip(skus, lots, strict=True)) for node, skus, lots in rows}


def save_readings(tx: Transaction, rows: Sequence[Sequence[Any]]) -> None:
    """Keep (source, node, sku, bucket, lot, as_of, quantity, held) of sources not believed.

    The latest one stays; each key may appear once.
    """
    tx.execute(
        """
        INSERT INTO stock_reading AS r (source, node, sku, bucket, lot, as_of, quantity, held,
                                        recorded_at)
        SELECT n.*, %s FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                                   %s::timestamptz[], %s::int[], %s::int[]) AS n
        ON CONFLICT (source, node, sku, bucket, lot) DO UPDATE
        SET as_of = excluded.as_of, quantity = excluded.quantity, held = excluded.held,
            recorded_at = excluded.recorded_at
        WHERE excluded.as_of >= r.as_of
        """,
        (tx.now, *_columns(sorted(rows, key=_identity), 8)),
    )


def _identity(reading: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(reading[:5])


def breakable(tx: Transaction, keys: Collection[LevelKey]) -> dict[LevelKey, list[Breakable]]:
    """Unpicked reservations at these locked levels."""
    rows = tx.fetch(
        """
        SELECT r.sku, r.node, r.owner, r.lot, r.id, r.order_id, r.line_number, r.quantity,
               r.priority, r.promised_by, r.fulfillment_id
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS k (sku, node, owner, lot)
        JOIN reservation r ON r.node = k.node AND r.sku = k.sku AND r.owner = k.owner
                          AND r.lot = k.lot AND r.state = 'allocated'
        """,
        _columns(sorted(keys), 4),
    )
    found: dict[LevelKey, list[Breakable]] = {}
    for row in rows:
        found.setdefault(LevelKey(*row[:4]), []).append(Breakable(*row[4:]))
    return found


def backordered_skus(tx: Transaction) -> list[str]:
    """SKUs that somebody waits for, and their substitutes."""
    rows = tx.fetch(
        """
        WITH waiting AS (SELECT DISTINCT sku FROM reservation
                         WHERE node IS NULL AND state = 'backordered')
        SELECT sku FROM waiting
        UNION SELECT unnest(p.substitutes) FROM waiting JOIN product p USING (sku)
        ORDER BY 1
        """
    )
    return [sku for (sku,) in rows]


def backordered(tx: Transaction, skus: Collection[str]) -> dict[str, list[Waiting]]:
    """Backordered reservations of these SKUs, locked; those that others change are left out.

    Waiting for them here, with levels locked, would be a deadlock: reviews find what is left out.
    """
    rows = tx.fetch(
        "SELECT sku, id, order_id, line_number, quantity, promised_by FROM reservation"
        " WHERE sku = ANY(%s::text[]) AND node IS NULL AND state = 'backordered'"
        " ORDER BY order_id, id FOR NO KEY UPDATE SKIP LOCKED",
        (sorted(skus),),
    )
    found: dict[str, list[Waiting]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Waiting(*row[1:]))
    return found


def waiting_for_substitutes(tx: Transaction, skus: Collection[str]) -> dict[str, list[Waiting]]:
    """By each of these SKUs, the backordered units, locked, whose order allows it in their place.

    A line is substituted whole: some node has enough. Not of kits. What others change is left out
    as in `backordered`.
    """
    names = sorted(skus)
    rows = tx.fetch(
        """
        SELECT a.sku, r.id, r.order_id, r.line_number, r.quantity, r.promised_by
        FROM product p
        JOIN unnest(%s::text[]) AS a (sku) ON a.sku = ANY (p.substitutes)
        JOIN reservation r ON r.sku = p.sku AND r.node IS NULL AND r.state = 'backordered'
                          AND r.kit = ''
        JOIN sales_order o ON o.id = r.order_id AND o.substitutes_allowed
        WHERE p.substitutes <> '{}' AND p.substitutes && %s::text[]
          AND EXISTS (SELECT FROM stock_level l WHERE l.sku = a.sku AND l.methods <> 0
                      GROUP BY l.node HAVING sum(l.available) >= r.quantity)
        ORDER BY r.order_id, r.id FOR NO KEY UPDATE OF r SKIP LOCKED
        """,
        (names, names),
    )
    found: dict[str, list[Waiting]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Waiting(*row[1:]))
    return found


def unpromised(tx: Transaction, skus: Collection[str]) -> dict[str, int]:
    """Available units of each SKU where any method is on, less soft demand to be sourced yet."""
    rows = tx.fetch(
        """
        SELECT k.sku, coalesce((SELECT sum(t.available) FROM stock_total t
                                WHERE t.sku = k.sku AND t.methods <> 0), 0)
            - coalesce((SELECT sum(r.quantity) FROM reservation r
                        WHERE r.sku = k.sku AND r.node IS NULL AND r.state = 'soft'), 0)
        FROM unnest(%s::text[]) AS k (sku)
        """,
        (sorted(skus),),
    )
    return {sku: int(units) for sku, units in rows}


CASE_COLUMNS = "id, kind, subject, detail, priority, process, instance, correlation_id, opened_at"


def open_cases(tx: Transaction, rows: Iterable[Sequence[Any]]) -> None:
    """Open cases, in the order of CASE_COLUMNS."""
    tx.copy(f"case_file ({CASE_COLUMNS})", rows)


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
