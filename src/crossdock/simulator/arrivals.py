"""What a dataset brings, taken in as time goes by: orders in bulk, the rest as messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from crossdock import db
from crossdock.engine.inbox import Inbound
from crossdock.engine.process import Address
from crossdock.engine.routing import route_of_text
from crossdock.importers.arrivals import (
    Arrival,
    CancelArrival,
    CreditArrival,
    EntryArrival,
    OrderArrival,
    StockArrival,
)
from crossdock.model.messages import CancelRequested, InventoryMoved, StockMove
from crossdock.model.outside import OutsideOrder
from crossdock.simulator.chance import Chance
from crossdock.simulator.people import order_address

TakeOrders = Callable[[db.Connection, Sequence[OutsideOrder], datetime], object]
"""Takes orders in, in bulk: parties, addresses, references and the inbox. The caller commits."""

LOST_TO = {"damaged": "damaged", "lost": "lost", "sold_elsewhere": "customer"}


class ArrivalQueue:
    """Reads a dataset as the clock moves. Remembers nothing of what it has handed on."""

    def __init__(
        self,
        arrivals: Iterator[Arrival],
        take_orders: TakeOrders,
        chance: Chance,
        nodes: Sequence[str],
        placed: Callable[[OutsideOrder], None] = lambda order: None,
        limit: int | None = None,
    ) -> None:
        self._arrivals = arrivals
        self._take_orders = take_orders
        self._chance = chance
        self._nodes = sorted(nodes)
        self._placed = placed
        self._left = limit
        self._known: set[str] = set()
        self._next: Arrival | None = None
        self.counts: dict[str, int] = {}
        self._advance()

    @property
    def taken(self) -> int:
        """Orders taken in so far."""
        return len(self._known)

    def next_at(self) -> datetime | None:
        """When the next arrival comes."""
        return None if self._next is None else self._next.at

    def take_in(self, connection: db.Connection, now: datetime) -> list[Inbound]:
        """Take in the orders that have come by `now`; the rest of what came is returned."""
        orders: list[OutsideOrder] = []
        others: list[Inbound] = []
        while self._next is not None and self._next.at <= now:
            arrival = self._next
            if isinstance(arrival, OrderArrival):
                orders.append(arrival.order)
                if not arrival.repeated:
                    self._known.add(arrival.order.id)
                    self._placed(arrival.order)
                else:
                    self._count("order sent twice")
            else:
                others.extend(self._message(arrival))
            self._advance()
        if orders:
            self._take_orders(connection, orders, now)
        return others

    def _advance(self) -> None:
        """The next arrival that concerns the orders of this run."""
        for arrival in self._arrivals:
            if isinstance(arrival, OrderArrival) and not arrival.repeated:
                if self._left == 0:
                    continue
                self._left = None if self._left is None else self._left - 1
            elif isinstance(arrival, OrderArrival):
                if arrival.order.id not in self._known:
                    continue
            elif isinstance(arrival, CancelArrival | CreditArrival):
                if arrival.order_id not in self._known:
                    continue
            elif self._left == 0:
                continue
            self._next = arrival
            return
        self._next = None

    def _message(self, arrival: Arrival) -> Iterator[Inbound]:
        if isinstance(arrival, CancelArrival):
            self._count("customer cancels part" if arrival.lines else "customer cancels")
            yield self._cancel(arrival, arrival.request_id, arrival.reason)
        elif isinstance(arrival, CreditArrival):
            self._count("credit")
            yield self._cancel(arrival, arrival.credit_id, "credit")
        elif isinstance(arrival, StockArrival):
            self._count(f"stock {arrival.reason}")
            yield self._moved(arrival)
        elif isinstance(arrival, EntryArrival):
            self._count(f"entry {arrival.kind}")

    def _cancel(
        self, arrival: CancelArrival | CreditArrival, request_id: str, reason: str
    ) -> Inbound:
        """A credit is asked for like a cancellation: what is gone becomes a return claim."""
        request = CancelRequested(
            order_id=arrival.order_id, request_id=request_id, lines=arrival.lines, reason=reason
        )
        address = order_address(arrival.order_id)
        return Inbound("channel", f"cancel/{request_id}", request, address, arrival.at, "customer")

    def _moved(self, arrival: StockArrival) -> Inbound:
        """The books name no place; the seed does."""
        place = self._chance.fraction("where", arrival.move_id) * len(self._nodes)
        node = self._nodes[int(place)]
        found = arrival.quantity > 0
        other = "unexplained" if found else LOST_TO.get(arrival.reason, "unexplained")
        move = StockMove(
            arrival.move_id,
            arrival.sku,
            node,
            abs(arrival.quantity),
            other if found else "sellable",
            "sellable" if found else other,
            arrival.reason,
            arrival.at,
        )
        message = InventoryMoved(
            source="books", sequence=int(arrival.at.timestamp() * 1000), moves=(move,)
        )
        address = Address("inventory", node, route_of_text(node))
        return Inbound("books", arrival.move_id, message, address, arrival.at, "books")

    def _count(self, kind: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
