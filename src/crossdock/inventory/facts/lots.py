"""Lots: their last days of life, and which lots units are of that a source tells without one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from crossdock.engine.capability import Delivery
from crossdock.engine.transaction import Transaction
from crossdock.inventory import ats_store, rules
from crossdock.inventory.facts import lots_store
from crossdock.inventory.facts.cases import Complaint
from crossdock.inventory.facts.lots_store import LotKey, Shelved
from crossdock.inventory.model import LevelKey, Move
from crossdock.inventory.rules import SELLABLE, Level
from crossdock.inventory.store import StockBook, apply_moves, lock_levels, save_levels


class Dated(NamedTuple):
    """The last day of a lot, as a source told it of a time."""

    sku: str
    lot: str
    expires_on: date
    at: datetime
    source: str
    delivery: Delivery


def note_dates(tx: Transaction, told: Iterable[Dated], complaints: list[Complaint]) -> None:
    """Keep the dates told of lots. The one of the latest time stands, of two of that time the one
    told later; somebody sees each change."""
    dates = list(told)
    if not dates:
        return
    known = lots_store.dates(tx, {(one.sku, one.lot) for one in dates})
    new: dict[LotKey, tuple[date, datetime, str]] = {}
    for one in dates:
        key = one.sku, one.lot
        before = known.get(key)
        if before is not None and (one.at < before[1] or before == (one.expires_on, one.at)):
            continue
        if before is not None and one.expires_on != before[0]:
            said = f"{one.source} says that it lives until {one.expires_on}; {before[0]} was known"
            subject = f"{one.lot} of {one.sku}"
            complaints.append(Complaint(one.delivery, "lot with another date", subject, said))
        known[key] = one.expires_on, one.at
        new[key] = one.expires_on, one.at, one.source
    keep_dates(tx, new)


def keep_dates(tx: Transaction, told: Mapping[LotKey, tuple[date, datetime, str]]) -> None:
    """Keep the last day of life of each (SKU, lot), as of when it was told, and by whom."""
    if told:
        changed = lots_store.put_dates(tx, [(*key, *said) for key, said in told.items()])
        settle_lots(tx, changed)


def settle_lots(tx: Transaction, lots: Collection[LotKey] | None = None) -> None:
    """Offer lots (None: all) as long as who gets them today gets the life that is owed."""
    changed = lots_store.settle(tx, tx.now.date(), lots)
    if changed:
        tx.book(StockBook).add_all(tx, ats_store.align_lots(tx, changed))


def hold_back(tx: Transaction, places: Collection[tuple[str, str]]) -> None:
    """Share what these (SKU, node) hold back among their lots anew, after their units changed."""
    if places:
        tx.book(StockBook).add_all(tx, ats_store.hold_back(tx, sorted(places)))


class Booked(NamedTuple):
    """The levels that changed, and by move the parts that were booked of it."""

    levels: list[Level]
    parts: list[list[Move]]


def book_facts(tx: Transaction, moves: Sequence[Move]) -> Booked:
    """Book what sources say; units that leave without a lot are taken from what is there."""
    lots = _lots_of(tx, moves)
    if not lots:
        return Booked(apply_moves(tx, moves), [[move] for move in moves])
    keys = {_key_of(move) for move in moves}
    keys.update(LevelKey(*place, "", lot) for place, names in lots.items() for lot in names)
    keys.update(LevelKey(*place) for place in lots_store.places_without_lot(tx, lots))
    levels = lock_levels(tx, keys, create=True)
    ledger = tx.book(StockBook).ledger
    booked = []
    for move in moves:
        parts = divide(move, levels, lots.get((move.sku, move.node), ()), tx.now)
        for part in parts:
            ledger += rules.book(levels[_key_of(part)], part, tx.now)
        booked.append(parts)
    changed = save_levels(tx, levels.values())
    hold_back(tx, lots)
    return Booked(changed, booked)


def _key_of(move: Move) -> LevelKey:
    return LevelKey(move.sku, move.node, move.owner, move.lot)


def _lots_of(tx: Transaction, moves: Sequence[Move]) -> Mapping[tuple[str, str], Sequence[str]]:
    """By SKU and node, the lots there and those that come there now: the shortest-lived first, of
    those that are not over."""
    since = min((move.occurred_at or tx.now for move in moves), default=tx.now)
    found = lots_store.lots_at(tx, {(move.sku, move.node) for move in moves}, since)
    coming = {
        (move.sku, move.node, move.lot)
        for move in moves
        if move.lot and all(move.lot != one.lot for one in found.get((move.sku, move.node), ()))
    }
    if coming:
        dates = lots_store.dates(tx, {(sku, lot) for sku, _, lot in coming})
        for sku, node, lot in sorted(coming):
            expires_on, _ = dates.get((sku, lot), (date.max, None))
            found.setdefault((sku, node), []).append(Shelved(lot, expires_on, False, False))
    return {
        place: [one.lot for one in sorted(known, key=lambda one: (one.is_over, one.expires_on))]
        for place, known in found.items()
    }


def divide(
    move: Move, levels: Mapping[LevelKey, Level], lots: Sequence[str], now: datetime
) -> list[Move]:
    """The move by lots. Units that come into a lot and had left before, when nobody knew of which,
    make up for that; units that leave without one are of those there."""
    out_of, into = rules.column_of(move.from_bucket), rules.column_of(move.to_bucket)
    if not lots or out_of == into:
        return [move]
    if not move.lot and out_of is not None:
        shelf = [levels[LevelKey(move.sku, move.node, "", lot)] for lot in ("", *lots)]
        return _out_of_lots(move, out_of, shelf, move.occurred_at or now)
    if move.lot and out_of is None and into is not None:
        rest = levels.get(LevelKey(move.sku, move.node))
        missing = 0 if rest is None else rest.overdrawn.get(into, 0)
        return _parts(move, {"": min(missing, move.quantity)}, move.lot)
    return [move]


def _out_of_lots(move: Move, bucket: str, shelf: Sequence[Level], at: datetime) -> list[Move]:
    """Units are taken in the order of the shelf, free ones first. Where a later count knows of the
    move already, its units are gone already."""
    seen = [level for level in shelf if rules.seen_by_count(level, bucket, move, at)]
    taken: dict[str, int] = {}
    left = move.quantity
    for only_free in (True, False):
        for level in shelf:
            if level in seen:
                continue
            there = getattr(level, bucket) - taken.get(level.key.lot, 0)
            if only_free and bucket == SELLABLE:
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
