"""Order to fulfillment, the ways it may go otherwise: holds, cancellations, what nodes cannot send,
what carriers lose, what arrives late."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from crossdock.allocation.model import OrderAllocated
from crossdock.engine.process import Address, OpenCase, Output, Send, StopTimer, Unfit
from crossdock.inventory.model import (
    DemandAccepted,
    FreeLine,
    FreeReservations,
    ReservationsFreed,
    ShortageFound,
    StockArrived,
)
from crossdock.model.effects import CustomerNotified, DocumentPosted, DocumentRefused
from crossdock.model.events import PackageLost, PackageStopped
from crossdock.model.messages import AddressCorrected, CancelRequested, HoldLifted, LineQuantity
from crossdock.ordering.model import (
    FULFILLMENT_PROCESS,
    BackorderExpired,
    ClaimReturn,
    OrderScreened,
    OrderValidated,
    UnitsDelivered,
    UnitsGivenBack,
    UnitsLost,
    UnitsPacked,
    UnitsPicked,
    UnitsShipped,
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
from crossdock.processes.order_to_fulfillment.state import (
    MOST_ATTEMPTS,
    Freeing,
    Line,
    SalesOrderState,
    Work,
)
from crossdock.processes.order_to_fulfillment.units import (
    AWAY_FROM_NODE,
    answered,
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
    yield holding.lifted(order, lifted.hold, now, approved=lifted.approved, actor=lifted.actor)
    if lifted.hold == holding.SOURCING:
        for line in order.lines:
            line.waiting = False
    if not lifted.approved:
        request, reason = f"{order.id}/{lifted.hold}", f"hold_{lifted.hold}"
        yield from canceling.wish(order, request, reason, now, ours=True)
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
    if hold == holding.SOURCING:
        for line in order.lines:
            line.excluded = []
    order.most_attempts = max(order.most_attempts, order.attempt + MOST_ATTEMPTS // 2)
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
    yield holding.lifted(order, ADDRESS, now, approved=good)
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
        line.waiting = line.waiting and line.soft > 0
        yield from sourcing.wait_no_more(line)
    yield from holding.lift_sourcing(order, now)
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
    for number, quantity in pairs(back.lines + back.refused):
        answered(work, number, quantity)
    gone: canceling.Gone = []
    for number, quantity in pairs(back.lines):
        at_node = work.of(number)
        if at_node is not None:
            line = order.line(number)
            moved = move(line, at_node, quantity, AWAY_FROM_NODE, "open")
            line.open -= moved
            gone.append(canceling.cancel_units(order, line, moved, now))
    yield from canceling.refuse_units(order, back.refused, now)
    if back.bare:
        yield _free_spare(order, pairs(back.bare))
    closing.leave_if_empty(order, work)
    yield from canceling.settle(order, gone, now)
    yield from canceling.pursue(order, now)
    yield from sourcing.source(order, now)
    yield from closing.finish(order, now)


@process.on(UnitsStopped, stages=(OPEN,))
def stop(order: SalesOrderState, stopped: UnitsStopped, now: datetime) -> Iterator[Output]:
    """The carrier brings a package back: refund it, and expect the goods as a return."""
    work = order.work(stopped.fulfillment_id)
    parcel = closing.take_parcel(order, stopped.shipment_id, stopped.package)
    if work is None or parcel is None:
        return
    for number, quantity, _ in parcel.lines:
        order.line(number).returned += closing.arrive(work, number, quantity)
        canceling.stop_units(order, number, answered(work, number, quantity), now)
    order.news.arrivals.append((stopped.shipment_id, stopped.package, "stopped_at", now))
    order.news.told.append(
        PackageStopped(
            order_id=order.id,
            fulfillment_id=work.id,
            node=work.node,
            shipment_id=stopped.shipment_id,
            package=stopped.package,
            lines=stopped.lines,
        )
    )
    claim = f"{stopped.shipment_id}/{stopped.package}"
    yield ClaimReturn(
        order_id=order.id,
        claim=claim,
        lines=tuple(parcel.lines),
        reason="intercepted",
        claimed_at=now,
    )
    yield from _credit(order, work, list(parcel.lines), claim, "stopped", stopped.shipment_id, now)
    closing.leave_if_empty(order, work)
    yield from closing.finish(order, now)


def _credit(
    order: SalesOrderState,
    work: Work,
    lines: canceling.Gone,
    key: str,
    event: str,
    shipment_id: str,
    now: datetime,
) -> Iterator[Output]:
    """Pay back what was charged for units that will not arrive."""
    amount = 0
    for number, _, charged in lines:
        order.line(number).credited_amount += charged
        amount += charged
    yield from money.refund(order, amount, now, event)
    if amount:
        yield telling.post(order, "credit_memo", lines, amount, key, shipment_id, work=work)
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
        unwanted = answered(work, number, quantity)
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
    order.news.told.append(
        PackageLost(
            order_id=order.id,
            fulfillment_id=work.id,
            node=work.node,
            shipment_id=lost.shipment_id,
            package=lost.package,
            lines=lost.lines,
            reason=lost.reason,
        )
    )
    key = f"{lost.shipment_id}/{lost.package}"
    if credited:
        yield from _credit(order, work, credited, key, "lost", lost.shipment_id, now)
    closing.leave_if_empty(order, work)
    if resent:
        order.replaces = work.id
        yield from telling.tell(order, "sent_again", key)
        yield sourcing.demand(order, resent)
    yield from closing.finish(order, now)


@process.on(ShortageFound, stages=(OPEN,))
def ask_node(order: SalesOrderState, shortage: ShortageFound, now: datetime) -> Iterator[Output]:
    """A fact took units from a node: its work knows whether somebody has them in hand after all."""
    rest = shortage.quantity
    line = order.line(shortage.line)
    if shortage.node not in line.excluded:
        line.excluded.append(shortage.node)
    here = [(work, work.of(shortage.line)) for work in order.works if work.node == shortage.node]
    # The books break what nobody has picked, so work with such units is asked first.
    here.sort(key=lambda pair: pair[1] is None or not pair[1].released)
    for work, at_node in here:
        asked = min(rest, (at_node.released or at_node.held) if at_node is not None else 0)
        if asked:
            rest -= asked
            part = msgspec.structs.replace(shortage, quantity=asked)
            yield Send(Address(FULFILLMENT_PROCESS, work.id, order.id), part)
    if rest:
        yield _free_spare(order, ((shortage.line, rest),))


@process.on(UnitsWithdrawn, stages=(OPEN,))
def find_elsewhere(
    order: SalesOrderState, withdrawn: UnitsWithdrawn, now: datetime
) -> Iterator[Output]:
    """Units are queued again, and sourced where they are."""
    work = order.work(withdrawn.fulfillment_id)
    if work is None:
        yield _free_spare(order, pairs(withdrawn.gone + withdrawn.lines))
        return
    for number, quantity in pairs(withdrawn.moot):
        answered(work, number, quantity)
    yield from _ask_next(order, work, list(pairs(withdrawn.gone)))
    yield from sourcing.source_again(order, work, list(pairs(withdrawn.lines)), now)


def _ask_next(
    order: SalesOrderState, asked: Work, gone: Iterable[tuple[int, int]]
) -> Iterator[Output]:
    """Units not in hand in one work of a node may be so in a later one of the same node."""
    later = order.works[order.works.index(asked) + 1 :]
    spare: list[tuple[int, int]] = []
    for number, quantity in gone:
        at = ((w, w.of(number)) for w in later if w.node == asked.node)
        work = next((w for w, at_node in at if at_node is not None and at_node.held), None)
        if work is None:
            spare.append((number, quantity))
            continue
        shortage = ShortageFound(
            order_id=order.id, line=number, quantity=quantity, node=work.node, reason="count"
        )
        yield Send(Address(FULFILLMENT_PROCESS, work.id, order.id), shortage)
    if spare:
        yield _free_spare(order, spare)


def _free_spare(order: SalesOrderState, units: Iterable[tuple[int, int]]) -> FreeReservations:
    """Reservations that were queued again for units which are shipped, or canceled, anyway.

    Backordered ones are given up first, so that the soft ones stay in their place.
    """
    units = list(units)
    order.freeing.append([])
    for number, quantity in units:
        line = order.line(number)
        swapped = min(quantity, line.backordered)
        line.backordered -= swapped
        line.soft += swapped
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
    yield from sourcing.source(order, now)


@process.on(BackorderExpired, stages=(OPEN,))
def give_up(order: SalesOrderState, expired: BackorderExpired, now: datetime) -> Iterator[Output]:
    """Nobody waits longer than the policy says."""
    waiting = order.look(expired.line).backordered
    if waiting:
        asked = (LineQuantity(expired.line, waiting),)
        request = f"{order.id}/backorder/{expired.line}"
        yield from canceling.wish(order, request, "backorder_expired", now, asked, ours=True)


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


# What comes too early or too late -----------------------------------------------------------------

process.takes(Unfit.EARLY, HoldLifted, AddressCorrected, stages=(CHECKING,))
process.takes(Unfit.STALE, HoldLifted, stages=(CLOSED,))
process.takes(Unfit.STALE, AddressCorrected, stages=(OPEN, CLOSED))
process.takes(Unfit.STALE, OrderValidated, OrderScreened, stages=(HELD, OPEN, CLOSED))
process.takes(Unfit.STALE, BackorderExpired, stages=(CHECKING, HELD, CLOSED))

# Inventory keeps no reservation for an order before it is open and after it is closed, and nodes
# have no work: what comes then all the same is a fault that somebody should see.
process.takes(Unfit.STALE, ShortageFound, StockArrived, ReservationsFreed, stages=(CLOSED,))
BY_NODES = (
    UnitsPicked,
    UnitsPacked,
    UnitsShipped,
    UnitsDelivered,
    UnitsLost,
    UnitsStopped,
    UnitsGivenBack,
    UnitsWithdrawn,
)
process.takes(Unfit.REFUSED, *BY_NODES, stages=(CHECKING, HELD, CLOSED))
process.takes(Unfit.REFUSED, DemandAccepted, OrderAllocated, stages=(CHECKING, HELD, CLOSED))
process.takes(
    Unfit.REFUSED, ShortageFound, StockArrived, ReservationsFreed, stages=(CHECKING, HELD)
)
