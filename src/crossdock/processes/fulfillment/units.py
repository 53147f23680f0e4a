"""Units at one node: begun, given back, and what is over when none is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from crossdock.allocation.model import give_capacity_back
from crossdock.engine.process import Output, StopTimer
from crossdock.inventory.model import FreeLine, FreeReservations, UnpickStock
from crossdock.model.events import FulfillmentOrderAccepted, FulfillmentOrderClosed
from crossdock.model.messages import LineQuantity
from crossdock.processes.fulfillment.declaration import CLOSED, SHIPPED, SUBMITTED, WORKING, tell
from crossdock.processes.fulfillment.state import FulfillmentState


def begin(work: FulfillmentState) -> Iterator[Output]:
    """Whoever works on it has accepted it."""
    if work.stage == SUBMITTED:
        work.stage = WORKING
        if work.acknowledgement == "submitted":
            work.acknowledgement = "accepted"
        work.news.changed = True
        tell(work, FulfillmentOrderAccepted)
        yield StopTimer("acknowledgement")


def give_back(
    work: FulfillmentState, units: Mapping[int, int], bare: dict[int, int] | None = None
) -> Iterator[Output]:
    """Give up units, untouched ones first; what was in hand goes back to the shelf.

    The order still wants them, so they are queued for another node; unless `bare` is given: then it
    does not, and is to free those whose reservations are queued already, which are counted there.
    """
    requeue = bare is None
    free: list[FreeLine] = []
    unpick: dict[int, int] = {}
    for number, quantity in units.items():
        line = work.line(number)
        if line is None or not quantity:
            continue
        untouched = min(quantity, line.unpicked)
        in_hand = quantity - untouched
        reserved = min(in_hand, line.picked - line.shipped - line.bare)
        unreserved = in_hand - reserved
        line.given_back += quantity
        line.picked -= in_hand
        line.bare -= unreserved
        line.assumed = min(line.assumed, line.picked)
        line.packed = min(line.packed, line.picked)
        if untouched:
            free.append(FreeLine(number, untouched, work.node))
        if bare is not None:
            bare[number] = bare.get(number, 0) + unreserved
        unpick[number] = reserved
    if free:
        yield FreeReservations(
            order_id=work.order_id, lines=tuple(free), reason="given_back", requeue=requeue
        )
    if any(unpick.values()):
        yield UnpickStock(
            order_id=work.order_id,
            fulfillment_id=work.id,
            node=work.node,
            lines=quantities(unpick),
            requeue=requeue,
        )


def end_at_node(work: FulfillmentState, now: datetime) -> Iterator[Output]:
    """See how far the work is; when nothing is left here or on its way it is closed."""
    former = work.work, work.stage
    left = any(line.left for line in work.lines)
    on_way = any(package.status == "on_way" for package in work.packages)
    if left:
        work.work = _progress(work)
    elif work.packages:
        work.work = "shipped" if on_way else "delivered"
    else:
        work.work = "canceled"
    if not left and work.stage != CLOSED:
        if work.stage == SUBMITTED:
            yield StopTimer("acknowledgement")
        work.stage = SHIPPED if on_way else CLOSED
        if work.stage == CLOSED:
            work.closed_at = now
            if work.work == "canceled" and work.counted_on is not None:
                yield give_capacity_back(work.zone, work.node, work.counted_on)
            tell(work, FulfillmentOrderClosed, status=work.work)
    if (work.work, work.stage) != former:
        work.news.changed = True


def _progress(work: FulfillmentState) -> str:
    """The least advanced of what is left here."""
    here = [line for line in work.lines if line.left]
    if all(line.packed - line.shipped >= line.left for line in here):
        return "packed"
    if all(not line.unpicked for line in here):
        return "picked"
    return "picking" if any(line.picked for line in work.lines) else "open"


def quantities(units: Mapping[int, int]) -> tuple[LineQuantity, ...]:
    """Units by line, without those of none."""
    return tuple(LineQuantity(line, quantity) for line, quantity in units.items() if quantity)
