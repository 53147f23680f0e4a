"""From AllocateOrder to what sourcing plans: a demand for each delivery group, of what is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from crossdock.allocation.model import AllocateOrder, GroupToSource, LineToSource
from crossdock.engine.capability import Delivery
from crossdock.inventory.reservations.book import ReservationBook
from crossdock.inventory.reservations.room import METHOD_BITS
from crossdock.inventory.reservations.rules import queued_of_line, units_of_line
from crossdock.sourcing.model import Decision, DemandLine, OrderDemand, PlannedLine, SkuFacts
from crossdock.sourcing.policy import SourcingPolicy


class Request(NamedTuple):
    """One AllocateOrder with its delivery, and what it answers for that is not open any more."""

    delivery: Delivery
    order: AllocateOrder
    not_open: list[tuple[int, int]]
    """(line, units) that have no queued reservation: canceled meanwhile."""


class Demand(NamedTuple):
    """What one delivery group of a request needs."""

    request: Request
    group: GroupToSource
    planned: OrderDemand

    @property
    def key(self) -> tuple[str, int]:
        """Names it within its batch: the request's delivery and the group."""
        return self.request.delivery.id, self.group.number

    def without(self, substitute: str) -> Demand:
        """The same, with a substitute that may not be sent."""
        barred = (*self.planned.barred_substitutes, substitute)
        planned = msgspec.structs.replace(self.planned, barred_substitutes=barred)
        return self._replace(planned=planned)


def requests_of(deliveries: Sequence[Delivery]) -> list[Request]:
    """The requests among a station's deliveries, in their order."""
    return [
        Request(delivery, delivery.message, [])
        for delivery in deliveries
        if isinstance(delivery.message, AllocateOrder)
    ]


def demands_of(
    requests: Sequence[Request],
    book: ReservationBook,
    products: Mapping[str, SkuFacts],
    policies: Mapping[str, SourcingPolicy],
) -> list[Demand]:
    """Demands of all requests; `policies` gives the policy by order id.

    A unit is asked for once, however many requests of this batch name it.
    """
    demands: list[Demand] = []
    left: dict[tuple[str, int], int] = {}
    for request in requests:
        order = request.order
        live = book.of(order.order_id)
        by_group: dict[int, list[tuple[LineToSource, int]]] = {}
        for line in order.lines:
            key = (order.order_id, line.line)
            if key not in left:
                left[key] = units_of_line(queued_of_line(live, line.line))
            units = min(line.quantity, left[key])
            left[key] -= units
            if units < line.quantity:
                request.not_open.append((line.line, line.quantity - units))
            if units:
                by_group.setdefault(line.group, []).append((line, units))
        groups = {group.number: group for group in order.groups}
        for number, lines in by_group.items():
            group = groups[number]
            policy = policies[order.order_id]
            planned = _planned(order, group, lines, len(demands), products, policy)
            demands.append(Demand(request, group, planned))
    return demands


def _planned(
    order: AllocateOrder,
    group: GroupToSource,
    lines: Sequence[tuple[LineToSource, int]],
    sequence: int,
    products: Mapping[str, SkuFacts],
    policy: SourcingPolicy,
) -> OrderDemand:
    # Nobody gives us exchange rates: an order in another currency counts at our list prices.
    is_foreign = order.currency != policy.currency
    wanted = []
    for line, units in lines:
        value = line.unit_value
        if is_foreign or not value:
            facts = products.get(line.sku)
            value = 0 if facts is None else facts.price_in(policy.currency)
        wanted.append(
            DemandLine(line.line, line.sku, units, group.number, value, line.excluded_nodes)
        )
    return OrderDemand(
        order.order_id,
        sequence,
        tuple(wanted),
        order.channel,
        group.method,
        group.service,
        order.priority,
        order.placed_at,
        group.promised_by,
        group.country,
        group.postal_code,
        group.latitude,
        group.longitude,
        (),
        (group.pickup_node,) if group.pickup_node and group.method == "pickup" else (),
        0 if is_foreign else order.value,
        policy.currency,
        order.brand,
        order.selling_entity,
        order.substitutes_allowed,
    )


def skus_of(demand: OrderDemand, products: Mapping[str, SkuFacts]) -> list[str]:
    """SKUs whose stock a demand may take: the ordered ones, components, substitutes."""
    skus: list[str] = []
    for line in demand.lines:
        names = [line.sku]
        facts = products.get(line.sku)
        if facts is not None and facts.substitutes and demand.substitutes_allowed:
            names += facts.substitutes
        for sku in names:
            of_sku = products.get(sku)
            if of_sku is not None and of_sku.components:
                skus += [component for component, _ in of_sku.components]
            else:
                skus.append(sku)
    return skus


def kit_of(lines: Sequence[PlannedLine], ordered: str, products: Mapping[str, SkuFacts]) -> str:
    """The kit that a line's units make, be it the ordered one or its substitute; '' for none.

    One of a kit's own components may be its substitute, so all of them have to be there.
    """
    made = {line.sku: line.taken // line.quantity for line in lines}
    for name in (ordered, lines[0].instead_of):
        facts = products.get(name)
        if facts is not None and dict(facts.components) == made:
            return name
    return ""


def sent_for(lines: Sequence[PlannedLine], ordered: str, products: Mapping[str, SkuFacts]) -> str:
    """The SKU that a node sends for a line: the ordered one or its substitute, a kit as such."""
    return kit_of(lines, ordered, products) or lines[0].sku


def substitutes_in(
    order: OrderDemand, decision: Decision, products: Mapping[str, SkuFacts]
) -> dict[int, str]:
    """By line, the SKU that a plan sends in place of the line's."""
    found: dict[int, str] = {}
    for line in order.lines if order.substitutes_allowed else ():
        for node in decision.chosen.nodes:
            planned = [one for one in node.lines if one.line_number == line.line_number]
            sent = sent_for(planned, line.sku, products) if planned else line.sku
            if sent != line.sku:
                found[line.line_number] = sent
    return found


def method_bits(method: str) -> int:
    """The method as inventory writes it on its levels."""
    return METHOD_BITS.get(method, 0)
