"""Placing orders: one, or thousands at once, in commits shared by all who place orders."""

from __future__ import annotations

import msgspec
from litestar import Response, Router, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from litestar.response.base import ASGIResponse

from crossdock.api import order_examples
from crossdock.api.bulk_orders import MOST_ORDERS, BulkResult, place_all
from crossdock.api.documents import answers, many
from crossdock.api.first_answers import answer_once
from crossdock.api.idempotency import REPLAYED, IdempotencyKey
from crossdock.api.orders_door import (
    CHANNEL_NOT_PERMITTED,
    INVALID_ORDER,
    PlacedOrder,
    arrival_of,
    placed_of,
    take_in,
)
from crossdock.api.problems import IDEMPOTENCY_CONFLICT
from crossdock.api.requests import TypedRequest, many_of
from crossdock.model.outside import OutsideOrder
from crossdock.ordering.intake import Taken

_encode = msgspec.json.Encoder().encode


@post(
    "/orders",
    opt={
        "permission": "orders:write",
        "shed": "last",
        "intake": True,
        "example": order_examples.ORDER,
        "answer_example": order_examples.PLACED,
    },
    status_code=201,
    responses={
        201: ResponseSpec(PlacedOrder, description="The order is durable."),
        **answers(INVALID_ORDER, IDEMPOTENCY_CONFLICT, CHANNEL_NOT_PERMITTED),
    },
)
async def place_order(
    request: TypedRequest, data: JSONBody[OutsideOrder], idempotency_key: IdempotencyKey = None
) -> ASGIResponse:
    """Place an order.

    It is durable once this answers. Its channel decides what becomes of one that makes no sense:
    it is refused, or taken and held for a person. What is paid for is never refused.
    """
    arrival = arrival_of(request.caller, data, await request.body(), idempotency_key or "")
    receipts = await take_in(request.services, request.caller, [arrival])
    placed = placed_of(arrival, receipts[0])
    replayed = REPLAYED if receipts[0].result is Taken.REPEATED else {}
    # Encoded here: Litestar's own Response would take as long as looking at the whole order.
    return ASGIResponse(body=_encode(placed), status_code=201, headers=replayed)


@post(
    "/orders/bulk",
    status_code=200,
    opt={
        "permission": "orders:write",
        "shed": "last",
        "intake": True,
        "bulk": True,
        "body": many("OutsideOrder", MOST_ORDERS),
        "example": order_examples.MANY,
        "answer_example": order_examples.MANY_PLACED,
    },
)
async def place_orders(
    request: TypedRequest, idempotency_key: IdempotencyKey = None
) -> Response[BulkResult]:
    """Place up to 5,000 orders, as a JSON array or one to a line (application/x-ndjson).

    Each gets the status it would have alone: 201, or that of its problem. The request succeeds
    when all have been dealt with, so look at every item. A key stands for each item with its place.
    """
    bodies = await many_of(request, MOST_ORDERS)

    async def answer() -> BulkResult:
        return await place_all(request.services, request.caller, bodies, idempotency_key)

    backend = request.services.of(request.caller)
    return await answer_once(request, backend, idempotency_key, answer, _lasts)


def _lasts(result: BulkResult) -> bool:
    return all(item.status < 500 for item in result.items)


router = Router("/v1", route_handlers=[place_order, place_orders], tags=["orders"])
