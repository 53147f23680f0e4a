"""Checkout: units are kept for a customer, and become the order's when it is placed in time.

The order takes the units over by itself, in the transaction that accepts it. Here they are asked
for, kept longer, and freed: when the time is over, the customer leaves, or the order does not come
to be accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from crossdock.engine.process import Output, Process, StartTimer, StopTimer, Unfit
from crossdock.inventory.model import (
    AcceptDemand,
    DemandAccepted,
    DemandedLine,
    ExtendReservations,
    FreeLine,
    FreeReservations,
    ReservationsExtended,
    ReservationsFreed,
)
from crossdock.kernel.messages import Message
from crossdock.model.events import (
    CheckoutReservationConfirmed,
    CheckoutReservationDropped,
    CheckoutReservationExpired,
    CheckoutReservationExtended,
    CheckoutReservationMade,
    KeptLine,
)
from crossdock.model.messages import (
    CheckoutDropped,
    CheckoutExtensionRequested,
    CheckoutRequested,
)
from crossdock.ordering.model import (
    CHECKOUT_PROCESS,
    CheckoutClaimed,
    CheckoutExpired,
    CheckoutSettled,
)
from crossdock.processes.checkout.state import CheckoutState

KEEPING = "keeping"
"""Units are being kept for the customer."""
PLACED = "placed"
"""An order was placed for it and is being checked: nothing expires."""
CLOSED = "closed"

process = Process(
    CHECKOUT_PROCESS,
    version=1,
    owner="sales channels",
    state=CheckoutState,
    stages=(KEEPING, PLACED, CLOSED),
    closed=(CLOSED,),
)


def take_told(checkout: CheckoutState) -> Sequence[Message]:
    """What the world is told, given to the log."""
    told: Sequence[Message] = checkout.__dict__.pop("told", ())
    return told


process.told = take_told


@process.starts_with(CheckoutRequested)
def ask(checkout: CheckoutState, asked: CheckoutRequested, now: datetime) -> Iterator[Output]:
    """Keep what is there; what is not there is told at once and never backordered."""
    yield _until(checkout)
    yield AcceptDemand(
        order_id=checkout.id,
        checkout_id=checkout.id,
        channel=checkout.channel,
        paid=False,
        placed_at=now,
        on_shortage="refuse",
        expires_at=checkout.expires_at,
        lines=tuple(
            DemandedLine(
                line=line.number,
                sku=line.sku,
                quantity=line.quantity,
                method=line.method,
                pickup_node=line.pickup_node,
            )
            for line in checkout.lines
        ),
    )


@process.on(DemandAccepted)
def tell(checkout: CheckoutState, accepted: DemandAccepted, now: datetime) -> Iterator[Output]:
    """So many units are kept; where the checkout is over already, they are free again."""
    kept = {one.line: one.quantity for one in accepted.soft}
    for line in checkout.lines:
        line.reserved = kept.get(line.number, 0)
    if checkout.status == "asked":
        checkout.status = "reserved"
        made = CheckoutReservationMade(
            checkout_id=checkout.id,
            channel=checkout.channel,
            expires_at=checkout.expires_at,
            lines=tuple(
                KeptLine(line.number, line.sku, line.quantity, line.reserved)
                for line in checkout.lines
            ),
        )
        checkout.told.append(made)
    if checkout.stage == CLOSED:
        yield _free(checkout, checkout.status)


@process.on(CheckoutExtensionRequested, stages=(KEEPING,))
def extend(
    checkout: CheckoutState, asked: CheckoutExtensionRequested, now: datetime
) -> Iterator[Output]:
    """The customer needs longer: counted from now on, never shorter than before."""
    checkout.last_request = asked.request_id
    wanted = now + timedelta(seconds=asked.seconds)
    if wanted > checkout.expires_at:
        checkout.expires_at = wanted
        extended = CheckoutReservationExtended(
            checkout_id=checkout.id, channel=checkout.channel, expires_at=wanted
        )
        checkout.told.append(extended)
        yield _until(checkout)
        yield ExtendReservations(order_id=checkout.id, expires_at=wanted)


@process.on(CheckoutExtensionRequested, stages=(PLACED, CLOSED))
def leave_as_it_is(
    checkout: CheckoutState, asked: CheckoutExtensionRequested, now: datetime
) -> None:
    """Nothing expires any more, or nothing is kept any more: the answer shows which."""
    checkout.last_request = asked.request_id


@process.on(ReservationsExtended)
def note_extension(checkout: CheckoutState, extended: ReservationsExtended, now: datetime) -> None:
    """The log has it."""


@process.on(CheckoutClaimed, stages=(KEEPING,))
def hold_on(checkout: CheckoutState, claimed: CheckoutClaimed, now: datetime) -> Iterator[Output]:
    """The order was placed in time; however long it is checked, its units stay."""
    if claimed.channel != checkout.channel:
        return
    checkout.stage, checkout.status = PLACED, "placed"
    checkout.order_id = claimed.order_id
    yield StopTimer("expiry")
    yield ExtendReservations(order_id=checkout.id, expires_at=None)


@process.on(CheckoutSettled, stages=(KEEPING, PLACED))
def settle(checkout: CheckoutState, settled: CheckoutSettled, now: datetime) -> Iterator[Output]:
    """The order has its units, or needs none: what is left here is free again."""
    if settled.channel != checkout.channel or checkout.order_id not in (None, settled.order_id):
        return
    checkout.order_id = settled.order_id
    if settled.accepted:
        confirmed = CheckoutReservationConfirmed(
            checkout_id=checkout.id, channel=checkout.channel, order_id=settled.order_id
        )
        checkout.told.append(confirmed)
    else:
        _tell_end(checkout, CheckoutReservationDropped)
    yield from _close(checkout, "confirmed" if settled.accepted else "dropped", now)


@process.on(CheckoutDropped, stages=(KEEPING,))
def drop(checkout: CheckoutState, dropped: CheckoutDropped, now: datetime) -> Iterator[Output]:
    """The customer left."""
    _tell_end(checkout, CheckoutReservationDropped)
    yield from _close(checkout, "dropped", now)


@process.on(CheckoutExpired, stages=(KEEPING,))
def expire(checkout: CheckoutState, expired: CheckoutExpired, now: datetime) -> Iterator[Output]:
    """The time is over."""
    _tell_end(checkout, CheckoutReservationExpired)
    yield from _close(checkout, "expired", now)


@process.on(ReservationsFreed)
def note_freed(checkout: CheckoutState, freed: ReservationsFreed, now: datetime) -> None:
    """The log has it."""


def _tell_end(
    checkout: CheckoutState,
    event: type[CheckoutReservationDropped | CheckoutReservationExpired],
) -> None:
    checkout.told.append(event(checkout_id=checkout.id, channel=checkout.channel))


def _until(checkout: CheckoutState) -> StartTimer:
    return StartTimer(name="expiry", due=checkout.expires_at, message=CheckoutExpired())


def _close(checkout: CheckoutState, status: str, now: datetime) -> Iterator[Output]:
    checkout.stage, checkout.status, checkout.closed_at = CLOSED, status, now
    yield StopTimer("expiry")
    yield _free(checkout, status)


def _free(checkout: CheckoutState, reason: str) -> FreeReservations:
    return FreeReservations(
        order_id=checkout.id,
        lines=tuple(FreeLine(line.number, line.quantity) for line in checkout.lines),
        reason=f"checkout {reason}",
    )


# An order decides over what was placed; what comes after the end changes nothing.
process.takes(Unfit.STALE, CheckoutDropped, CheckoutExpired, stages=(PLACED, CLOSED))
process.takes(Unfit.STALE, CheckoutClaimed, stages=(PLACED, CLOSED))
process.takes(Unfit.STALE, CheckoutSettled, stages=(CLOSED,))
