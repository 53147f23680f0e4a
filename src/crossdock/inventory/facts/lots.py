"""Lots: their last days of life, and which lots units are of that a source tells without one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from crossdock.engine.capability import Delivery
from crossdock.engine.transaction import Transaction
from crossdock.inventory import ats_store, rules
from crossdock.inventory.facts import lots_store
from crossdock.inventory.facts.cases import Complaint
from crossdock.inventory.facts.lots_store import LotKey
from crossdock.inventory.model import LevelKey, Move
from crossdock.inventory.rules import SELLABLE, Level
from crossdock.inventory.store import StockBook, apply_moves, lock_levels, save_levels
from crossdock.model.messages import InventoryCounted, InventoryMoved


class _Told(NamedTuple):
    expires_on: date
    source: str
    delivery: Delivery


def note_dates(
    tx: Transaction, deliveries: Sequence[Delivery], complaints: list[Complaint]
) -> None:
    """Keep the dates told of lots; the last one stands, and somebody sees that it is another."""
    told: dict[LotKey, _Told] = {}
    for delivery in deliveries:
        message = delivery.message
        assert isinstance(message, InventoryMoved | InventoryCounted)
        items = message.moves if isinstance(message, InventoryMoved) else message.counts
        for item in items:
            if item.expires_on is not None and item.lot:
                told[item.sku, item.lot] = _Told(item.expires_on, message.source, delivery)
    if not told:
        return
    known = lots_store.dates(tx, told)
    new = {key: said for key, said in told.items() if known.get(key) != said.expires_on}
    if not new:
        return
    complaints += [
        Complaint(
            new[key].delivery,
            "lot with another date",
            f"{key[1]} of {key[0]}",
            f"{new[key].source} says that it lives until {new[key].expires_on};"
            f" {known[key]} was known",
        )
        for key in sorted(new.keys() & known.keys())
    ]
    keep_dates(tx, {key: (said.expires_on, said.source) for key, said in new.items()})


def keep_dates(tx: Transaction, told: Mapping[LotKey, tuple[date, str]]) -> None:
    """Keep the last day of life of each (SKU, lot), and who told it."""
    if told:
        lots_store.put_dates(tx, [(*key, *said) for key, said in told.items()])
        settle_lots(tx, told)


def settle_lots(tx: Transaction, lots: Collection[LotKey] | None = None) -> None:
    """Offer lots (None: all) as long as who gets them today gets the life that is owed."""
    changed = lots_store.settle(tx, tx.now.date(), lots)
    if changed:
        tx.book(StockBook).add_all(ats_store.align_lots(tx, changed))


def book_facts(tx: Transaction, moves: Sequence[Move]) -> list[Level]:
    """Book what sources say, units without a lot where they are most likely of; returns the levels
    that changed."""
    lots = _lots_of(tx, moves)
    if not lots:
        return apply_moves(tx, moves)
    keys = {LevelKey(move.sku, move.node, "", move.lot) for move in moves}
    keys.update(LevelKey(*place, "", lot) for place, names in lots.items() for lot in names)
    keys.update(LevelKey(*place) for place in lots_store.places_without_lot(tx, lots))
    levels = lock_levels(tx, keys, create=True)
    ledger = tx.book(StockBook).ledger
    for move in moves:
        for part in divide(move, levels, lots.get((move.sku, move.node), ()), tx.now):
            ledger += rules.book(levels[LevelKey(part.sku, part.node, "", part.lot)], part, tx.now)
    return save_levels(tx, levels.values())


def _lots_of(tx: Transaction, moves: Sequence[Move]) -> Mapping[tuple[str, str], Sequence[str]]:
    """By SKU and node, the lots there and those that come there now; those over soonest first."""
    found = lots_store.lots_at(tx, {(move.sku, move.node) for move in moves})
    lots = {place: [lot for lot, _ in known] for place, known in found.items()}
    for move in moves:
        if move.lot and move.lot not in (names := lots.setdefault((move.sku, move.node), [])):
            names.append(move.lot)
    return lots


def divide(
    move: Move, levels: Mapping[LevelKey, Level], lots: Sequence[str], now: datetime
) -> list[Move]:
    """The move by lots. Units that leave without a lot are taken of those without one, then of
    the lots in the order given, free ones first; units that come into a lot and had left before,
    when nobody knew of which, make up for that."""
    out_of, into = rules.column_of(move.from_bucket), rules.column_of(move.to_bucket)
    if not lots or out_of == into:
        return [move]
    if move.lot:
        if into is None or out_of is not None:
            return [move]
        rest = levels.get(LevelKey(move.sku, move.node))
        missing = 0 if rest is None else rest.overdrawn.get(into, 0)
        return _parts(move, {"": min(missing, move.quantity)}, move.lot)
    if out_of is None:
        return [move]
    shelf = [levels[LevelKey(move.sku, move.node, "", lot)] for lot in ("", *lots)]
    at = move.occurred_at or now
    # Where a later count knows of the move already, its units are gone already.
    seen = [level for level in shelf if rules.seen_by_count(level, out_of, move, at)]
    taken: dict[str, int] = {}
    left = move.quantity
    for only_free in (True, False):
        for level in shelf:
            if level in seen:
                continue
            there = getattr(level, out_of) - taken.get(level.key.lot, 0)
            if only_free and out_of == SELLABLE:
                there -= level.reserved
            step = max(0, min(left, there))
            taken[level.key.lot] = taken.get(level.key.lot, 0) + step
            left -= step
    return _parts(move, taken, seen[-1].key.lot if seen else "")


def _parts(move: Move, units_of_lot: Mapping[str, int], rest_to: str) -> list[Move]:
    """The move cut into its lots; what they leave over goes to one of them."""
    units = dict(units_of_lot)
    units[rest_to] = units.get(rest_to, 0) + move.quantity - sum(units.values())
    return [move._replace(quantity=n, lot=lot) for lot, n in units.items() if n]
