"""For channels: keep units for a customer who is checking out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from uuid import uuid4

from litestar import Response, Router, delete, get, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter

from crossdock.api import channel_examples as examples
from crossdock.api.access.caller import Caller
from crossdock.api.checkouts import store
from crossdock.api.checkouts.model import CheckoutLineRead, CheckoutRead, Extend, Reserve
from crossdock.api.documents import answers
from crossdock.api.idempotency import REPLAYED, IdempotencyKey, identity, was_done_before
from crossdock.api.problems import IDEMPOTENCY_CONFLICT, NOT_FOUND, ApiProblem, problem_type
from crossdock.api.services import Backend, Services
from crossdock.api.waiting import answer_of
from crossdock.db import Connection
from crossdock.engine.inbox import Inbound
from crossdock.engine.process import Address
from crossdock.kernel.ids import derive, is_id
from crossdock.kernel.messages import Message, decode
from crossdock.model.checks import Findings
from crossdock.model.messages import (
    CheckoutDropped,
    CheckoutExtensionRequested,
    CheckoutLine,
    CheckoutRequested,
)
from crossdock.model.orders import Method
from crossdock.model.outside import EPOCH
from crossdock.model.problems import Problem
from crossdock.model.text import unstorable
from crossdock.ordering.model import CHECKOUT_PROCESS

INVALID_CHECKOUT = problem_type(
    "invalid_checkout",
    422,
    "The checkout cannot be",
    cause="A SKU cannot be, or a pickup names no store.",
    remedy="Correct every field that `errors` names.",
)
CHECKOUT_OVER = problem_type(
    "checkout_over",
    409,
    "The checkout is over or placed",
    cause="It expired, was dropped, or an order was placed for it: nothing is left to change.",
    remedy="Read it to see how it ended; reserve anew if the customer still wants to buy.",
)

ASKED = {
    202: ResponseSpec(
        CheckoutRead, description="Durable, and no worker has looked yet", generate_examples=False
    )
}

OVER = ("confirmed", "expired", "dropped")

CheckoutId = Annotated[
    str, PathParameter(name="checkout", max_length=60, description="The id it got.")
]


@post(
    "/checkouts",
    opt={
        "permission": "reservations:write",
        "example": examples.RESERVE,
        "answer_example": examples.CHECKOUT,
    },
    responses=ASKED | answers(NOT_FOUND, INVALID_CHECKOUT, IDEMPOTENCY_CONFLICT),
)
async def reserve(
    data: JSONBody[Reserve],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[CheckoutRead]:
    """Keep units for a customer for a time.

    `reserved` says how many of each line are kept: what is not there is not backordered. Place the
    order with `checkout_id` and it takes them over, in the transaction that accepts it. 202 says
    that no worker has looked yet: read it again.
    """
    backend = services.of(caller)
    if not caller.sees_channel(data.channel):
        raise ApiProblem(NOT_FOUND, f"There is no channel {data.channel!r}.")
    problems = _problems(data)
    if problems:
        raise ApiProblem(INVALID_CHECKOUT, errors=problems)
    minutes = await sync_to_thread(_minutes, backend, data)
    source, source_id = identity(caller, "checkout", idempotency_key, str(uuid4()))
    id = derive(EPOCH, "checkout", source, source_id)
    message = CheckoutRequested(
        checkout_id=id,
        channel=data.channel,
        seconds=max(1, round(minutes * 60)),
        lines=tuple(
            CheckoutLine(
                number=number,
                sku=line.sku,
                quantity=line.quantity,
                method=line.method.value,
                pickup_node=line.pickup_node,
            )
            for number, line in enumerate(data.lines, start=1)
        ),
    )
    inbound = Inbound(source, source_id, message, _address(id), services.clock.now(), caller.name)
    [receipt] = await services.messages.put(caller, [inbound])
    headers = REPLAYED if was_done_before(receipt) else {}

    def look(connection: Connection) -> CheckoutRead | None:
        found = store.read_checkout(connection, id)
        return found.checkout if found and found.checkout.status != "asked" else None

    found = await answer_of(backend, look)
    if found is not None:
        return Response(found, status_code=201, headers=headers)
    asked = await sync_to_thread(_find, backend, caller, id)
    return Response(asked, status_code=202, headers=headers)


def _minutes(backend: Backend, asked: Reserve) -> float:
    with backend.reading() as connection:
        usual = store.checkout_minutes(connection, asked.channel)
    if usual is None:
        raise ApiProblem(NOT_FOUND, f"There is no channel {asked.channel!r}.")
    return asked.minutes if asked.minutes is not None else usual


def _problems(asked: Reserve) -> list[Problem]:
    problems = unstorable(asked)
    found = Findings(problems)
    for index, line in enumerate(asked.lines):
        found.key(line.sku, f"lines[{index}].", "sku")
        if line.method in (Method.PICKUP, Method.SHIP_TO_STORE) and line.pickup_node is None:
            found.add(
                f"lines[{index}].pickup_node",
                "no_pickup_node",
                f"A line by {line.method.value} names no store.",
                "Send the store where the customer collects it.",
            )
    return problems


@get(
    "/checkouts/{checkout:str}",
    opt={"permission": "reservations:write", "answer_example": examples.CHECKOUT},
    responses=answers(NOT_FOUND),
    sync_to_thread=True,
)
def read_checkout(
    checkout: CheckoutId, caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> CheckoutRead:
    """Read a checkout; one that is over can be read for 30 days."""
    return _find(services.of(caller), caller, checkout)


@post(
    "/checkouts/{checkout:str}/extend",
    status_code=200,
    opt={
        "permission": "reservations:write",
        "example": examples.EXTEND,
        "answer_example": examples.CHECKOUT,
    },
    responses=ASKED | answers(NOT_FOUND, CHECKOUT_OVER, IDEMPOTENCY_CONFLICT),
)
async def extend(
    checkout: CheckoutId,
    data: JSONBody[Extend],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[CheckoutRead]:
    """Keep the units for so long from now on; never shorter than before. 202 as for reserving."""
    backend = services.of(caller)
    found = await sync_to_thread(_find, backend, caller, checkout)
    source, source_id = identity(caller, "extend", idempotency_key, str(uuid4()))
    request_id = derive(EPOCH, source, source_id)
    message = CheckoutExtensionRequested(
        checkout_id=found.id, request_id=request_id, seconds=max(1, round(data.minutes * 60))
    )
    repeated = await _put(services, caller, message, found.id, (source, source_id))

    def look(connection: Connection) -> CheckoutRead | None:
        known = store.read_checkout(connection, found.id)
        over = known is not None and known.checkout.status in (*OVER, "placed")
        done = known is not None and (known.last_request == request_id or repeated)
        return known.checkout if known is not None and (over or done) else None

    return _answer(await answer_of(backend, look), found, repeated=repeated)


@delete(
    "/checkouts/{checkout:str}",
    status_code=200,
    opt={"permission": "reservations:write", "answer_example": examples.CHECKOUT},
    responses=ASKED | answers(NOT_FOUND, CHECKOUT_OVER, IDEMPOTENCY_CONFLICT),
)
async def drop(
    checkout: CheckoutId,
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[CheckoutRead]:
    """Give the units up: the customer left. Doing it again changes nothing. 202 as above."""
    backend = services.of(caller)
    found = await sync_to_thread(_find, backend, caller, checkout)
    name = identity(caller, "drop", idempotency_key, found.id)
    repeated = await _put(services, caller, CheckoutDropped(checkout_id=found.id), found.id, name)

    def look(connection: Connection) -> CheckoutRead | None:
        known = store.read_checkout(connection, found.id)
        over = known is not None and known.checkout.status in (*OVER, "placed")
        return known.checkout if known is not None and over else None

    ended = await answer_of(backend, look)
    if ended is not None and ended.status == "dropped":
        return Response(ended, headers=REPLAYED if repeated else {})
    return _answer(ended, found, repeated=repeated)


def _answer(
    now_it_is: CheckoutRead | None, before: CheckoutRead, *, repeated: bool
) -> Response[CheckoutRead]:
    headers = REPLAYED if repeated else {}
    if now_it_is is None:
        return Response(before, status_code=202, headers=headers)
    if now_it_is.status in (*OVER, "placed"):
        raise ApiProblem(CHECKOUT_OVER, f"It is {now_it_is.status}.")
    return Response(now_it_is, headers=headers)


async def _put(
    services: Services, caller: Caller, message: Message, id: str, name: tuple[str, str]
) -> bool:
    inbound = Inbound(*name, message, _address(id), services.clock.now(), caller.name)
    [receipt] = await services.messages.put(caller, [inbound])
    return was_done_before(receipt)


def _find(backend: Backend, caller: Caller, id: str) -> CheckoutRead:
    """A checkout that the caller sees, also one that waits. Raises ApiProblem 404."""
    checkout = None
    if is_id(id):
        with backend.reading() as connection:
            for _ in range(2):  # Between the two looks, it may have gone from one to the other.
                found = store.read_checkout(connection, id)
                waiting = None if found else store.waiting_checkout(connection, id)
                if found is not None:
                    checkout = found.checkout
                elif waiting is not None:
                    message = decode("crossdock.checkout.requested.v1", waiting.body)
                    assert isinstance(message, CheckoutRequested)
                    checkout = _asked(message, waiting.recorded_at)
                if checkout is not None:
                    break
    if checkout is None or not caller.sees_channel(checkout.channel):
        raise ApiProblem(NOT_FOUND, f"There is no checkout {id!r}.")
    return checkout


def _asked(message: CheckoutRequested, now: datetime) -> CheckoutRead:
    """What is known of a checkout that no worker has looked at."""
    return CheckoutRead(
        id=message.checkout_id,
        channel=message.channel,
        status="asked",
        complete=False,
        created_at=now,
        expires_at=now + timedelta(seconds=message.seconds),
        lines=[
            CheckoutLineRead(
                line.number, line.sku, Method(line.method), line.quantity, 0, line.pickup_node
            )
            for line in message.lines
        ],
    )


def _address(id: str) -> Address:
    return Address(CHECKOUT_PROCESS, id, id)


router = Router("/v1", route_handlers=[reserve, read_checkout, extend, drop], tags=["checkout"])
