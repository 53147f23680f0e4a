"""Orders on their way from requests to the inbox: looked at, admitted, durable when answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Literal, NamedTuple

import msgspec

from crossdock import db
from crossdock.api.access.caller import Caller
from crossdock.api.correlation import note_message
from crossdock.api.problems import ApiProblem, ProblemError, conflict, problem_type
from crossdock.api.services import Backend, Services
from crossdock.model.messages import OrderPlaced
from crossdock.model.outside import OutsideOrder
from crossdock.model.validation import examine
from crossdock.ordering.door import Wanted, admit_orders
from crossdock.ordering.intake import OrderReceipt, Taken
from crossdock.ordering.payloads import PayloadKeeper, RawPayload
from crossdock.ordering.terms import SalesTerms

INVALID_ORDER = problem_type(
    "invalid_order",
    422,
    "The order cannot be taken",
    cause="It was read, but it makes no sense: its parts do not fit together, or it names what the"
    " retailer does not have. Where its channel holds such orders, or it is paid for, it is taken"
    " if a person can settle what is wrong.",
    remedy="Correct every field that `errors` names and place it again.",
)
CHANNEL_NOT_PERMITTED = problem_type(
    "channel_not_permitted",
    403,
    "The credential is for other channels",
    cause="The order names a channel that the credential does not cover.",
    remedy="Use a credential for that channel, or correct `channel`.",
)


class PlacedOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """An order that is durable here."""

    id: str
    """Ours; every look-up takes it."""
    channel: str
    number: str
    """The channel's own; every look-up takes channel:number too."""
    result: Literal["accepted", "held"]
    """`held`: taken, and waiting for a person because of `problems`."""
    problems: tuple[ProblemError, ...] = ()


class Arrival(NamedTuple):
    """An order as it came: what it says, its bytes, and the sender's name for the request."""

    wanted: Wanted
    body: bytes


def arrival_of(caller: Caller, order: OutsideOrder, body: bytes, request: str) -> Arrival:
    """The order ready for the door. Raises ApiProblem 403, or 422 with every finding."""
    if not caller.sees_channel(order.channel):
        raise ApiProblem(CHANNEL_NOT_PERMITTED, f"The order is of channel {order.channel[:200]}.")
    taken, problems = examine(order)
    if taken is None:
        raise ApiProblem(INVALID_ORDER, errors=problems)
    return Arrival(Wanted(taken, problems, f"api:{caller.id}", request), body)


async def take_in(
    services: Services, caller: Caller, arrivals: Sequence[Arrival]
) -> list[OrderReceipt]:
    """One receipt each; what was taken is durable when this returns."""
    backend = services.of(caller)
    group = backend.group("orders", backend.one(_Intake, partial(_Intake, backend)).write, len)
    receipts = await group.put(arrivals)
    for receipt in receipts:
        if receipt.result is Taken.ACCEPTED:
            note_message(receipt.message_id, receipt.order_id, OrderPlaced.message_type)
    return receipts


def placed_of(arrival: Arrival, receipt: OrderReceipt) -> PlacedOrder:
    """What the sender is told of a taken order. Raises ApiProblem 409 or 422 for any other."""
    if receipt.result is Taken.NUMBER_TAKEN:
        raise conflict(receipt.reason)
    if receipt.result is Taken.REFUSED:
        raise ApiProblem(INVALID_ORDER, errors=receipt.problems)
    if receipt.result is Taken.FLAWED:
        raise ApiProblem(INVALID_ORDER, f"{receipt.reason}.")
    order = arrival.wanted.taken.order
    return PlacedOrder(
        receipt.order_id,
        order.channel,
        order.number,
        "held" if receipt.problems else "accepted",
        tuple(ProblemError(p.path, p.code, p.message, p.remedy) for p in receipt.problems),
    )


class _Intake:
    """What one schema's orders are written with; used by its one committing thread."""

    def __init__(self, backend: Backend) -> None:
        self._terms = SalesTerms()
        payloads = backend.settings.payloads
        self._keeper = PayloadKeeper.of(payloads.keys, payloads.days)

    def write(
        self, connection: db.Connection, requests: Sequence[Sequence[Arrival]], now: datetime
    ) -> list[list[OrderReceipt]]:
        """All orders of all requests in a fixed number of statements; receipts by request."""
        arrivals = [arrival for request in requests for arrival in request]
        if self._keeper is not None:
            self._keeper.keep(connection, [_payload(arrival) for arrival in arrivals], now)
        wanted = [arrival.wanted for arrival in arrivals]
        receipts = iter(admit_orders(connection, wanted, self._terms, now))
        return [[next(receipts) for _ in request] for request in requests]


def _payload(arrival: Arrival) -> RawPayload:
    order = arrival.wanted.taken.order
    return RawPayload(order.channel, f"order/{order.number}", arrival.body)
