"""People away from the nodes: customers who change their minds, the desk that lifts holds, and
suppliers who send what is backordered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, time
from typing import NamedTuple

from crossdock.engine.inbox import Inbound
from crossdock.engine.process import Address
from crossdock.engine.routing import route_of_text
from crossdock.model.messages import (
    AddressCorrected,
    CancelRequested,
    HoldLifted,
    InventoryMoved,
    LineQuantity,
    StockMove,
)
from crossdock.model.outside import OutsideOrder
from crossdock.simulator.agenda import Agenda
from crossdock.simulator.chance import Chance
from crossdock.simulator.hours import Hours, instant

ORDER_PROCESS = "order-to-fulfillment"


def order_address(order_id: str) -> Address:
    """Where messages about an order go."""
    return Address(ORDER_PROCESS, order_id, order_id)


class CustomerHabits(NamedTuple):
    """Probabilities are per order."""

    cancel_probability: float = 0.02
    cancel_part_probability: float = 0.008
    """Of orders with several units: one line is given up."""
    mean_hours_to_cancel: float = 14.0


class Customers:
    """Those who placed the orders."""

    def __init__(
        self, chance: Chance, agenda: Agenda, habits: CustomerHabits | None = None
    ) -> None:
        self.chance = chance
        self.agenda = agenda
        self.habits = habits or CustomerHabits()
        self.counts: dict[str, int] = {}

    def placed(self, order: OutsideOrder) -> None:
        """Some will want all or part of it back, minutes to days later."""
        drawn = self.chance.fraction("cancels", order.id)
        whole = self.habits.cancel_probability
        if drawn >= whole + self.habits.cancel_part_probability:
            return
        wait = self.chance.wait(self.habits.mean_hours_to_cancel * 3600.0, "after", order.id)
        lines: tuple[LineQuantity, ...] = ()
        if drawn >= whole:
            if sum(line.quantity for line in order.lines) < 2:
                return
            chosen = order.lines[int(self.chance.fraction("line", order.id) * len(order.lines))]
            lines = (LineQuantity(chosen.number, (chosen.quantity + 1) // 2),)
        self.wants_back(order.id, order.placed_at.timestamp() + 60.0 + wait, lines)

    def wants_back(
        self,
        order_id: str,
        due: float,
        lines: tuple[LineQuantity, ...] = (),
        reason: str = "customer",
        name: str = "1",
    ) -> None:
        """Plan one request; `name` tells several requests of one order apart."""
        self.agenda.plan(due, order_id, f"cancel {name}", self._cancel(lines, reason, name))

    def _cancel(
        self, lines: tuple[LineQuantity, ...], reason: str, name: str
    ) -> Callable[[str, float], Iterable[Inbound]]:
        def cancel(entity: str, due: float) -> Iterable[Inbound]:
            kind = "customer cancels part" if lines else "customer cancels"
            self.counts[kind] = self.counts.get(kind, 0) + 1
            request = CancelRequested(
                order_id=entity, request_id=f"{entity}/{name}", lines=lines, reason=reason
            )
            address = order_address(entity)
            yield Inbound(
                "customer", f"{entity}/cancel/{name}", request, address, instant(due), "customer"
            )

        return cancel


class Held(NamedTuple):
    """A hold that waits for a person. `hold` is its name, `group` the delivery group."""

    order_id: str
    hold: str
    placed_at: datetime
    group: int
    country: str
    postal_code: str
    latitude: float | None
    longitude: float | None


class DeskHabits(NamedTuple):
    """How the back office works."""

    mean_minutes: float = 90.0
    approve_probability: float = 0.8
    opens: time = time(7)
    closes: time = time(22)
    address_found_probability: float = 0.75


ADDRESS_HOLDS = ("address", "invalid_address")


class Desk:
    """Lifts holds and corrects addresses."""

    def __init__(
        self,
        chance: Chance,
        agenda: Agenda,
        place_of: Callable[[Held], tuple[str, float | None, float | None]],
        habits: DeskHabits | None = None,
    ) -> None:
        self.chance = chance
        self.agenda = agenda
        self.place_of = place_of
        self.habits = habits or DeskHabits()
        week = dict.fromkeys(range(1, 8), ((self.habits.opens, self.habits.closes),))
        self.hours = Hours("UTC", week)
        self.counts: dict[str, int] = {}
        self._seen: set[tuple[str, str, datetime]] = set()

    def see(self, holds: Sequence[Held], now: float) -> None:
        """Plan a decision for every hold not seen before."""
        for held in sorted(holds, key=lambda h: h[:3]):
            key = held[:3]
            if key in self._seen:
                continue
            self._seen.add(key)
            entity = f"{held.order_id}/{held.hold}/{held.placed_at.isoformat()}"
            wait = self.chance.wait(self.habits.mean_minutes * 60.0, "decides", entity)
            self.agenda.plan(self.hours.after(now, wait), entity, "hold", self._decide(held))

    def _decide(self, held: Held) -> Callable[[str, float], Iterable[Inbound]]:
        def decide(entity: str, due: float) -> Iterable[Inbound]:
            self.counts[f"hold: {held.hold}"] = self.counts.get(f"hold: {held.hold}", 0) + 1
            about_address = held.hold in ADDRESS_HOLDS
            found = self.habits.address_found_probability
            if about_address and self.chance.happens(found, "address found", entity):
                postal_code, latitude, longitude = self.place_of(held)
                message: AddressCorrected | HoldLifted = AddressCorrected(
                    order_id=held.order_id,
                    group=held.group,
                    country=held.country,
                    postal_code=postal_code,
                    latitude=latitude,
                    longitude=longitude,
                )
            else:
                probability = 0.0 if about_address else self.habits.approve_probability
                message = HoldLifted(
                    order_id=held.order_id,
                    hold=held.hold,
                    approved=self.chance.happens(probability, "approves", entity),
                    actor="desk",
                )
            address = order_address(held.order_id)
            yield Inbound("desk", f"{entity}/{int(due)}", message, address, instant(due), "desk")

        return decide


class Wanted(NamedTuple):
    """Backordered units of a SKU."""

    sku: str
    quantity: int


class SupplierHabits(NamedTuple):
    """Probabilities are per SKU and shortage."""

    delivers_probability: float = 0.85
    shortest_days: float = 1.0
    longest_days: float = 5.0
    extra_share: float = 0.25
    """Sent beyond what is backordered, for those still to order."""


class Suppliers:
    """Send backordered SKUs to one of the receiving nodes."""

    def __init__(
        self,
        chance: Chance,
        agenda: Agenda,
        receiving_nodes: Sequence[str],
        habits: SupplierHabits | None = None,
    ) -> None:
        self.chance = chance
        self.agenda = agenda
        self.nodes = sorted(receiving_nodes)
        self.habits = habits or SupplierHabits()
        self.counts: dict[str, int] = {}
        self._coming: dict[str, int] = {}
        self._trips = 0

    def see(self, wanted: Sequence[Wanted], now: float) -> None:
        """Plan a receipt for what is backordered and not yet on its way."""
        if not self.nodes:
            return
        for sku, quantity in sorted(wanted):
            missing = quantity - self._coming.get(sku, 0)
            if missing <= 0:
                continue
            self._coming[sku] = self._coming.get(sku, 0) + missing
            self._trips += 1
            entity = f"{sku}/{int(now)}"
            if not self.chance.happens(self.habits.delivers_probability, "delivers", entity):
                self.counts["supplier lets down"] = self.counts.get("supplier lets down", 0) + 1
                continue
            days = self.chance.between(
                self.habits.shortest_days, self.habits.longest_days, "days", entity
            )
            sent = missing + int(missing * self.habits.extra_share)
            due = now + days * 86400.0
            self.agenda.plan(due, entity, "receipt", self._receive(sku, missing, sent))

    def _receive(
        self, sku: str, missing: int, sent: int
    ) -> Callable[[str, float], Iterable[Inbound]]:
        def receive(entity: str, due: float) -> Iterable[Inbound]:
            self._coming[sku] -= missing
            self.counts["supplier receipt"] = self.counts.get("supplier receipt", 0) + 1
            node = self.nodes[int(self.chance.fraction("where", entity) * len(self.nodes))]
            move = StockMove(
                f"receipt/{entity}",
                sku,
                node,
                sent,
                "supplier",
                "sellable",
                "receipt",
                instant(due),
            )
            moved = InventoryMoved(source="wms", sequence=int(due * 1000), moves=(move,))
            address = Address("inventory", node, route_of_text(node))
            yield Inbound(
                "wms", f"receipt/{entity}", moved, address, instant(due), f"wms of {node}"
            )

        return receive
