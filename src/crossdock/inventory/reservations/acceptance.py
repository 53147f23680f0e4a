"""Counting an order against what can still be promised, in the transaction that accepts it.

Why two batches never promise one unit twice: what is left of a SKU (totals less queued demand) is
read in one snapshot. Demand that may be refused first stands in the SKU's gate. Alone there, it
sees every earlier claim committed and no other is being made. Together with others it takes at
most SHARED_UNITS, and only while that many for every other order shard would still be left: each
shard is in one batch at a time, so unseen claims can never be more. Paid demand stands in no gate:
it is a fact (the channel has sold it), is never refused, and what nothing covers is backordered in
sight of everyone. Allocation reserves at a node's locked level and cannot over-reserve at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crossdock.engine.capability import Issued
from crossdock.engine.transaction import Transaction
from crossdock.inventory.model import AcceptDemand, DemandAccepted, DemandedLine
from crossdock.inventory.reservations.book import BACKORDERED, SOFT, ReservationBook
from crossdock.inventory.reservations.room import Room
from crossdock.model.messages import LineQuantity


def accept(issued: Sequence[Issued], tx: Transaction) -> list[DemandAccepted]:
    """Make each order's units soft, backordered or refused; one answer for each command."""
    book = tx.book(ReservationBook)
    commands = [(each.command, each.cause.id) for each in issued]
    demands = [(c, cause) for c, cause in commands if isinstance(c, AcceptDemand)]
    _take_over_checkouts([demand for demand, _ in demands], tx, book)
    room = Room(tx, book, [demand for demand, _ in demands])
    return [_accept_one(demand, cause, room, tx, book) for demand, cause in demands]


def _accept_one(
    demand: AcceptDemand, cause: str, room: Room, tx: Transaction, book: ReservationBook
) -> DemandAccepted:
    soft: list[LineQuantity] = []
    backordered: list[LineQuantity] = []
    refused: list[LineQuantity] = []
    may_wait = demand.paid or demand.on_shortage == "backorder"
    for line in demand.lines:
        covered = room.claim(demand, line)
        uncovered = line.quantity - covered
        parts = room.parts_of(line.sku)
        if covered:
            soft.append(LineQuantity(line.line, covered))
            _promise(demand, line, covered, parts, SOFT, cause, tx, book)
        if uncovered and may_wait:
            backordered.append(LineQuantity(line.line, uncovered))
            _promise(demand, line, uncovered, parts, BACKORDERED, cause, tx, book)
        elif uncovered:
            refused.append(LineQuantity(line.line, uncovered))
    return DemandAccepted(
        order_id=demand.order_id,
        soft=tuple(soft),
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


def _take_over_checkouts(
    demands: Iterable[AcceptDemand], tx: Transaction, book: ReservationBook
) -> None:
    """What a checkout held is free for its order to take within the same transaction."""
    checkouts = [
        demand.checkout_id
        for demand in demands
        if demand.checkout_id is not None and demand.checkout_id != demand.order_id
    ]
    if not checkouts:
        return
    book.load(tx, checkouts)
    for checkout in checkouts:
        for promised in book.of(checkout):
            book.remove(promised)
