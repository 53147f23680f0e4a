"""Levels, ledger and totals: the one way units move, and one function per statement.

Locks: lots by (sku, lot), levels by (sku, node, owner, lot), then, at the end of the batch, totals
by (sku, zone, methods). Whoever changes a level goes through `apply_moves` or `reserve`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from crossdock.engine.transaction import Transaction
from crossdock.inventory import rules
from crossdock.inventory.model import LevelKey, Move, Want
from crossdock.inventory.rules import LedgerRow, Level
from crossdock.model.stock import LEVEL_BUCKETS

LEDGER_COLUMNS = (
    "recorded_at, occurred_at, order_id, fulfillment_id, quantity, line, from_bucket, to_bucket,"
    " sku, node, owner, lot, reason, source, source_move_id"
)

TotalKey = tuple[str, str, int]
"""sku, zone, methods."""


def apply_moves(tx: Transaction, moves: Sequence[Move]) -> list[Level]:
    """Book facts: levels, ledger and totals, in a fixed number of statements.

    Returns the levels that changed, as they are now and were `before`. Afterwards a level may hold
    less than is reserved there (`shortfall`); the caller answers for it in the same transaction.
    """
    stock = tx.book(StockBook)
    quiet = [move for move in moves if not rules.changes_level(move)]
    stock.ledger += [rules.ledger_row(move, tx.now) for move in quiet]
    loud = moves if not quiet else [move for move in moves if rules.changes_level(move)]
    if not loud:
        stock.write_if_closed(tx)
        return []
    levels = lock_levels(tx, {_key_of(move) for move in loud}, create=True)
    now, ledger, book = tx.now, stock.ledger, rules.book
    for move in loud:
        ledger += book(levels[_key_of(move)], move, now)
    return save_levels(tx, levels.values())


def reserve(tx: Transaction, wants: Sequence[Want]) -> list[int]:
    """Reserve where enough is free, in the order given; returns the units granted to each want.

    0 is a refusal. Rows are locked in the documented order before anything is decided, so the
    answer does not depend on who else reserves. Reservation rows are the caller's to write.
    """
    levels = lock_levels(tx, {_key_of(want) for want in wants})
    granted = [rules.grant(levels.get(_key_of(want)), want) for want in wants]
    tx.book(StockBook).ledger += [
        (
            tx.now, tx.now, want.order_id, None, units, want.line, "free", "reserved",
            want.sku, want.node, want.owner, want.lot, "allocated", "", "",
        )
        for want, units in zip(wants, granted, strict=True)
        if units
    ]  # fmt: skip
    save_levels(tx, levels.values())
    return granted


def _key_of(item: Move | Want) -> LevelKey:
    return LevelKey(item.sku, item.node, item.owner, item.lot)


class StockBook:
    """What is written once per batch: ledger rows by one COPY, totals by one statement.

    Totals are the last rows a batch locks, so that a popular SKU is held for a moment only.
    """

    def __init__(self) -> None:
        self.ledger: list[LedgerRow] = []
        self.totals: dict[TotalKey, list[int]] = {}
        self._closed = False

    def add_total(self, level: Level) -> None:
        """Note by how much a level changed."""
        changes = (
            level.sellable - level.before[0],
            level.reserved - level.before[1],
            level.available - level.available_before,
        )
        if any(changes):
            self.add((level.key.sku, level.zone, level.methods), changes)

    def add(self, key: TotalKey, changes: tuple[int, int, int]) -> None:
        """Note a change of (sellable, reserved, available) of a total."""
        sums = self.totals.setdefault(key, [0, 0, 0])
        for position, change in enumerate(changes):
            sums[position] += change

    def add_all(
        self, tx: Transaction, changes: Iterable[tuple[TotalKey, tuple[int, int, int]]]
    ) -> None:
        """Note changes that no batch of moves made."""
        for key, change in changes:
            self.add(key, change)
        self.write_if_closed(tx)

    def pending_available(self, methods: int = 31, zones: Collection[str] = ()) -> dict[str, int]:
        """By SKU, available units that `stock_total` does not show yet; no zones are all."""
        pending: dict[str, int] = {}
        for (sku, zone, bits), sums in self.totals.items():
            if bits & methods and (not zones or zone in zones):
                pending[sku] = pending.get(sku, 0) + sums[2]
        return pending

    def write(self, tx: Transaction) -> None:
        """Write what has gathered; the batch may go on."""
        if self.ledger:
            tx.copy(f"stock_ledger ({LEDGER_COLUMNS})", self.ledger)
            self.ledger = []
        if self.totals:
            add_to_totals(tx, self.totals)
            self.totals = {}

    def flush(self, tx: Transaction) -> None:
        """The end of the batch; what another book's flush still adds is written at once."""
        self.write(tx)
        self._closed = True

    def write_if_closed(self, tx: Transaction) -> None:
        """Keep nothing that no flush will see."""
        if self._closed:
            self.write(tx)


def save_levels(tx: Transaction, levels: Collection[Level]) -> list[Level]:
    """Write locked levels that changed, and note their totals; returns those whose units did."""
    stock = tx.book(StockBook)
    changed = [level for level in levels if level.changed]
    whole = [level for level in levels if level.redrawn or level.newly_counted]
    known = set(whole)
    numbers = changed if not whole else [level for level in changed if level not in known]
    if numbers:
        update_levels(tx, numbers)
    if whole:
        update_whole_levels(tx, whole)
    for level in changed:
        stock.add_total(level)
    stock.write_if_closed(tx)
    return changed


def lock_levels(
    tx: Transaction, keys: Iterable[LevelKey], *, create: bool = False
) -> dict[LevelKey, Level]:
    """Lock levels in the documented order and read them; missing ones are left out or created."""
    wanted = sorted(set(keys))
    tx.locks_shared_rows = True
    levels = _lock(tx, wanted)
    if create and len(levels) < len(wanted):
        missing = [key for key in wanted if key not in levels]
        create_levels(tx, missing)
        levels |= _lock(tx, missing)
    return levels


def _lock(tx: Transaction, keys: Sequence[LevelKey]) -> dict[LevelKey, Level]:
    rows = tx.fetch(
        """
        SELECT l.sku, l.node, l.owner, l.lot, l.zone, l.methods, l.sellable, l.reserved, l.damaged,
               l.quality_control, l.in_transit, l.safety_stock, l.buffer, l.quarantined,
               l.count_lacks_our_shipments, l.sellable_as_of, l.damaged_as_of,
               l.quality_control_as_of, l.in_transit_as_of, l.sellable_overdrawn,
               l.damaged_overdrawn, l.quality_control_overdrawn, l.in_transit_overdrawn
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS k (sku, node, owner, lot)
        JOIN stock_level l
          ON l.sku = k.sku AND l.node = k.node AND l.owner = k.owner AND l.lot = k.lot
        ORDER BY l.sku, l.node, l.owner, l.lot
        FOR NO KEY UPDATE OF l
        """,
        _columns(keys, 4),
    )
    levels = [Level(*row) for row in rows]
    return {level.key: level for level in levels}


def create_levels(tx: Transaction, keys: Sequence[LevelKey]) -> None:
    """Open empty levels with what node and product say of zone, methods and stock held back.

    At a node nobody knows nothing is offered (no zone, no methods) until it is known. What is held
    back stands at the level without owner and lot; `ats_store.hold_back` shares it among lots.
    """
    tx.execute(
        """
        INSERT INTO stock_level (sku, node, owner, lot, zone, methods, safety_stock, buffer)
        SELECT k.sku, k.node, k.owner, k.lot, coalesce(t.zone, ''), coalesce(t.methods, 0),
               coalesce(t.safety_stock, 0), coalesce(t.buffer, 0)
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS k (sku, node, owner, lot)
        LEFT JOIN LATERAL level_terms(k.sku, k.node, k.owner, k.lot) AS t ON true
        ORDER BY k.sku, k.node, k.owner, k.lot
        ON CONFLICT DO NOTHING
        """,
        _columns(keys, 4),
    )


def update_levels(tx: Transaction, levels: Sequence[Level]) -> None:
    """Write the numbers of levels that this transaction has locked."""
    tx.execute(
        """
        UPDATE stock_level l
        SET sellable = n.sellable, reserved = n.reserved, damaged = n.damaged,
            quality_control = n.quality_control, in_transit = n.in_transit,
            shortfall = n.shortfall
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[],
                    %s::int[], %s::int[], %s::int[], %s::int[])
             AS n (sku, node, owner, lot, sellable, reserved, damaged, quality_control, in_transit,
                   shortfall)
        WHERE l.sku = n.sku AND l.node = n.node AND l.owner = n.owner AND l.lot = n.lot
        """,
        _columns([_numbers(level) for level in levels], 10),
    )


def update_whole_levels(tx: Transaction, levels: Sequence[Level]) -> None:
    """The same for levels that were counted or overdrawn, with what that left behind."""
    tx.execute(
        """
        UPDATE stock_level l
        SET sellable = n.sellable, reserved = n.reserved, damaged = n.damaged,
            quality_control = n.quality_control, in_transit = n.in_transit,
            shortfall = n.shortfall, sellable_as_of = n.sellable_as_of,
            damaged_as_of = n.damaged_as_of, quality_control_as_of = n.quality_control_as_of,
            in_transit_as_of = n.in_transit_as_of,
            count_lacks_our_shipments = n.count_lacks_our_shipments,
            sellable_overdrawn = n.sellable_overdrawn, damaged_overdrawn = n.damaged_overdrawn,
            quality_control_overdrawn = n.quality_control_overdrawn,
            in_transit_overdrawn = n.in_transit_overdrawn
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[],
                    %s::int[], %s::int[], %s::int[], %s::int[], %s::timestamptz[],
                    %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::bool[],
                    %s::int[], %s::int[], %s::int[], %s::int[])
             AS n (sku, node, owner, lot, sellable, reserved, damaged, quality_control, in_transit,
                   shortfall, sellable_as_of, damaged_as_of, quality_control_as_of,
                   in_transit_as_of, count_lacks_our_shipments, sellable_overdrawn,
                   damaged_overdrawn, quality_control_overdrawn, in_transit_overdrawn)
        WHERE l.sku = n.sku AND l.node = n.node AND l.owner = n.owner AND l.lot = n.lot
        """,
        _columns(
            [
                (
                    *_numbers(level),
                    *level.counted_as_of(),
                    *(level.overdrawn.get(bucket) or None for bucket in LEVEL_BUCKETS),
                )
                for level in levels
            ],
            19,
        ),
    )


def _numbers(level: Level) -> tuple[Any, ...]:
    return (
        *level.key,
        level.sellable,
        level.reserved,
        level.damaged,
        level.quality_control,
        level.in_transit,
        level.shortfall,
    )


def add_to_totals(tx: Transaction, totals: Mapping[TotalKey, Sequence[int]]) -> None:
    """Add (sellable, reserved, available) to the running sums, in the order of their keys."""
    rows = [(*key, *totals[key]) for key in sorted(totals)]
    tx.execute(
        """
        INSERT INTO stock_total AS t (sku, zone, methods, sellable, reserved, available)
        SELECT * FROM unnest(%s::text[], %s::text[], %s::smallint[], %s::bigint[], %s::bigint[],
                             %s::bigint[])
        ON CONFLICT (sku, zone, methods) DO UPDATE
        SET sellable = t.sellable + excluded.sellable, reserved = t.reserved + excluded.reserved,
            available = t.available + excluded.available
        """,
        _columns(rows, 6),
    )


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned into the arrays a statement unnests."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def ensure_ledger_partitions(tx: Transaction, first: datetime, last: datetime) -> list[str]:
    """Make the monthly partitions of the ledger from `first` to `last`; known ones stay.

    To be called ahead of time: rows that lie in the default partition already keep their month
    there, and the month gets no partition of its own.
    """
    rows = tx.fetch("SELECT make_ledger_partitions(%s, %s)", (first, last))
    return [name for (name,) in rows]
