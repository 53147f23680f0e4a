"""How things end: packages, a node's work, the order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crossdock.engine.process import Output, StopTimer
from crossdock.processes.order_to_fulfillment import checkouts, holding, money, telling
from crossdock.processes.order_to_fulfillment.declaration import CLOSED, OPEN, enter
from crossdock.processes.order_to_fulfillment.state import Parcel, SalesOrderState, Work
from crossdock.processes.order_to_fulfillment.units import is_done, is_settled


def finish(order: SalesOrderState, now: datetime) -> Iterator[Output]:
    """With the last unit shipped or canceled no money is held; with all done, it is closed."""
    if not is_settled(order):
        return
    if order.stage != OPEN:
        yield from checkouts.settle(order, accepted=False)
        enter(order, OPEN)
    for name in order.holds:
        yield holding.lifted(order, name, now, approved=False)
    order.holds = []
    for line in order.lines:
        line.waiting = False
    yield from money.void_leftovers(order, now)
    if is_done(order):
        for tender in order.tenders:
            if tender.authorized_until is not None:
                yield StopTimer(f"authorization-{tender.number}")
        enter(order, CLOSED)
        telling.closed(order)
        order.news.closed_at = now


def take_parcel(order: SalesOrderState, shipment_id: str, package: int) -> Parcel | None:
    """The package, no longer on its way."""
    for parcel in order.parcels:
        if parcel.package == package and parcel.shipment_id == shipment_id:
            order.parcels.remove(parcel)
            return parcel
    return None


def arrive(work: Work, number: int, quantity: int) -> int:
    """Units are on their way no longer, whatever became of them."""
    at_node = work.of(number)
    assert at_node is not None and at_node.on_way >= quantity, "only what left can arrive"
    at_node.on_way -= quantity
    return quantity


def leave_if_empty(order: SalesOrderState, work: Work) -> None:
    """Forget a node's work once nothing of it is there, on its way, or to be answered for."""
    if not any(line.held or line.on_way or line.recalling for line in work.lines):
        order.works.remove(work)
