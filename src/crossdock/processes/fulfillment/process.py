"""Fulfillment: one node's work for part of an order, from submitted to arrived.

The node accepts, picks, packs and ships; a step it leaves out is implied by the next. Units it
cannot or may not send go back to the order, which finds another node or cancels them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crossdock.engine.process import OpenCase, Output, StartTimer, StopTimer, Unfit
from crossdock.inventory.model import (
    PickStock,
    ReservationsFreed,
    ShipStock,
    ShortageFound,
    StockPicked,
    StockShipped,
    StockUnpicked,
)
from crossdock.kernel.ids import derive
from crossdock.model.events import (
    FulfillmentOrderDeclined,
    FulfillmentOrderOpened,
    FulfillmentOrderPacked,
    FulfillmentOrderPicked,
)
from crossdock.model.messages import (
    FulfillmentAccepted,
    FulfillmentDeclined,
    FulfillmentShipped,
    InterceptAnswered,
    ItemsPacked,
    ItemsPicked,
    LineQuantity,
    RecallAnswered,
    ShipmentDelivered,
    ShipmentLost,
    ShippedPackage,
    ShortLine,
)
from crossdock.ordering.model import (
    AcknowledgementDue,
    FulfillmentOpened,
    RecallRequested,
    UnitsDelivered,
    UnitsGivenBack,
    UnitsLost,
    UnitsPacked,
    UnitsPicked,
    UnitsShipped,
    UnitsStopped,
    UnitsWithdrawn,
)
from crossdock.processes.fulfillment import recalling
from crossdock.processes.fulfillment.declaration import (
    ALIVE,
    AT_NODE,
    CLOSED,
    SHIPPED,
    SUBMITTED,
    WORKING,
    process,
    tell,
    to_order,
)
from crossdock.processes.fulfillment.state import FulfillmentState, Package, Tidings
from crossdock.processes.fulfillment.units import begin, end_at_node, give_back, quantities

# The way it should go ---------------------------------------------------------------------------


@process.starts_with(FulfillmentOpened)
def submit(work: FulfillmentState, opened: FulfillmentOpened, now: datetime) -> Iterator[Output]:
    """The node sees it; after a time without an answer it is taken away again."""
    tell(
        work,
        FulfillmentOrderOpened,
        group=opened.group,
        lines=opened.lines,
        ship_by=opened.ship_by,
        replaces=opened.replaces,
        substitutes=opened.substitutes,
    )
    if opened.acknowledge_by is not None:
        yield StartTimer(
            name="acknowledgement", due=opened.acknowledge_by, message=AcknowledgementDue()
        )


@process.on(FulfillmentAccepted, stages=(SUBMITTED,))
def accept(
    work: FulfillmentState, accepted: FulfillmentAccepted, now: datetime
) -> Iterator[Output]:
    """The node takes the work."""
    yield from begin(work)


@process.on(ItemsPicked, stages=AT_NODE)
def pick(work: FulfillmentState, items: ItemsPicked, now: datetime) -> Iterator[Output]:
    """Units are in hand, or could not be found: those are sourced elsewhere."""
    yield from begin(work)
    picked: dict[int, int] = {}
    short: list[ShortLine] = []
    beyond = 0
    for one in items.picked:
        line = work.line(one.line)
        if line is None:
            beyond += one.quantity
            continue
        known = min(one.quantity, line.assumed)
        line.assumed -= known
        new = min(one.quantity - known, line.unpicked)
        line.picked += new
        beyond += one.quantity - known - new
        picked[one.line] = picked.get(one.line, 0) + new
    for missing in items.short:
        line = work.line(missing.line)
        quantity = min(missing.quantity, line.unpicked) if line is not None else 0
        if line is not None and quantity:
            line.short += quantity
            short.append(ShortLine(missing.line, quantity, missing.reason))
    found = quantities(picked)
    moot = recalling.drop_what_is_not_here(work, now)
    if found or short:
        yield PickStock(
            order_id=work.order_id,
            fulfillment_id=work.id,
            node=work.node,
            picked=found,
            short=tuple(short),
        )
        told = UnitsPicked(fulfillment_id=work.id, picked=found, short=tuple(short), moot=moot)
        tell(work, FulfillmentOrderPicked, lines=found, short=tuple(short))
        yield to_order(work, told)
    if beyond:
        yield _beyond(work, "picked", beyond)
    yield from end_at_node(work, now)


@process.on(ItemsPacked, stages=AT_NODE)
def pack(work: FulfillmentState, items: ItemsPacked, now: datetime) -> Iterator[Output]:
    """Units are in packages, so somebody picked them."""
    yield from begin(work)
    packed: dict[int, int] = {}
    for one in items.lines:
        line = work.line(one.line)
        if line is None:
            continue
        quantity = min(one.quantity, line.quantity - line.short - line.given_back - line.packed)
        line.packed += quantity
        line.assume_picked(line.packed)
        packed[one.line] = packed.get(one.line, 0) + quantity
    if any(packed.values()):
        tell(work, FulfillmentOrderPacked, lines=quantities(packed))
        yield to_order(work, UnitsPacked(fulfillment_id=work.id, lines=quantities(packed)))
    yield from end_at_node(work, now)


@process.on(FulfillmentShipped, stages=AT_NODE)
def ship(work: FulfillmentState, items: FulfillmentShipped, now: datetime) -> Iterator[Output]:
    """Packages left. A node may send nothing but this. The same shipment again changes nothing."""
    if any(package.reference == items.shipment_id for package in work.packages):
        return
    yield from begin(work)
    shipment_id = derive(now, work.id, "shipment", items.shipment_id)
    sent: list[ShippedPackage] = []
    shipped: dict[int, int] = {}
    beyond = 0
    for outside in items.packages:
        lines: list[LineQuantity] = []
        for one in outside.lines:
            line = work.line(one.line)
            quantity = min(one.quantity, line.left) if line is not None else 0
            beyond += one.quantity - quantity
            if line is not None and quantity:
                line.shipped += quantity
                line.bare = min(line.bare, line.left)
                line.packed = max(line.packed, line.shipped)
                line.assume_picked(line.packed)
                shipped[one.line] = shipped.get(one.line, 0) + quantity
                lines.append(LineQuantity(one.line, quantity))
        if lines:
            sent.append(_only(outside, lines))
            work.packages.append(
                Package(
                    shipment_id,
                    len(sent),
                    items.shipment_id,
                    outside.tracking,
                    outside.carrier,
                    [(one.line, one.quantity) for one in lines],
                )
            )
    if beyond:
        yield _beyond(work, "shipped", beyond)
    if not sent:
        return
    yield ShipStock(
        order_id=work.order_id,
        fulfillment_id=work.id,
        node=work.node,
        shipment_id=shipment_id,
        lines=quantities(shipped),
        shipped_at=items.shipped_at,
    )
    yield to_order(
        work,
        UnitsShipped(
            fulfillment_id=work.id,
            shipment_id=shipment_id,
            reference=items.shipment_id,
            packages=tuple(sent),
            shipped_at=items.shipped_at,
        ),
    )
    yield from recalling.stop_what_left(work, now)
    yield from end_at_node(work, now)
    yield from _hear_tidings(work, now)


@process.on(FulfillmentShipped, stages=(SHIPPED, CLOSED))
def ship_too_much(
    work: FulfillmentState, items: FulfillmentShipped, now: datetime
) -> Iterator[Output]:
    """Nothing was left to be shipped: a person has to see what that was. Told twice is nothing."""
    if not any(package.reference == items.shipment_id for package in work.packages):
        yield _beyond(work, "shipped", sum(q.quantity for p in items.packages for q in p.lines))


def _only(outside: ShippedPackage, lines: list[LineQuantity]) -> ShippedPackage:
    if len(lines) == len(outside.lines) and tuple(lines) == outside.lines:
        return outside
    return ShippedPackage(
        lines=tuple(lines),
        carrier=outside.carrier,
        service=outside.service,
        tracking=outside.tracking,
        weight_grams=outside.weight_grams,
    )


def _beyond(work: FulfillmentState, what: str, quantity: int) -> OpenCase:
    return OpenCase(
        kind=f"{what} beyond the order",
        subject=work.node,
        detail=f"{quantity} units more than fulfillment {work.id} holds",
    )


@process.on(ShipmentDelivered, stages=ALIVE)
def deliver(work: FulfillmentState, told: ShipmentDelivered, now: datetime) -> Iterator[Output]:
    """A package arrived; what was to be stopped is beyond stopping."""
    yield from _arrive(
        work, Tidings(told.shipment_id, told.tracking, "delivered", told.delivered_at), now
    )


@process.on(ShipmentLost, stages=ALIVE)
def lose(work: FulfillmentState, told: ShipmentLost, now: datetime) -> Iterator[Output]:
    """The carrier gives a package up."""
    yield from _arrive(
        work, Tidings(told.shipment_id, told.tracking, "lost", now, told.reason), now
    )


def _arrive(work: FulfillmentState, told: Tidings, now: datetime) -> Iterator[Output]:
    package = _find(work, told.reference, told.tracking)
    if package is None and work.stage in AT_NODE:
        work.tidings.append(told)  # The carrier was faster than the node's own message.
        return
    if package is None or package.status != "on_way":
        yield from _report_odd(work, package, told)
        return
    package.status = told.status
    lines = tuple(LineQuantity(*line) for line in package.lines)
    if told.status == "delivered":
        yield from recalling.refuse_package(work, package, now)
        yield to_order(
            work,
            UnitsDelivered(
                fulfillment_id=work.id,
                shipment_id=package.shipment_id,
                package=package.number,
                lines=lines,
                delivered_at=told.at or now,
            ),
        )
    else:
        package.asked = ""
        yield to_order(
            work,
            UnitsLost(
                fulfillment_id=work.id,
                shipment_id=package.shipment_id,
                package=package.number,
                lines=lines,
                reason=told.reason,
            ),
        )
    yield from end_at_node(work, now)


def _report_odd(work: FulfillmentState, package: Package | None, told: Tidings) -> Iterator[Output]:
    """Told twice is nothing new; anything else a person should see."""
    if package is None or package.status != told.status:
        was = "not known" if package is None else package.status
        yield OpenCase(
            kind="carrier contradicts itself",
            subject=told.tracking or told.reference,
            detail=f"package is {was} and said to be {told.status}",
        )


@process.on(ShipmentDelivered, ShipmentLost, stages=(CLOSED,))
def hear_late(
    work: FulfillmentState, told: ShipmentDelivered | ShipmentLost, now: datetime
) -> Iterator[Output]:
    """A parcel given up turns up, or the other way round."""
    status = "delivered" if isinstance(told, ShipmentDelivered) else "lost"
    package = _find(work, told.shipment_id, told.tracking)
    yield from _report_odd(work, package, Tidings(told.shipment_id, told.tracking, status, now))


def _hear_tidings(work: FulfillmentState, now: datetime) -> Iterator[Output]:
    for told in list(work.tidings):
        if _find(work, told.reference, told.tracking) is not None:
            work.tidings.remove(told)
            yield from _arrive(work, told, now)


def _find(work: FulfillmentState, reference: str, tracking: str) -> Package | None:
    """The package of that tracking number, else the only one of that shipment."""
    of_shipment = [p for p in work.packages if p.reference == reference]
    for package in of_shipment or work.packages:
        if tracking and package.tracking == tracking:
            return package
    return of_shipment[0] if len(of_shipment) == 1 and not tracking else None


# The ways it may go otherwise ---------------------------------------------------------------------


@process.on(FulfillmentDeclined, stages=AT_NODE)
def decline(
    work: FulfillmentState, declined: FulfillmentDeclined, now: datetime
) -> Iterator[Output]:
    """The node refuses what it still has; the order finds another."""
    yield from _take_away(work, declined.reason, now)


@process.on(FulfillmentDeclined, stages=(SHIPPED, CLOSED))
def decline_late(
    work: FulfillmentState, declined: FulfillmentDeclined, now: datetime
) -> Iterator[Output]:
    """Work that was taken away meanwhile is nothing to decline; what has left cannot be."""
    if work.work != "canceled":
        yield OpenCase(
            kind="declined what has left",
            subject=work.node,
            detail=f"fulfillment {work.id}: {declined.reason}",
        )


@process.on(AcknowledgementDue, stages=(SUBMITTED,))
def time_out(work: FulfillmentState, due: AcknowledgementDue, now: datetime) -> Iterator[Output]:
    """Nobody looked at it in time."""
    yield OpenCase(kind="node silent", subject=work.node, detail=f"fulfillment {work.id}")
    yield from _take_away(work, "silent", now)


def _take_away(work: FulfillmentState, reason: str, now: datetime) -> Iterator[Output]:
    work.acknowledgement = "declined"
    work.news.changed = True
    yield StopTimer("acknowledgement")
    units = {line.line: line.left for line in work.lines}
    tell(work, FulfillmentOrderDeclined, reason=reason, lines=quantities(units))
    yield from recalling.answer_from(work, units, now)
    yield from give_back(work, units)
    rest = quantities(units)
    if rest:
        yield to_order(work, UnitsGivenBack(fulfillment_id=work.id, reason=reason, lines=rest))
    yield from end_at_node(work, now)


@process.on(RecallRequested, stages=ALIVE)
def recall(work: FulfillmentState, asked: RecallRequested, now: datetime) -> Iterator[Output]:
    """Ask the node for what is here, the carrier for what has left; refuse what is beyond both."""
    yield from recalling.ask(work, asked, now)


@process.on(RecallRequested, stages=(CLOSED,))
def refuse_recall(
    work: FulfillmentState, asked: RecallRequested, now: datetime
) -> Iterator[Output]:
    """Nothing is left to give back."""
    yield to_order(
        work,
        UnitsGivenBack(
            fulfillment_id=work.id,
            reason="recalled",
            refused=asked.lines,
            request_id=asked.request_id,
        ),
    )


@process.on(RecallAnswered, stages=AT_NODE)
def take_answer(work: FulfillmentState, told: RecallAnswered, now: datetime) -> Iterator[Output]:
    """Only what the node gives back is freed, and canceled by the order."""
    given = {one.line: one.quantity for one in told.given_back}
    yield from recalling.take_answer(work, told.request_id, given, now)
    yield from end_at_node(work, now)


@process.on(InterceptAnswered, stages=ALIVE)
def take_interception(
    work: FulfillmentState, told: InterceptAnswered, now: datetime
) -> Iterator[Output]:
    """The carrier could stop a package, or not."""
    package = next((p for p in work.packages if p.asked and p.asked == told.request_id), None)
    if package is None or package.status != "on_way":
        return
    if not told.stopped:
        yield from recalling.refuse_package(work, package, now)
        return
    package.status, package.asked = "stopped", ""
    yield to_order(
        work,
        UnitsStopped(
            fulfillment_id=work.id,
            shipment_id=package.shipment_id,
            package=package.number,
            lines=tuple(LineQuantity(*line) for line in package.lines),
            request_id=told.request_id,
        ),
    )
    yield from end_at_node(work, now)


@process.on(ShortageFound)
def withdraw(work: FulfillmentState, shortage: ShortageFound, now: datetime) -> Iterator[Output]:
    """The books lost units: those nobody has in hand are sourced elsewhere.

    Those in hand are shipped all the same, and take their queued reservations with them.
    """
    line = work.line(shortage.line)
    quantity = in_hand = 0
    if line is not None:
        quantity = min(shortage.quantity, line.unpicked)
        in_hand = min(shortage.quantity - quantity, line.picked - line.shipped - line.bare)
        line.given_back += quantity
        line.bare += in_hand
    yield to_order(
        work,
        UnitsWithdrawn(
            fulfillment_id=work.id,
            lines=quantities({shortage.line: quantity}),
            gone=quantities({shortage.line: shortage.quantity - quantity - in_hand}),
            moot=recalling.drop_what_is_not_here(work, now),
        ),
    )
    yield from end_at_node(work, now)


@process.on(ReservationsFreed, StockPicked, StockShipped, StockUnpicked)
def note_stock(
    work: FulfillmentState,
    noted: ReservationsFreed | StockPicked | StockShipped | StockUnpicked,
    now: datetime,
) -> None:
    """Inventory's books agree; the log has it."""


process.takes(Unfit.STALE, FulfillmentAccepted, stages=(WORKING, SHIPPED, CLOSED))
process.takes(Unfit.STALE, AcknowledgementDue, stages=(WORKING, SHIPPED, CLOSED))
process.takes(Unfit.STALE, RecallAnswered, stages=(SHIPPED, CLOSED))
process.takes(Unfit.STALE, InterceptAnswered, stages=(CLOSED,))
process.takes(Unfit.STALE, ItemsPicked, ItemsPacked, stages=(SHIPPED, CLOSED))
