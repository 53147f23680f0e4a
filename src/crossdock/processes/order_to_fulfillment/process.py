"""Order to fulfillment, the way it should go: placed, paid, accepted, sourced, released, picked,
packed, shipped, charged, delivered, closed. Each node's work is a process of its own (fulfillment).

Read from top to bottom; a step that may fail says what becomes of it, and changes.py holds the
ways an order may go otherwise, payment.py what payment providers answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from crossdock.allocation.model import OrderAllocated, PlannedFulfillment, give_capacity_back
from crossdock.engine.process import Address, Output, Send
from crossdock.inventory.model import DemandAccepted
from crossdock.kernel.ids import derive
from crossdock.model.events import LeftPackage, PackageDelivered, PromiseChanged, ShipmentLeft
from crossdock.model.messages import LineQuantity, OrderPlaced
from crossdock.ordering.model import (
    FULFILLMENT_PROCESS,
    FulfillmentOpened,
    OrderScreened,
    OrderValidated,
    ScreenOrder,
    UnitsDelivered,
    UnitsPacked,
    UnitsPicked,
    UnitsShipped,
    ValidateOrder,
)
from crossdock.ordering.rules import problems_of
from crossdock.processes.order_to_fulfillment import (
    canceling,
    checkouts,
    closing,
    holding,
    money,
    sourcing,
    telling,
)
from crossdock.processes.order_to_fulfillment.declaration import CHECKING, OPEN, enter, process
from crossdock.processes.order_to_fulfillment.state import (
    Freeing,
    Parcel,
    SalesOrderState,
    Work,
    WorkLine,
)
from crossdock.processes.order_to_fulfillment.units import (
    TOWARDS_SHIPPED,
    answered,
    is_settled,
    move,
    pairs,
    unpursued,
)


@process.starts_with(OrderPlaced)
def check(order: SalesOrderState, placed: OrderPlaced, now: datetime) -> Iterator[Output]:
    """Nobody is asked for money, and nothing is promised, before the order makes sense."""
    order.problems = problems_of(placed.order)
    telling.placed(order)
    yield from checkouts.claim(order)
    yield ValidateOrder(order=placed.order, screen=not money.missing(order))


@process.on(OrderValidated, stages=(CHECKING,))
def secure_payment(
    order: SalesOrderState, validated: OrderValidated, now: datetime
) -> Iterator[Output]:
    """Authorize what is not paid yet, tenders in their order of use."""
    order.policy = validated.policy
    order.zones = list(validated.zones)
    order.refuse_shortage = validated.on_shortage == "refuse"
    order.problems += validated.problems
    order.suspicions = list(validated.suspicions)
    order.news.stage = True
    if order.problems and validated.on_invalid == "refuse":
        yield from canceling.wish(order, f"{order.id}/invalid", "invalid", now, ours=True)
        yield from closing.finish(order, now)
    elif order.problems:
        yield from holding.hold_problems(order, now)
    else:
        yield from pay(order, now)


def pay(order: SalesOrderState, now: datetime) -> Iterator[Output]:
    """On to the payment; an order that is paid for goes on at once."""
    enter(order, CHECKING)
    asked = list(money.authorize(order, now))
    yield from asked
    if not asked and money.missing(order) > 0:
        detail = "no tender is left to pay with"
        yield from holding.hold(order, holding.PAYMENT, detail, "payments", now)
    elif not asked:
        yield from accept_unless_suspicious(order, now)


def screen(order: SalesOrderState, risk: int) -> ScreenOrder:
    """It is paid for: may it be trusted?"""
    facts = order.facts
    return ScreenOrder(
        order_id=order.id,
        customer_id=facts.customer_id,
        placed_at=facts.placed_at,
        total=facts.total,
        largest_quantity=max(line.quantity for line in order.lines),
        risk=risk,
    )


@process.on(OrderScreened, stages=(CHECKING,))
def trust(order: SalesOrderState, screened: OrderScreened, now: datetime) -> Iterator[Output]:
    """A suspicious order waits for a person."""
    order.suspicions = list(screened.suspicions)
    yield from accept_unless_suspicious(order, now)


def accept_unless_suspicious(order: SalesOrderState, now: datetime) -> Iterator[Output]:
    """Count the order against what can be sold; from here on it is a promise."""
    if order.suspicions:
        yield from holding.hold(order, holding.SUSPICION, ", ".join(order.suspicions), "fraud", now)
        return
    enter(order, OPEN)
    yield sourcing.demand(order, [line for line in order.lines if line.open])


@process.on(DemandAccepted, stages=(OPEN,))
def confirm(order: SalesOrderState, accepted: DemandAccepted, now: datetime) -> Iterator[Output]:
    """The order is taken: post it, tell the customer, and look for nodes."""
    yield from checkouts.settle(order, accepted=True)
    for number, quantity in pairs(accepted.soft):
        line = order.line(number)
        line.open -= quantity
        line.demanded -= quantity
        line.soft += quantity
    refused: canceling.Gone = []
    for number, quantity in pairs(accepted.refused):
        line = order.line(number)
        line.open -= quantity
        line.demanded -= quantity
        refused.append(
            canceling.cancel_units(order, line, quantity, now, reason="nothing_available")
        )
    yield from canceling.settle(order, refused, now)
    if not (order.posted or is_settled(order)):
        order.posted = True
        yield from telling.announce(order)
    waiting = [(number, quantity, None) for number, quantity in pairs(accepted.backordered)]
    yield from sourcing.backorder(order, waiting, now, "open")
    yield from canceling.pursue(order, now)
    yield from sourcing.source(order, now)
    yield from closing.finish(order, now)


@process.on(OrderAllocated, stages=(OPEN,))
def release(order: SalesOrderState, allocated: OrderAllocated, now: datetime) -> Iterator[Output]:
    """Open the work at each chosen node; its undo is a recall. What has no node goes on."""
    order.asked = []
    order.zones_tried.append(allocated.zone)
    for position, planned in enumerate(allocated.fulfillments):
        yield from _open_work(order, allocated, planned, position, now)
    order.replaces = None
    if allocated.unsourced:
        yield from sourcing.decide_unsourced(order, allocated.unsourced, now)
    yield from canceling.pursue(order, now)
    yield from sourcing.source(order, now)
    yield from closing.finish(order, now)


def _open_work(
    order: SalesOrderState,
    allocated: OrderAllocated,
    planned: PlannedFulfillment,
    position: int,
    now: datetime,
) -> Iterator[Output]:
    given: list[LineQuantity] = []
    kept: list[Freeing] = []
    for number, quantity in pairs(planned.lines):
        line = order.line(number)
        line.soft -= quantity
        # What the customer wanted back while the node was being chosen is not released.
        back = min(quantity, unpursued(order, line)) if order.wishes else 0
        if back:
            line.allocated += back
            kept.append(Freeing(number, back, planned.node))
            quantity -= back
        if quantity:
            line.released += quantity
            given.append(LineQuantity(number, quantity))
            yield from sourcing.wait_no_more(line)
    if kept:
        yield canceling.free(order, kept)
    if not given:
        if planned.counted_on is not None:
            yield give_capacity_back(allocated.zone, planned.node, planned.counted_on)
        return
    work_id = derive(now, order.id, "fulfillment", str(order.attempt), str(position))
    sent = {one.line: one.sku for one in planned.substitutes}
    lines = [WorkLine(n, units, substitute=sent.get(n, "")) for n, units in pairs(tuple(given))]
    order.works.append(Work(work_id, planned.node, planned.group, lines))
    patience = order.policy.acknowledgement_hours
    _promise(order, planned, now)
    yield Send(
        Address(FULFILLMENT_PROCESS, work_id, order.id),
        FulfillmentOpened(
            order_id=order.id,
            node=planned.node,
            group=planned.group,
            lines=tuple(given),
            decision_id=allocated.decision_id,
            estimated_cost=planned.estimated_cost_minor,
            ship_by=planned.ship_by,
            replaces=order.replaces,
            acknowledge_by=_acknowledge_by(planned, patience, now),
            zone=allocated.zone if planned.counted_on is not None else "",
            counted_on=planned.counted_on,
            substitutes=order.works[-1].substitutes(one.line for one in given),
        ),
    )


def _acknowledge_by(planned: PlannedFulfillment, hours: int, now: datetime) -> datetime | None:
    """A node that is closed for days is not silent: it has until its work is to leave, at least."""
    if not hours:
        return None
    patience = now + timedelta(hours=hours)
    return patience if planned.ship_by is None else max(patience, planned.ship_by)


def _promise(order: SalesOrderState, planned: PlannedFulfillment, now: datetime) -> None:
    """The group leaves when its last work does; a first promise is never overwritten."""
    if planned.ship_by is None:
        return
    changed = order.news.groups.setdefault(planned.group, {})
    latest = changed.get("current_leave_by")
    if latest is None or planned.ship_by > latest:
        changed["current_leave_by"] = planned.ship_by
    if order.replaces is not None:
        order.news.promises.append((planned.group, now, planned.ship_by, None, "sourced again"))
        order.news.told.append(
            PromiseChanged(
                order_id=order.id,
                group=planned.group,
                leave_by=planned.ship_by,
                reason="sourced again",
            )
        )


@process.on(UnitsPicked, stages=(OPEN,))
def pick(order: SalesOrderState, picked: UnitsPicked, now: datetime) -> Iterator[Output]:
    """Units are in hand; the rest is sourced elsewhere, so that the order stays whole."""
    work = order.work(picked.fulfillment_id)
    if work is None:
        return
    for number, quantity in pairs(picked.picked):
        at_node = work.of(number)
        if at_node is not None:
            at_node.picked += move(order.line(number), at_node, quantity, ("released",), "picked")
    for number, quantity in pairs(picked.moot):
        answered(work, number, quantity)
    if picked.short:
        lost = [(short.line, short.quantity) for short in picked.short]
        yield from sourcing.source_again(order, work, lost, now)


@process.on(UnitsPacked, stages=(OPEN,))
def pack(order: SalesOrderState, packed: UnitsPacked, now: datetime) -> None:
    """Units are in packages."""
    work = order.work(packed.fulfillment_id)
    for number, quantity in pairs(packed.lines):
        at_node = work.of(number) if work is not None else None
        if at_node is not None:
            at_node.packed += move(
                order.line(number), at_node, quantity, ("picked", "released"), "packed"
            )


@process.on(UnitsShipped, stages=(OPEN,))
def ship(order: SalesOrderState, shipped: UnitsShipped, now: datetime) -> Iterator[Output]:
    """Units have left: charge for them, post delivery and invoice, tell the customer."""
    work = order.work(shipped.fulfillment_id)
    assert work is not None, "a node ships only what it was given"
    units: dict[int, list[int]] = {}
    for package, sent in enumerate(shipped.packages, start=1):
        parcel = Parcel(shipped.shipment_id, package, work.id, [])
        for number, quantity in pairs(sent.lines):
            at_node = work.of(number)
            assert at_node is not None, "a node ships only what it was given"
            line = order.line(number)
            moved = move(line, at_node, quantity, TOWARDS_SHIPPED, "shipped")
            at_node.on_way += moved
            amount = line.settle(moved)
            line.shipped_amount += amount
            parcel.lines.append((number, moved, amount))
            total = units.setdefault(number, [0, 0])
            total[0] += moved
            total[1] += amount
        order.parcels.append(parcel)
    documents = [(number, sent, money_part) for number, (sent, money_part) in units.items()]
    amount = sum(money_part for _, _, money_part in documents)
    _write_shipment(order, work, shipped, units, amount)
    yield from money.charge(order, shipped.shipment_id, amount, now)
    key = shipped.shipment_id
    yield telling.post(order, "delivery", documents, amount, key, key, work.node, work)
    yield telling.post(order, "invoice", documents, amount, key, key, work.node, work)
    tracking = tuple(package.tracking for package in shipped.packages if package.tracking)
    instead = telling.sent_instead(order, documents, work)
    yield from telling.tell(
        order, "shipped", key, amount=amount, tracking=tracking, substitutes=instead
    )
    yield from closing.finish(order, now)


def _write_shipment(
    order: SalesOrderState, work: Work, shipped: UnitsShipped, lines: Iterable[int], amount: int
) -> None:
    news, shipment_id = order.news, shipped.shipment_id
    news.told.append(
        ShipmentLeft(
            order_id=order.id,
            fulfillment_id=work.id,
            node=work.node,
            shipment_id=shipment_id,
            reference=shipped.reference,
            shipped_at=shipped.shipped_at,
            amount=amount,
            packages=tuple(
                LeftPackage(
                    number=number,
                    lines=sent.lines,
                    carrier=sent.carrier,
                    service=sent.service,
                    tracking=sent.tracking,
                )
                for number, sent in enumerate(shipped.packages, start=1)
            ),
            substitutes=work.substitutes(lines),
        )
    )
    news.shipments.append(
        (shipment_id, work.id, shipped.shipped_at, amount, work.node, shipped.reference)
    )
    news.packages += [
        (shipment_id, number, sent.weight_grams, sent.carrier, sent.service, sent.tracking)
        for number, sent in enumerate(shipped.packages, start=1)
    ]
    for parcel in order.parcels:
        if parcel.shipment_id == shipment_id:
            news.shipment_lines += [
                (shipment_id, parcel.package, *line, work.substitute_for(line[0]))
                for line in parcel.lines
            ]
    if not any(line.live for line in order.lines if line.group == work.group):
        news.groups.setdefault(work.group, {})["actual_left_at"] = shipped.shipped_at


@process.on(UnitsDelivered, stages=(OPEN,))
def deliver(order: SalesOrderState, delivered: UnitsDelivered, now: datetime) -> Iterator[Output]:
    """A package arrived."""
    work = order.work(delivered.fulfillment_id)
    parcel = closing.take_parcel(order, delivered.shipment_id, delivered.package)
    if work is None or parcel is None:
        return
    for number, quantity, _ in parcel.lines:
        order.line(number).delivered += closing.arrive(work, number, quantity)
    order.news.arrivals.append(
        (delivered.shipment_id, delivered.package, "delivered_at", delivered.delivered_at)
    )
    order.news.told.append(
        PackageDelivered(
            order_id=order.id,
            fulfillment_id=work.id,
            node=work.node,
            shipment_id=delivered.shipment_id,
            package=delivered.package,
            lines=delivered.lines,
            delivered_at=delivered.delivered_at,
        )
    )
    closing.leave_if_empty(order, work)
    in_group = [line for line in order.lines if line.group == work.group]
    if all(line.delivered == line.shipped and not line.live for line in in_group):
        changed = order.news.groups.setdefault(work.group, {})
        changed["actual_arrived_at"] = delivered.delivered_at
    yield from telling.tell(order, "delivered", f"{delivered.shipment_id}/{delivered.package}")
    yield from closing.finish(order, now)
