"""Finding nodes for units: counted as demand first, then asked for zone by zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from crossdock.allocation.model import (
    Action,
    AllocateOrder,
    GroupToSource,
    LineToSource,
    UnsourcedLine,
    allocate_order_address,
)
from crossdock.engine.process import Output, Send, StartTimer, StopTimer
from crossdock.inventory.model import AcceptDemand, DemandedLine, Destination
from crossdock.model.events import SalesOrderBackordered
from crossdock.model.messages import LineQuantity
from crossdock.ordering.model import BackorderExpired
from crossdock.processes.order_to_fulfillment import canceling, closing, holding, money, telling
from crossdock.processes.order_to_fulfillment.state import Line, SalesOrderState, Work
from crossdock.processes.order_to_fulfillment.units import (
    AWAY_FROM_NODE,
    freeing,
    move,
)


def demand(order: SalesOrderState, lines: list[Line]) -> AcceptDemand:
    """Reserve open units of these lines, at no node yet. What was promised is never refused."""
    first = order.groups[0]
    demanded = []
    for line in lines:
        quantity = line.open - line.demanded
        line.demanded += quantity
        group = first if line.group == first.number else order.group(line.group)
        demanded.append(
            DemandedLine(
                line=line.number,
                sku=line.sku,
                quantity=quantity,
                group=line.group,
                method=group.method,
                service=group.service,
                promised_by=group.promised_by,
                pickup_node=group.pickup_node,
            )
        )
    return AcceptDemand(
        order_id=order.id,
        channel=order.facts.channel,
        paid=order.posted or any(tender.status == money.PAID for tender in order.tenders),
        placed_at=order.facts.placed_at,
        lines=tuple(demanded),
        priority=order.facts.priority,
        destination=Destination(
            country=first.country,
            postal_code=first.postal_code,
            latitude=first.latitude,
            longitude=first.longitude,
        ),
        on_shortage="refuse" if order.refuse_shortage else "backorder",
        checkout_id=order.checkout_id,
        substitutes_allowed=order.facts.substitutes_allowed,
    )


def backorder(
    order: SalesOrderState,
    lines: Iterable[tuple[int, int, datetime | None]],
    now: datetime,
    former: str,
) -> Iterator[Output]:
    """Nobody has these (line, quantity, until): wait for stock, but not for ever, or cancel at
    once, by policy. What has waited before waits no longer for it, and nobody is told again."""
    waiting: list[LineQuantity] = []
    for number, quantity, until in lines:
        line = order.line(number)
        if former == "open":
            line.open -= quantity
            line.demanded -= quantity
        else:
            line.soft -= quantity
        line.backordered += quantity
        if order.policy.on_nothing_available == "cancel":
            asked = (LineQuantity(number, quantity),)
            request = f"{order.id}/unavailable/{number}"
            yield from canceling.wish(order, request, "nothing_available", now, asked, ours=True)
            continue
        if line.wait_until is None:
            waiting.append(LineQuantity(number, quantity))
            line.wait_until = until or now + timedelta(days=order.policy.backorder_days)
        yield StartTimer(
            name=f"backorder-{number}", due=line.wait_until, message=BackorderExpired(line=number)
        )
    if waiting:
        order.news.told.append(SalesOrderBackordered(order_id=order.id, lines=tuple(waiting)))
        order.entries += 1
        yield from telling.tell(order, "backordered", str(order.entries))


def wait_no_more(line: Line) -> Iterator[Output]:
    """With the last unit that waited, the time it might wait is over."""
    if line.wait_until is not None and not (line.soft or line.backordered):
        line.wait_until = None
        yield StopTimer(f"backorder-{line.number}")


def source(order: SalesOrderState, now: datetime) -> Iterator[Output]:
    """Ask the next zone for nodes for all units that have none; one request at a time."""
    if order.asked or (order.holds and order.holds != [holding.SOURCING]):
        return
    wanted = []
    for line in order.lines:
        if line.soft and not line.waiting:
            quantity = line.soft
            if order.freeing:
                quantity -= freeing(order, line.number, queued_only=True)
            if quantity > 0:
                wanted.append((line, quantity))
    if not wanted:
        order.zones_tried = []
        return
    untried = [zone for zone in order.zones if zone not in order.zones_tried]
    if not untried:
        order.zones_tried, untried = [], order.zones
    if not untried or order.attempt >= order.most_attempts:
        for line, _ in wanted:
            line.waiting = True
        yield from holding.hold(
            order, holding.SOURCING, "no zone can be asked for it", "control tower", now
        )
        return
    order.attempt += 1
    order.asked = [line.number for line, _ in wanted]
    yield Send(allocate_order_address(untried[0]), _request(order, wanted, len(untried) == 1))


def _request(order: SalesOrderState, wanted: list[tuple[Line, int]], final: bool) -> AllocateOrder:
    facts = order.facts
    groups = {line.group for line, _ in wanted}
    return AllocateOrder(
        order_id=order.id,
        attempt=order.attempt,
        channel=facts.channel,
        placed_at=facts.placed_at,
        currency=facts.currency,
        brand=facts.brand,
        priority=facts.priority,
        value=facts.total,
        selling_entity=facts.company,
        zones_tried=tuple(order.zones_tried),
        final=final,
        substitutes_allowed=facts.substitutes_allowed,
        lines=tuple(
            LineToSource(
                line.number,
                line.sku,
                quantity,
                line.group,
                line.payable // line.quantity,
                tuple(line.excluded),
            )
            for line, quantity in wanted
        ),
        groups=tuple(
            GroupToSource(
                number=group.number,
                method=group.method,
                service=group.service,
                country=group.country,
                postal_code=group.postal_code,
                latitude=group.latitude,
                longitude=group.longitude,
                pickup_node=group.pickup_node,
                promised_by=group.promised_by,
            )
            for group in order.groups
            if group.number in groups
        ),
    )


def decide_unsourced(
    order: SalesOrderState, unsourced: tuple[UnsourcedLine, ...], now: datetime
) -> Iterator[Output]:
    """What no node of the zone could take: other zones, a backorder, a person, or the end."""
    waiting: list[tuple[int, int, datetime | None]] = []
    for one in unsourced:
        line = order.line(one.line)
        quantity = min(one.quantity, line.soft)
        if not quantity:
            continue
        if one.reason == "not_open":
            if not line.wanted_back:  # Its reservation is gone and nobody asked for that.
                line.soft -= quantity
                line.open += quantity
                yield demand(order, [line])
        elif one.action == Action.BACKORDER:
            waiting.append((one.line, quantity, one.until))
        elif one.action == Action.HOLD:
            line.waiting = True
            yield from holding.hold(order, holding.SOURCING, one.reason, "control tower", now)
        elif one.action == Action.CANCEL:
            asked = (LineQuantity(one.line, quantity),)
            request = f"{order.id}/unsourced/{order.attempt}"
            yield from canceling.wish(order, request, "nothing_available", now, asked, ours=True)
    yield from backorder(order, waiting, now, "soft")


def source_again(
    order: SalesOrderState, work: Work, lines: list[tuple[int, int]], now: datetime
) -> Iterator[Output]:
    """Units a node cannot send are queued again: they are sourced elsewhere, unless unwanted."""
    for number, quantity in lines:
        at_node = work.of(number)
        if at_node is None:
            continue
        line = order.line(number)
        move(line, at_node, quantity, AWAY_FROM_NODE, "soft")
        if work.node not in line.excluded:
            line.excluded.append(work.node)
        order.replaces = work.id
    closing.leave_if_empty(order, work)
    yield from canceling.pursue(order, now)
    yield from source(order, now)
    yield from closing.finish(order, now)
