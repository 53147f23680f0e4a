"""Order to fulfillment, the ways it may go otherwise: holds, cancellations, what nodes cannot send,
what carriers lose, what arrives late."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from crossdock.engine.process import Address, OpenCase, Output, Send, StopTimer, Unfit
from crossdock.inventory.model import (
    FreeLine,
    FreeReservations,
    ReservationsFreed,
    ShortageFound,
    StockArrived,
)
from crossdock.model.effects import CustomerNotified, DocumentPosted, DocumentRefused
from crossdock.model.messages import AddressCorrected, CancelRequested, HoldLifted, LineQuantity
from crossdock.ordering.model import (
    FULFILLMENT_PROCESS,
    BackorderExpired,
    ClaimReturn,
    LiftHold,
    UnitsGivenBack,
    UnitsLost,
    UnitsStopped,
    UnitsWithdrawn,
)
from crossdock.ordering.rules import ADDRESS, usable
from crossdock.processes.order_to_fulfillment import (
    canceling,
    closing,
    holding,
    money,
    sourcing,
    telling,
)
from crossdock.processes.order_to_fulfillment.declaration import (
    CHECKING,
    CLOSED,
    HELD,
    OPEN,
    process,
)
from crossdock.processes.order_to_fulfillment.process import accept_unless_suspicious, pay
from crossdock.processes.order_to_fulfillment.state import Freeing, Line, SalesOrderState, Work
from crossdock.processes.order_to_fulfillment.units import (
    AWAY_FROM_NODE,
    move,
    pairs,
)

# Holds -------------------------------------------------------------------------------------------


@process.on(HoldLifted, stages=(HELD, OPEN))
def decide(order: SalesOrderState, lifted: HoldLifted, now: datetime) -> Iterator[Output]:
    """A person decided: go on where the order stopped, or cancel what is left of it."""
    if lifted.hold not in order.holds:
        return
    order.holds.remove(lifted.hold)
    yield LiftHold(
        order_id=order.id,
        hold=lifted.hold,
        approved=lifted.approved,
        lifted_at=now,
        actor=lifted.actor,
    )
    if not lifted.approved:
        yield from canceling.wish(order, f"{order.id}/{lifted.hold}", f"hold_{lifted.hold}", now)
        yield from closing.finish(order, now)
    else:
        yield from go_on(order, lifted.hold, now)


def go_on(order: SalesOrderState, hold: str, now: datetime) -> Iterator[Output]:
    """Where the order stopped for that hold."""
    if hold == holding.SUSPICION:
        order.suspicions = []
    if hold == holding.PAYMENT:
        yield StopTimer("payment")
        for tender in order.tenders:
            if tender.status == money.REFUSED:
                tender.status = money.UNUSED
            elif tender.status == money.EXPIRED and tender.free > 0:
                yield money.ask_authorization(order, tender, tender.free, now)
    if order.stage == HELD:
        if not order.holds:
            order.problems = []
            yield from (
                accept_unless_suspicious(order, now)
                if hold == holding.SUSPICION
                else pay(order, now)
            )
        return
    for line in order.lines:
        if line.waiting:
            line.waiting, line.excluded = False, []
    order.attempt = min(order.attempt, sourcing.MOST_ATTEMPTS // 2)
    yield from sourcing.source(order, now)


@process.on(AddressCorrected, stages=(HELD,))
def correct(order: SalesOrderState, fixed: AddressCorrected, now: datetime) -> Iterator[Output]:
    """A usable address lifts the hold for it; another bad one places it anew."""
    group = next((group for group in order.groups if group.number == fixed.group), None)
    if group is None or ADDRESS not in order.holds:
        return
    group.country, group.postal_code = fixed.country, fixed.postal_code
    group.latitude, group.longitude = fixed.latitude, fixed.longitude
    changed = order.news.groups.setdefault(fixed.group, {})
    changed.update(
        country=fixed.country,
        postal_code=fixed.postal_code,
        latitude=fixed.latitude,
        longitude=fixed.longitude,
    )
    order.holds.remove(ADDRESS)
    good = all(usable(g.country, g.postal_code, g.latitude, g.longitude) for g in order.groups)
    yield LiftHold(order_id=order.id, hold=ADDRESS, approved=good, lifted_at=now)
    if good:
        yield from go_on(order, ADDRESS, now)
    else:
        yield from holding.hold_addresses(order, now)


# Cancellations -----------------------------------------------------------------------------------


@process.on(CancelRequested, stages=(CHECKING, HELD, OPEN))
def cancel(order: SalesOrderState, request: CancelRequested, now: datetime) -> Iterator[Output]:
    """At once what no node has; nodes are asked for the rest; what is gone is refused, visibly."""
    yield from canceling.wish(order, request.request_id, request.reason, now, request.lines)
    yield from closing.finish(order, now)


@process.on(CancelRequested, stages=(CLOSED,))
def refuse_cancel(
    order: SalesOrderState, request: CancelRequested, now: datetime
) -> Iterator[Output]:
    """All is delivered: what the customer wants back is a return."""
    lines = request.lines or tuple(
        LineQuantity(line.number, line.shipped - line.returned - line.lost)
        for line in order.lines
        if line.shipped > line.returned + line.lost
    )
    yield from canceling.wish(order, request.request_id, request.reason, now, lines)


@process.on(ReservationsFreed, stages=(OPEN,))
def count_freed(
    order: SalesOrderState, freed: ReservationsFreed, now: datetime
) -> Iterator[Output]:
    """Only what was freed is canceled; what a node was given meanwhile comes with its answer."""
    if not order.freeing:
        return
    there = {(one.line, one.node): one.quantity for one in freed.lines}
    gone: canceling.Gone = []
    for part in order.freeing.pop(0):
        line = order.line(part.line)
        quantity = _freed(order, line, part, there)
        gone.append(canceling.cancel_units(order, line, quantity, now))
        if not line.backordered:
            yield StopTimer(f"backorder-{line.number}")
    yield from canceling.settle(order, gone, now)
    if not order.asked:
        yield from canceling.pursue(order, now)
    yield from closing.finish(order, now)


def _freed(
    order: SalesOrderState, line: Line, part: Freeing, there: dict[tuple[int, str | None], int]
) -> int:
    if part.node is not None:
        line.allocated -= part.quantity
        return part.quantity
    # Unless a zone is choosing nodes for it right now, nothing else can have taken the units.
    quantity = part.quantity
    if line.number in order.asked:
        quantity = min(quantity, there.get((part.line, None), 0))
    return canceling.queued_first(order, line, quantity)


@process.on(UnitsGivenBack, stages=(OPEN,))
def take_back(order: SalesOrderState, back: UnitsGivenBack, now: datetime) -> Iterator[Output]:
    """A node gives units up: recalled ones are canceled, others are sourced elsewhere."""
    work = order.work(back.fulfillment_id)
    if work is None:
        return
    if not back.request_id:
        yield from sourcing.source_again(order, work, list(pairs(back.lines)), now)
        return
    for number, quantity in pairs(back.lines + back.refused + back.moot):
        _answered(work, number, quantity)
    gone: canceling.Gone = []
    for number, quantity in pairs(back.lines):
        at_node = work.of(number)
        if at_node is not None:
            line = order.line(number)
            moved = move(line, at_node, quantity, AWAY_FROM_NODE, "open")
            line.open -= moved
            gone.append(canceling.cancel_units(order, line, moved, now))
    yield from canceling.refuse_units(order, back.refused, now)
    closing.leave_if_empty(order, work)
    yield from canceling.settle(order, gone, now)
    yield from canceling.pursue(order, now)
    yield from closing.finish(order, now)


def _answered(work: Work, number: int, quantity: int) -> int:
    """Units a node was asked for are answered for; returns how many of them still waited."""
    at_node = work.of(number)
    if at_node is None:
        return 0
    waited = min(quantity, at_node.recalling)
    at_node.recalling -= waited
    return waited


@process.on(UnitsStopped, stages=(OPEN,))
def stop(order: SalesOrderState, stopped: UnitsStopped, now: datetime) -> Iterator[Output]:
    """The carrier brings a package back: refund it, and expect the goods as a return."""
    work = order.work(stopped.fulfillment_id)
    parcel = closing.take_parcel(order, stopped.shipment_id, stopped.package)
    if work is None or parcel is None:
        return
    for number, quantity, _ in parcel.lines:
        order.line(number).returned += closing.arrive(work, number, quantity)
        canceling.stop_units(order, number, _answered(work, number, quantity), now)
    order.news.arrivals.append((stopped.shipment_id, stopped.package, "stopped_at", now))
    claim = f"{stopped.shipment_id}/{stopped.package}"
    yield ClaimReturn(
        order_id=order.id,
        claim=claim,
        lines=tuple(parcel.lines),
        reason="intercepted",
        claimed_at=now,
    )
    yield from _credit(order, list(parcel.lines), claim, stopped.shipment_id, "stopped", now)
    closing.leave_if_empty(order, work)
    yield from closing.finish(order, now)


def _credit(
    order: SalesOrderState,
    lines: canceling.Gone,
    key: str,
    shipment_id: str,
    event: str,
    now: datetime,
) -> Iterator[Output]:
    """Pay back what was charged for units that will not arrive."""
    amount = 0
    for number, _, charged in lines:
        order.line(number).credited_amount += charged
        amount += charged
    yield from money.refund(order, amount, now, event)
    if amount:
        yield telling.post(order, "credit_memo", lines, amount, key, shipment_id)
    yield from telling.tell(order, event, key, amount=amount)


# What nodes and carriers could not do ------------------------------------------------------------


@process.on(UnitsLost, stages=(OPEN,))
def replace(order: SalesOrderState, lost: UnitsLost, now: datetime) -> Iterator[Output]:
    """A lost package is sent again or paid back, by policy; what was unwanted is paid back."""
    work = order.work(lost.fulfillment_id)
    parcel = closing.take_parcel(order, lost.shipment_id, lost.package)
    if work is None or parcel is None:
        return
    resent: list[Line] = []
    credited: canceling.Gone = []
    for number, quantity, amount in parcel.lines:
        line = order.line(number)
        closing.arrive(work, number, quantity)
        unwanted = _answered(work, number, quantity)
        canceling.stop_units(order, number, unwanted, now)
        if order.policy.on_lost_parcel == "resend" and not unwanted:
            line.shipped -= quantity
            line.open += quantity
            line.owed += quantity
            line.owed_amount += amount
            resent.append(line)
        else:
            line.lost += quantity
            credited.append((number, quantity, amount))
    order.news.arrivals.append((lost.shipment_id, lost.package, "lost_at", now))
    key = f"{lost.shipment_id}/{lost.package}"
    if credited:
        yield from _credit(order, credited, key, lost.shipment_id, "lost", now)
    closing.leave_if_empty(order, work)
    if resent:
        order.replaces = work.id
        yield from telling.tell(order, "sent_again", key)
        yield sourcing.demand(order, resent)
    yield from closing.finish(order, now)


@process.on(ShortageFound, stages=(OPEN,))
def ask_node(order: SalesOrderState, shortage: ShortageFound, now: datetime) -> Iterator[Output]:
    """A fact took units from a node: its work knows whether somebody has them in hand after all."""
    for work in order.works:
        at_node = work.of(shortage.line) if work.node == shortage.node else None
        if at_node is not None and at_node.held:
            yield Send(Address(FULFILLMENT_PROCESS, work.id, order.id), shortage)
            return
    yield _free_spare(order, ((shortage.line, shortage.quantity),))


@process.on(UnitsWithdrawn, stages=(OPEN,))
def find_elsewhere(
    order: SalesOrderState, withdrawn: UnitsWithdrawn, now: datetime
) -> Iterator[Output]:
    """Units are queued again, and sourced where they are."""
    work = order.work(withdrawn.fulfillment_id)
    spare = list(pairs(withdrawn.kept))
    for number, quantity in pairs(withdrawn.lines):
        at_node = work.of(number) if work is not None else None
        line = order.line(number)
        moved = 0
        if work is not None and at_node is not None:
            moved = move(line, at_node, quantity, AWAY_FROM_NODE, "soft")
            line.excluded.append(work.node)
            order.replaces = work.id
        if moved < quantity:
            spare.append((number, quantity - moved))
    if spare:
        yield _free_spare(order, spare)
    if work is not None:
        closing.leave_if_empty(order, work)
    yield from canceling.pursue(order, now)
    yield from sourcing.source(order, now)


def _free_spare(order: SalesOrderState, units: Iterable[tuple[int, int]]) -> FreeReservations:
    """Reservations that were queued again for units which are in hand, or canceled, anyway."""
    order.freeing.append([])
    return FreeReservations(
        order_id=order.id,
        lines=tuple(FreeLine(number, quantity, None) for number, quantity in units),
        reason="not_needed",
    )


@process.on(StockArrived, stages=(OPEN,))
def serve(order: SalesOrderState, arrived: StockArrived, now: datetime) -> Iterator[Output]:
    """Backordered units can be served now."""
    for number, quantity in pairs(arrived.lines):
        line = order.line(number)
        served = min(quantity, line.backordered)
        line.backordered -= served
        line.soft += served
        line.excluded = []
        if not line.backordered:
            yield StopTimer(f"backorder-{number}")
    yield from sourcing.source(order, now)


@process.on(BackorderExpired, stages=(OPEN,))
def give_up(order: SalesOrderState, expired: BackorderExpired, now: datetime) -> Iterator[Output]:
    """Nobody waits longer than the policy says."""
    waiting = order.look(expired.line).backordered
    if waiting:
        asked = (LineQuantity(expired.line, waiting),)
        request = f"{order.id}/backorder/{expired.line}"
        yield from canceling.wish(order, request, "backorder_expired", now, asked)


# What the ERP and the customer's mailbox answer --------------------------------------------------


@process.on(DocumentPosted)
def file_document(order: SalesOrderState, posted: DocumentPosted, now: datetime) -> None:
    """The ERP's number of the document."""
    shipment_id = posted.shipment_id or None
    order.news.postings.append(
        (now, shipment_id, posted.amount, posted.kind, posted.key, posted.document)
    )


@process.on(DocumentRefused)
def report_document(
    order: SalesOrderState, refused: DocumentRefused, now: datetime
) -> Iterator[Output]:
    """Finance has to mend it; the goods do not wait."""
    yield OpenCase(kind="document refused", subject=refused.key, detail=refused.reason)


@process.on(CustomerNotified)
def note_notice(order: SalesOrderState, notified: CustomerNotified, now: datetime) -> None:
    """The log has it."""


process.takes(Unfit.EARLY, HoldLifted, AddressCorrected, stages=(CHECKING,))
process.takes(Unfit.STALE, HoldLifted, AddressCorrected, stages=(CLOSED,))
process.takes(Unfit.STALE, AddressCorrected, stages=(OPEN,))
process.takes(
    Unfit.STALE, ReservationsFreed, ShortageFound, StockArrived, BackorderExpired, stages=(CLOSED,)
)
process.takes(Unfit.STALE, UnitsGivenBack, UnitsWithdrawn, stages=(CLOSED,))
process.takes(Unfit.STALE, UnitsStopped, UnitsLost, stages=(CLOSED,))
