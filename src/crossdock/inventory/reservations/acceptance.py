"""Counting an order against what can still be promised, in the transaction that accepts it.

Why two batches never promise one unit twice: what is left of a SKU (totals less queued demand) is
read in one snapshot. Demand that may be refused first stands in the SKU's gate. Alone there, it
sees every earlier claim committed and no other is being made. Together with others it takes at
most SHARED_UNITS, and only while that many for every other seat would still be left: whoever stands
with others has a seat until the commit, so unseen claims can never be more. Paid demand stands in
no gate: it is a fact (the channel has sold it), is never refused, and what nothing covers is
backordered in sight of everyone. Allocation reserves at a node's locked level and cannot
over-reserve at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from crossdock.engine.capability import Issued
from crossdock.engine.transaction import Transaction
from crossdock.inventory.model import AcceptDemand, DemandAccepted, DemandedLine
from crossdock.inventory.reservations.book import (
    BACKORDERED,
    SOFT,
    Reservation,
    ReservationBook,
)
from crossdock.inventory.reservations.room import Room
from crossdock.inventory.reservations.rules import take_units
from crossdock.model.messages import LineQuantity


def accept(issued: Sequence[Issued], tx: Transaction) -> list[DemandAccepted]:
    """Make each order's units soft, backordered or refused; one answer for each command."""
    book = tx.book(ReservationBook)
    commands = [(each.command, each.cause.id) for each in issued]
    demands = [(c, cause) for c, cause in commands if isinstance(c, AcceptDemand)]
    book.load(tx, [c for demand, _ in demands if (c := _checkout_of(demand)) is not None])
    # First what checkouts hold for their own orders: no other order of the batch gets that.
    kept = [_take_over(demand, cause, tx, book) for demand, cause in demands]
    rest = [_without(demand, units) for (demand, _), units in zip(demands, kept, strict=True)]
    room = Room(tx, book, [demand for demand in rest if demand.lines])
    return [
        _accept_one(demand, units, cause, room, tx, book)
        for demand, units, (_, cause) in zip(rest, kept, demands, strict=True)
    ]


def _accept_one(
    demand: AcceptDemand,
    kept: Mapping[int, int],
    cause: str,
    room: Room,
    tx: Transaction,
    book: ReservationBook,
) -> DemandAccepted:
    soft = dict(kept)
    backordered: list[LineQuantity] = []
    refused: list[LineQuantity] = []
    may_wait = demand.paid or demand.on_shortage == "backorder"
    for line in demand.lines:
        covered = room.claim(demand, line)
        uncovered = line.quantity - covered
        parts = room.parts_of(line.sku)
        if demand.substitutes_allowed and may_wait:
            covered, uncovered = line.quantity, 0
        if covered:
            soft[line.line] = soft.get(line.line, 0) + covered
            _promise(demand, line, covered, parts, SOFT, cause, tx, book)
        if uncovered and may_wait:
            backordered.append(LineQuantity(line.line, uncovered))
            _promise(demand, line, uncovered, parts, BACKORDERED, cause, tx, book)
        elif uncovered:
            refused.append(LineQuantity(line.line, uncovered))
    return DemandAccepted(
        order_id=demand.order_id,
        soft=tuple(LineQuantity(line, units) for line, units in soft.items()),
        backordered=tuple(backordered),
        refused=tuple(refused),
    )


def _promise(
    demand: AcceptDemand,
    line: DemandedLine,
    quantity: int,
    parts: Sequence[tuple[str, int]],
    state: str,
    cause: str,
    tx: Transaction,
    book: ReservationBook,
) -> None:
    """Queue units of the line; of a kit its components, which is what runs out."""
    is_checkout = demand.checkout_id == demand.order_id
    for sku, per_unit in parts:
        book.add(
            tx,
            cause,
            demand.order_id,
            line.line,
            checkout_id=demand.checkout_id if is_checkout else None,
            fulfillment_id=None,
            promised_by=line.promised_by,
            expires_at=demand.expires_at,
            picked_at=None,
            quantity=quantity * per_unit,
            per_unit=per_unit,
            priority=demand.priority,
            state=state,
            sku=sku,
            node=None,
            pickup_node=line.pickup_node,
            kit=line.sku if sku != line.sku else "",
            owner="",
            lot="",
            channel=demand.channel,
            method=line.method,
        )


def _checkout_of(demand: AcceptDemand) -> str | None:
    """The checkout an order comes from; a checkout's own demand comes from none."""
    return demand.checkout_id if demand.checkout_id != demand.order_id else None


def _take_over(
    demand: AcceptDemand, cause: str, tx: Transaction, book: ReservationBook
) -> dict[int, int]:
    """Make what the checkout held the order's own; returns its units by line. The rest is freed."""
    checkout = _checkout_of(demand)
    if checkout is None:
        return {}
    kept: dict[int, int] = {}
    for line in demand.lines:
        held = [r for r in _held_for(demand, book) if _is_for(r, line)]
        taken, units = take_units(book, tx, held, line.quantity)
        for part in taken:
            book.remove(part)
            book.add(
                tx,
                cause,
                demand.order_id,
                line.line,
                checkout_id=None,
                fulfillment_id=None,
                promised_by=line.promised_by,
                expires_at=demand.expires_at,
                picked_at=None,
                quantity=part.quantity,
                per_unit=part.per_unit,
                priority=demand.priority,
                state=SOFT,
                sku=part.sku,
                node=None,
                pickup_node=part.pickup_node,
                kit=part.kit,
                owner="",
                lot="",
                channel=demand.channel,
                method=part.method,
            )
        if units:
            kept[line.line] = units
    for left in _held_for(demand, book):
        book.remove(left)
    return kept


def _held_for(demand: AcceptDemand, book: ReservationBook) -> list[Reservation]:
    """What the demand's checkout holds; nobody takes over another channel's."""
    return [r for r in book.of(demand.checkout_id or "") if r.channel == demand.channel]


def _is_for(held: Reservation, line: DemandedLine) -> bool:
    return (held.kit or held.sku, held.method, held.pickup_node) == (
        line.sku,
        line.method,
        line.pickup_node,
    )


def _without(demand: AcceptDemand, kept: Mapping[int, int]) -> AcceptDemand:
    """The demand less the units that are reserved already."""
    if not kept:
        return demand
    lines = (
        msgspec.structs.replace(line, quantity=line.quantity - kept.get(line.line, 0))
        for line in demand.lines
    )
    return msgspec.structs.replace(demand, lines=tuple(line for line in lines if line.quantity))
