"""Placing orders: one at a time, sharing commits with whoever else places one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from litestar import Response, Router, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from crossdock import db
from crossdock.api.access.caller import Caller
from crossdock.api.correlation import note_message
from crossdock.api.documents import answers
from crossdock.api.idempotency import REPLAYED
from crossdock.api.problems import IDEMPOTENCY_CONFLICT, ApiProblem, conflict, problem_type
from crossdock.api.services import Services
from crossdock.model.messages import OrderPlaced
from crossdock.model.outside import OutsideOrder, TakenApart, take_apart
from crossdock.model.validation import validate_outside
from crossdock.ordering.intake import OrderReceipt, Taken, take_orders

INVALID_ORDER = problem_type(
    "invalid_order",
    422,
    "The order cannot be taken",
    cause="The order was read, but it cannot be right: its parts do not fit together.",
    remedy="Correct every field that `errors` names and place it again.",
)


class PlacedOrder(msgspec.Struct, frozen=True):
    """An order that is durable here."""

    id: str
    """Ours; every look-up takes it."""
    channel: str
    number: str
    """The channel's own; every look-up takes channel:number too."""


@post(
    "/orders",
    opt={"permission": "orders:write", "shed": "last", "intake": True},
    responses=answers(INVALID_ORDER, IDEMPOTENCY_CONFLICT),
)
async def place_order(
    data: JSONBody[OutsideOrder],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> Response[PlacedOrder]:
    """Place an order. It is durable once this answers."""
    findings = validate_outside(data)
    if findings:
        raise ApiProblem(INVALID_ORDER, errors=findings)
    group = services.of(caller).group("orders", write_orders)
    receipt = await group.put(take_apart(data))
    if receipt.result is Taken.ACCEPTED:
        note_message(receipt.message_id, receipt.order_id, OrderPlaced.message_type)
    if receipt.result is Taken.NUMBER_TAKEN:
        raise conflict(receipt.reason)
    placed = PlacedOrder(receipt.order_id, data.channel, data.number)
    replayed = REPLAYED if receipt.result is Taken.REPEATED else {}
    return Response(placed, status_code=201, headers=replayed)


def write_orders(
    connection: db.Connection, orders: Sequence[TakenApart], now: datetime
) -> list[OrderReceipt]:
    """All orders that wait, in a fixed number of statements."""
    return take_orders(connection, orders, now)


router = Router("/v1", route_handlers=[place_order], tags=["orders"])
