"""What is left for a batch's demand: read in bulk, at the gates, and used up order by order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from crossdock.engine.transaction import Transaction
from crossdock.inventory.model import AcceptDemand, DemandedLine
from crossdock.inventory.reservations import store
from crossdock.inventory.reservations.book import ReservationBook
from crossdock.inventory.store import StockBook

SHARED_UNITS = 6
"""Of one SKU, what a batch may take beside others in the gate."""

METHOD_BITS = {"ship": 1, "pickup": 2, "ship_to_store": 4, "local_delivery": 8, "digital": 16}

Wanted = dict["Pool", int]


class Pool(NamedTuple):
    """What demand is counted against: one SKU for all paid demand, or as a channel sees it."""

    sku: str
    method: str = ""
    channel: str = ""
    pickup_node: str = ""


class Room:
    """What is left of each SKU, and of kits by their components."""

    def __init__(
        self, tx: Transaction, book: ReservationBook, demands: Sequence[AcceptDemand]
    ) -> None:
        self._tx = tx
        self._book = book
        self._claimed: dict[str, int] = {}
        self._claimed_at: dict[tuple[str, str], int] = {}
        self._left: dict[Pool, int] = {}
        self._kits_left: dict[Pool, int] = {}
        ordered = sorted({line.sku for demand in demands for line in demand.lines})
        self._kits = store.components_of(tx, ordered) if ordered else {}
        paid = [demand for demand in demands if demand.paid]
        unpaid = [demand for demand in demands if not demand.paid]
        if paid:
            self._read_paid(paid)
        if unpaid:
            self._read_unpaid(unpaid)
        if self._kits:
            self._read_kits(demands)

    def parts_of(self, sku: str) -> Sequence[tuple[str, int]]:
        """(SKU, units for one of the line): a kit's components, else the product itself."""
        return self._kits.get(sku) or ((sku, 1),)

    def claim(self, demand: AcceptDemand, line: DemandedLine) -> int:
        """Units of the line that something covers; they are counted at once.

        What is not covered stays in the queue if it may wait, and counts against later demand.
        """
        pool = pool_of(demand, line)
        parts = self.parts_of(line.sku)
        units = line.quantity
        for sku, per_unit in parts:
            units = min(units, self._left_of(pool._replace(sku=sku)) // per_unit)
        if line.sku in self._kits:
            kits_left = self._kits_left.get(pool, 0) - self._claimed.get(line.sku, 0)
            units = min(units, kits_left)
            self._claimed[line.sku] = self._claimed.get(line.sku, 0) + max(0, units)
        units = max(0, units)
        queued = line.quantity if demand.paid or demand.on_shortage == "backorder" else units
        for sku, per_unit in parts:
            self._claimed[sku] = self._claimed.get(sku, 0) + queued * per_unit
            if pool.pickup_node:
                place = (sku, pool.pickup_node)
                self._claimed_at[place] = self._claimed_at.get(place, 0) + queued * per_unit
        return units

    def _left_of(self, pool: Pool) -> int:
        if pool.pickup_node:
            claimed = self._claimed_at.get((pool.sku, pool.pickup_node), 0)
        else:
            claimed = self._claimed.get(pool.sku, 0)
        return self._left.get(pool, 0) - claimed

    def _read_paid(self, demands: Sequence[AcceptDemand]) -> None:
        skus = {
            sku for demand in demands for line in demand.lines for sku, _ in self.parts_of(line.sku)
        }
        more = unwritten(self._tx, self._book, 0)
        for sku, room in store.room_left(self._tx, sorted(skus), "ship").items():
            self._left[Pool(sku)] = room.unreserved + more.get(sku, 0)

    def _read_kits(self, demands: Sequence[AcceptDemand]) -> None:
        """Components that lie apart make no kit, however many there are of each."""
        self._book.flush(self._tx)  # Rare enough not to count queued kits in two places.
        wanted = {
            (line.method, pool_of(demand, line))
            for demand in demands
            for line in demand.lines
            if line.sku in self._kits
        }
        for method in sorted({method for method, _ in wanted}):
            pools = [pool for known, pool in wanted if known == method]
            whole = store.whole_kits(self._tx, sorted({pool.sku for pool in pools}), method)
            for pool in pools:
                room = whole.get(pool.sku, store.Room(0, 0))
                # A pickup is bounded by its own store's components already.
                self._kits_left[pool] = room.available if pool.method else room.unreserved

    def _read_unpaid(self, demands: Sequence[AcceptDemand]) -> None:
        wanted: Wanted = {}
        for demand in demands:
            for line in demand.lines:
                for sku, per_unit in self.parts_of(line.sku):
                    pool = pool_of(demand, line)._replace(sku=sku)
                    wanted[pool] = wanted.get(pool, 0) + line.quantity * per_unit
        pools: dict[str, list[Pool]] = {}
        for pool in sorted(wanted):
            pools.setdefault(pool.sku, []).append(pool)
        others = store.take_seat(self._tx)
        self._look(wanted)
        alone = {sku for sku in pools if self._is_scarce(pools[sku], wanted, others)}
        while late := self._pass_gates(pools, wanted, others, alone):
            alone |= late

    def _pass_gates(
        self,
        pools: Mapping[str, Sequence[Pool]],
        wanted: Wanted,
        others: int | None,
        alone: Set[str],
    ) -> set[str]:
        """Stand in the gates and look; leave them where SKUs not `alone` turn out scarce: these.

        Others may have taken in between what made them plentiful. Two who stood together in a gate
        and both asked to be alone there would wait for each other, so who must ask leaves first.
        """
        with self._tx.connection.transaction() as standing:
            store.pass_gates(self._tx, list(pools), [sku in alone for sku in pools])
            self._look(wanted)
            late = {
                sku for sku in pools.keys() - alone if self._is_scarce(pools[sku], wanted, others)
            }
            standing.force_rollback = bool(late)
        return late

    def _is_scarce(self, pools: Sequence[Pool], wanted: Wanted, others: int | None) -> bool:
        """Whether taking these units beside so many others could take what they take."""
        if others is None:
            return True
        units = sum(wanted[pool] for pool in pools)
        left = min(self._left[pool] for pool in pools)
        return units > SHARED_UNITS or left < units + others * SHARED_UNITS

    def _look(self, wanted: Wanted) -> None:
        """Read what is left of each pool, thresholds taken off."""
        for method in sorted({pool.method for pool in wanted if not pool.pickup_node}):
            pools = [p for p in wanted if p.method == method and not p.pickup_node]
            more = unwritten(self._tx, self._book, METHOD_BITS.get(method, 0))
            rooms = store.room_left(self._tx, sorted({p.sku for p in pools}), method)
            for channel in sorted({pool.channel for pool in pools}):
                of_channel = [pool for pool in pools if pool.channel == channel]
                kept = store.thresholds(self._tx, channel, sorted({p.sku for p in of_channel}))
                for pool in of_channel:
                    left = rooms[pool.sku].available + more.get(pool.sku, 0)
                    self._left[pool] = left - kept.get(pool.sku, 0)
        at_stores = [pool for pool in wanted if pool.pickup_node]
        if at_stores:
            places = sorted({(pool.sku, pool.pickup_node) for pool in at_stores})
            left_there = store.pickup_room_left(self._tx, places)
            for pool in at_stores:
                self._left[pool] = left_there[pool.sku, pool.pickup_node]


def unpromised(
    tx: Transaction, book: ReservationBook, skus: Sequence[str], method: str
) -> dict[str, int]:
    """Units of each SKU, in their order, that can be sold by the method still; whoever asks stands
    alone in their gates until the commit, so that nobody sells them meanwhile."""
    store.pass_gates(tx, skus, [True] * len(skus))
    rooms = store.room_left(tx, skus, method)
    more = unwritten(tx, book, METHOD_BITS.get(method, 0))
    return {sku: room.available + more.get(sku, 0) for sku, room in rooms.items()}


def unwritten(tx: Transaction, book: ReservationBook, bits: int) -> dict[str, int]:
    """What a batch has changed and the tables do not show: totals less queued demand.

    With `bits` 0 of all sellable units, else of what is available by those methods.
    """
    shift = {sku: -units for sku, units in book.newly_queued.items()}
    for (sku, _zone, methods), change in tx.book(StockBook).totals.items():
        sellable, reserved, available = change
        units = sellable - reserved if not bits else available if methods & bits else 0
        shift[sku] = shift.get(sku, 0) + units
    return shift


def pool_of(demand: AcceptDemand, line: DemandedLine) -> Pool:
    if demand.paid:
        return Pool(line.sku)
    return Pool(line.sku, line.method, demand.channel, line.pickup_node or "")
