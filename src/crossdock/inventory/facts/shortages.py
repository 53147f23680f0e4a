"""What follows from facts: reservations that lost their ground, and backorders that gained it.

Whoever books facts calls both, in the same transaction, with the levels that changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from crossdock.engine.transaction import Transaction
from crossdock.inventory import rules
from crossdock.inventory.facts import store as facts_store
from crossdock.inventory.model import LevelKey, Move, ShortageFound, StockArrived
from crossdock.inventory.reservations.book import Reservation, ReservationBook
from crossdock.inventory.rules import Breakable, Level
from crossdock.inventory.store import StockBook, apply_moves
from crossdock.kernel.ids import derive
from crossdock.model.messages import LineQuantity

SHORTAGE = "shortage"


class Shortage(NamedTuple):
    """A broken reservation, and the level that broke it."""

    level: LevelKey
    found: ShortageFound


class Arrival(NamedTuple):
    """Backordered units of an order that can be served, and a SKU they are of."""

    sku: str
    found: StockArrived


def break_reservations(tx: Transaction, levels: Iterable[Level]) -> list[Shortage]:
    """Where less is left than is reserved, unpicked reservations give way until the rest fits.

    Broken units are soft again (queued demand) and named to their orders. What is picked cannot
    give way: units in hand that the count does not have open a Case.
    """
    short = {level.key: level.shortfall for level in levels if level.shortfall > 0}
    if not short:
        return []
    book = tx.book(ReservationBook)
    book.flush(tx)
    unpicked = facts_store.breakable(tx, short)
    chosen = {
        key: rules.choose_broken(unpicked.get(key, ()), units) for key, units in short.items()
    }
    book.load(tx, {one.order_id for ones in chosen.values() for one, _ in ones})
    broken: list[Shortage] = []
    moves: list[Move] = []
    given: Counter[LevelKey] = Counter()
    for key, units in short.items():
        for reservation, chosen_part in chosen[key]:
            # Kits that another component of theirs broke have given way here as well.
            part = min(chosen_part, units - given[key])
            if part > 0:
                begun = len(moves)
                broken += _break(tx, book, key, reservation, part, moves)
                for move in moves[begun:]:
                    given[LevelKey(move.sku, move.node, move.owner, move.lot)] += move.quantity
        left = units - sum(part for _, part in chosen[key])
        if left > 0:
            _open_case(tx, key, left)
    apply_moves(tx, moves)
    return broken


def _break(
    tx: Transaction,
    book: ReservationBook,
    key: LevelKey,
    reservation: Breakable,
    units: int,
    moves: list[Move],
) -> list[Shortage]:
    """Make the broken units soft; of a kit, the other components of the same kits as well."""
    rows = [row for row in book.of(reservation.order_id) if _same_work(row, reservation, key.node)]
    this = next((row for row in rows if row.id == reservation.id), None)
    if this is None:
        return []  # Broken already, together with another component of its kit.
    lines = -(-min(units, this.quantity) // this.per_unit)
    for row, taken in _of_so_many(lines, this, rows):
        part = book.take(row, taken, tx)
        moves.append(
            Move(
                part.sku,
                key.node,
                part.quantity,
                "reserved",
                "free",
                SHORTAGE,
                part.order_id,
                part.line,
                part.fulfillment_id,
                owner=part.owner,
                lot=part.lot,
            )
        )
        book.queue(part)
    found = ShortageFound(
        order_id=this.order_id,
        line=this.line,
        quantity=lines,
        node=key.node,
        reason=SHORTAGE,
        fulfillment_id=reservation.fulfillment_id,
    )
    return [Shortage(key, found)]


def _same_work(row: Reservation, broken: Breakable, node: str) -> bool:
    return (
        row.state == "allocated"
        and row.node == node
        and row.line == broken.line
        and row.fulfillment_id == broken.fulfillment_id
    )


def _of_so_many(
    lines: int, this: Reservation, rows: Iterable[Reservation]
) -> Iterator[tuple[Reservation, int]]:
    """What so many units of the line take of each reservation, of this one first. A kit takes of
    all its components, each of which may lie in several lots."""
    alike = [row for row in rows if this.kit and row.kit == this.kit and row is not this]
    left: dict[str, int] = {}
    for row in (this, *alike):
        wanted = left.setdefault(row.sku, lines * row.per_unit)
        if taken := min(row.quantity, wanted):
            left[row.sku] -= taken
            yield row, taken


def _open_case(tx: Transaction, key: LevelKey, units: int) -> None:
    """Picked units that a count does not have: a person has to look."""
    subject = f"{key.sku} at {key.node}"
    facts_store.open_cases(
        tx,
        [
            (
                derive(tx.now, "case", "picked beyond count", *key),
                "picked beyond count",
                subject,
                f"{units} picked units of {subject} are not among those counted there",
                2,
                "inventory",
                key.node,
                None,
                tx.now,
            )
        ],
    )


def serve_backorders(tx: Transaction, skus: Collection[str]) -> list[Arrival]:
    """Give what no demand has claimed yet to backorders, the oldest promise first.

    Served units become soft: still queued demand, so ATS does not rise in between; their orders
    are told and ask for allocation again.
    """
    if not skus:
        return []
    waiting = facts_store.backordered(tx, skus)
    instead = facts_store.waiting_for_substitutes(tx, skus)
    if not waiting and not instead:
        return []
    book = tx.book(ReservationBook)
    book.flush(tx)
    headroom = facts_store.unpromised(tx, waiting.keys() | instead.keys())
    pending = tx.book(StockBook).pending_available()
    chosen = []
    for sku in sorted(headroom):
        left = headroom[sku] + pending.get(sku, 0)
        parts = rules.choose_served(waiting.get(sku, ()), left)
        left -= sum(part for _, part in parts)
        # Who ordered it comes before those to whom it may be sent instead, who take it whole.
        others = rules.choose_served(instead.get(sku, ()), left)
        parts += [(one, part) for one, part in others if part == one.quantity]
        chosen += [(sku, one, part) for one, part in parts]
    book.load(tx, {one.order_id for _, one, _ in chosen})
    served: dict[str, Counter[tuple[int, str]]] = {}
    sku_of: dict[str, str] = {}
    for sku, one, part in chosen:
        row = next((row for row in book.of(one.order_id) if row.id == one.id), None)
        if row is None or row.state != "backordered":
            continue  # The order itself has changed it in this batch.
        # Some of it may have been given up in this batch, after what the rows still say. Of a kit's
        # component only what makes whole kits is of use.
        part = min(part, row.quantity) // row.per_unit * row.per_unit
        if not part:
            continue
        taken = book.take(row, part, tx)
        book.queue(taken)
        served.setdefault(one.order_id, Counter())[row.line, row.sku] += part // row.per_unit
        sku_of.setdefault(one.order_id, sku)
    return [
        Arrival(sku_of[order_id], _arrived(order_id, units)) for order_id, units in served.items()
    ]


def _arrived(order_id: str, units_of: Mapping[tuple[int, str], int]) -> StockArrived:
    """A line's units, of a kit those of the component that most came of."""
    lines: dict[int, int] = {}
    for (line, _), units in units_of.items():
        lines[line] = max(lines.get(line, 0), units)
    return StockArrived(
        order_id=order_id,
        lines=tuple(LineQuantity(line, units) for line, units in sorted(lines.items()) if units),
    )
