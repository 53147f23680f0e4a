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
from typing import NamedTuple

from crossdock.engine.capability import Issued
from crossdock.engine.transaction import Transaction
from crossdock.inventory.model import AcceptDemand, DemandAccepted, DemandedLine
from crossdock.inventory.reservations import store
from crossdock.inventory.reservations.book import BACKORDERED, SOFT, ReservationBook
from crossdock.inventory.store import StockBook
from crossdock.kernel.ids import ORDER_SHARDS
from crossdock.model.messages import LineQuantity

SHARED_UNITS = 4
"""Of one SKU, what a batch may take beside others in the gate."""

OTHERS_UNITS = (ORDER_SHARDS - 1) * SHARED_UNITS
"""What all other batches may be taking at this moment."""

METHOD_BITS = {"ship": 1, "pickup": 2, "ship_to_store": 4, "local_delivery": 8, "digital": 16}


class _Pool(NamedTuple):
    """What demand is counted against: one SKU for all paid demand, or as a channel sees it."""

    sku: str
    method: str = ""
    channel: str = ""
    pickup_node: str = ""


def accept(issued: Sequence[Issued], tx: Transaction) -> list[DemandAccepted]:
    """Make each order's units soft, backordered or refused; one answer for each command."""
    book = tx.book(ReservationBook)
    commands = [(each.command, each.cause.id) for each in issued]
    demands = [(c, cause) for c, cause in commands if isinstance(c, AcceptDemand)]
    _take_over_checkouts([demand for demand, _ in demands], tx, book)
    room = _Room(tx, book, [demand for demand, _ in demands])
    return [_accept_one(demand, cause, room, tx, book) for demand, cause in demands]


def _accept_one(
    demand: AcceptDemand, cause: str, room: _Room, tx: Transaction, book: ReservationBook
) -> DemandAccepted:
    soft: list[LineQuantity] = []
    backordered: list[LineQuantity] = []
    refused: list[LineQuantity] = []
    may_wait = demand.paid or demand.on_shortage == "backorder"
    for line in demand.lines:
        covered = room.claim(demand, line)
        uncovered = line.quantity - covered
        if covered:
            soft.append(LineQuantity(line.line, covered))
            _promise(demand, line, covered, SOFT, cause, tx, book)
        if uncovered and may_wait:
            backordered.append(LineQuantity(line.line, uncovered))
            _promise(demand, line, uncovered, BACKORDERED, cause, tx, book)
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
    state: str,
    cause: str,
    tx: Transaction,
    book: ReservationBook,
) -> None:
    is_checkout = demand.checkout_id == demand.order_id
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
        quantity=quantity,
        per_unit=1,
        priority=demand.priority,
        state=state,
        sku=line.sku,
        node=None,
        pickup_node=line.pickup_node,
        kit="",
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


class _Room:
    """What is left for this batch's demand, read in bulk and used up order by order."""

    def __init__(
        self, tx: Transaction, book: ReservationBook, demands: Sequence[AcceptDemand]
    ) -> None:
        self._tx = tx
        self._book = book
        self._claimed: dict[str, int] = {}
        self._claimed_at: dict[tuple[str, str], int] = {}
        self._left: dict[_Pool, int] = {}
        paid = {line.sku for demand in demands if demand.paid for line in demand.lines}
        if paid:
            self._read_paid(sorted(paid))
        unpaid = [demand for demand in demands if not demand.paid]
        if unpaid:
            self._read_unpaid(unpaid)

    def claim(self, demand: AcceptDemand, line: DemandedLine) -> int:
        """Units of the line that something covers; they are counted at once."""
        pool = _pool_of(demand, line)
        claimed = self._claimed.get(line.sku, 0)
        left = self._left.get(pool, 0) - claimed
        place = (line.sku, pool.pickup_node)
        if pool.pickup_node:
            left = self._left[pool] - self._claimed_at.get(place, 0)
        units = max(0, min(line.quantity, left))
        # What is not covered stays in the queue too, where it counts against later demand.
        queued = line.quantity if demand.paid or demand.on_shortage == "backorder" else units
        self._claimed[line.sku] = claimed + queued
        if pool.pickup_node:
            self._claimed_at[place] = self._claimed_at.get(place, 0) + queued
        return units

    def _read_paid(self, skus: list[str]) -> None:
        unwritten = self._unwritten(bits=0)
        for sku, room in store.room_left(self._tx, skus, "ship").items():
            self._left[_Pool(sku)] = room.unreserved + unwritten.get(sku, 0)

    def _read_unpaid(self, demands: Sequence[AcceptDemand]) -> None:
        wanted: dict[_Pool, int] = {}
        for demand in demands:
            for line in demand.lines:
                pool = _pool_of(demand, line)
                wanted[pool] = wanted.get(pool, 0) + line.quantity
        pools: dict[str, list[_Pool]] = {}
        for pool in sorted(wanted):
            pools.setdefault(pool.sku, []).append(pool)
        self._look(wanted)
        alone = {sku: self._is_scarce(of_sku, wanted) for sku, of_sku in pools.items()}
        store.pass_gates(self._tx, list(alone), list(alone.values()))
        self._look(wanted)
        # Between the two looks others may have taken what made the SKU plentiful.
        late = [sku for sku in pools if not alone[sku] and self._is_scarce(pools[sku], wanted)]
        if late:
            store.pass_gates(self._tx, late, [True] * len(late))
            self._look(wanted)

    def _is_scarce(self, pools: Sequence[_Pool], wanted: dict[_Pool, int]) -> bool:
        """Whether taking these units beside others could take what others take."""
        units = sum(wanted[pool] for pool in pools)
        left = min(self._left[pool] for pool in pools)
        return units > SHARED_UNITS or left < units + OTHERS_UNITS

    def _look(self, wanted: dict[_Pool, int]) -> None:
        """Read what is left of each pool, thresholds taken off."""
        for method in sorted({pool.method for pool in wanted if not pool.pickup_node}):
            pools = [p for p in wanted if p.method == method and not p.pickup_node]
            unwritten = self._unwritten(METHOD_BITS.get(method, 0))
            rooms = store.room_left(self._tx, sorted({p.sku for p in pools}), method)
            for channel in sorted({pool.channel for pool in pools}):
                of_channel = [pool for pool in pools if pool.channel == channel]
                kept = store.thresholds(self._tx, channel, sorted({p.sku for p in of_channel}))
                for pool in of_channel:
                    left = rooms[pool.sku].available + unwritten.get(pool.sku, 0)
                    self._left[pool] = left - kept.get(pool.sku, 0)
        at_stores = [pool for pool in wanted if pool.pickup_node]
        if at_stores:
            places = sorted({(pool.sku, pool.pickup_node) for pool in at_stores})
            left_there = store.pickup_room_left(self._tx, places)
            for pool in at_stores:
                self._left[pool] = left_there[pool.sku, pool.pickup_node]

    def _unwritten(self, bits: int) -> dict[str, int]:
        """What this batch has changed and the tables do not show: totals less queued demand.

        With `bits` 0 of all sellable units, else of what is available by those methods.
        """
        shift = {sku: -units for sku, units in self._book.newly_queued.items()}
        for (sku, _zone, methods), change in self._tx.book(StockBook).totals.items():
            sellable, reserved, available = change
            units = sellable - reserved if not bits else available if methods & bits else 0
            shift[sku] = shift.get(sku, 0) + units
        return shift


def _pool_of(demand: AcceptDemand, line: DemandedLine) -> _Pool:
    if demand.paid:
        return _Pool(line.sku)
    return _Pool(line.sku, line.method, demand.channel, line.pickup_node or "")
