"""Thousands of orders in one request: each is dealt with by itself and answered by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

import msgspec

from crossdock.api.access.caller import Caller
from crossdock.api.orders_door import Arrival, PlacedOrder, arrival_of, placed_of, take_in
from crossdock.api.problems import ApiProblem, ProblemDetails, details_of, problem_of
from crossdock.api.requests import decode
from crossdock.api.services import Services
from crossdock.model.outside import OutsideOrder
from crossdock.ordering.intake import OrderReceipt

MOST_ORDERS = 5_000
CHUNK = 250
"""Orders looked at and written at once: others get their turn in between."""


class BulkItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one order; `status` is that of the answer it would have got alone."""

    index: int
    """Its place in the request, from 0."""
    status: int
    order: PlacedOrder | None = None
    """Of one that was taken."""
    problem: ProblemDetails | None = None
    """Of one that was not."""


class BulkResult(msgspec.Struct, frozen=True):
    """What became of each order, in the order of the request."""

    taken: int
    not_taken: int
    items: tuple[BulkItem, ...]


async def place_all(
    services: Services, caller: Caller, bodies: Sequence[bytes | msgspec.Raw], request: str | None
) -> BulkResult:
    """Place each; `request` is the sender's name for all of them together."""
    items: list[BulkItem] = []
    coming = iter(enumerate(bodies))
    while chunk := list(islice(coming, CHUNK)):
        items += await _place(services, caller, chunk, request)
        await asyncio.sleep(0)
    taken = sum(1 for item in items if item.order is not None)
    return BulkResult(taken, len(items) - taken, tuple(items))


async def _place(
    services: Services,
    caller: Caller,
    chunk: Sequence[tuple[int, bytes | msgspec.Raw]],
    request: str | None,
) -> list[BulkItem]:
    arrivals: dict[int, Arrival] = {}
    items: dict[int, BulkItem] = {}
    for index, body in chunk:
        try:
            raw = bytes(body)
            name = f"{request}/{index}" if request else ""
            arrivals[index] = arrival_of(caller, decode(raw, OutsideOrder), raw, name)
        except ApiProblem as problem:
            items[index] = _refused(index, problem)
    receipts = await _take_in(services, caller, list(arrivals.values()))
    for (index, arrival), receipt in zip(arrivals.items(), receipts, strict=True):
        try:
            if isinstance(receipt, BaseException):
                raise problem_of(receipt)
            items[index] = BulkItem(index, 201, order=placed_of(arrival, receipt))
        except ApiProblem as problem:
            items[index] = _refused(index, problem)
    return [items[index] for index, _ in chunk]


async def _take_in(
    services: Services, caller: Caller, arrivals: Sequence[Arrival]
) -> Sequence[OrderReceipt | BaseException]:
    """Together; where that fails, each by itself, so that only the bad ones fail."""
    if not arrivals:
        return []
    try:
        return await take_in(services, caller, arrivals)
    except Exception as error:
        if len(arrivals) == 1 or problem_of(error).problem_type.status == 503:
            return [error] * len(arrivals)
    alone = await asyncio.gather(
        *(take_in(services, caller, [arrival]) for arrival in arrivals), return_exceptions=True
    )
    return [found if isinstance(found, BaseException) else found[0] for found in alone]


def _refused(index: int, problem: ApiProblem) -> BulkItem:
    return BulkItem(index, problem.problem_type.status, problem=details_of(problem))
