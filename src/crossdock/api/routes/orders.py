"""For channels: read, list and follow orders; edit them, and cancel what is unwanted."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from uuid import uuid4

from litestar import Response, get, patch, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, JSONBody, PathParameter, QueryParameter

from crossdock.api import channel_examples as examples
from crossdock.api.access.caller import Caller
from crossdock.api.correlation import note_inbound
from crossdock.api.documents import answers
from crossdock.api.filters import INVALID_FILTER, require_id, require_keys
from crossdock.api.idempotency import REPLAYED, IdempotencyKey, identity, was_done_before
from crossdock.api.orders import reading, store
from crossdock.api.orders.editing import Edit, asked_of, problems_of, write_edits
from crossdock.api.orders.model import (
    Cancel,
    CancelTaken,
    EditTaken,
    OrderEdit,
    OrderRead,
    Word,
)
from crossdock.api.orders.store import Filter
from crossdock.api.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from crossdock.api.problems import IDEMPOTENCY_CONFLICT, NOT_FOUND, ApiProblem, problem_type
from crossdock.api.services import Backend, Services
from crossdock.api.waiting import answer_of
from crossdock.api.work.model import Moment
from crossdock.engine.inbox import Inbound
from crossdock.engine.process import Address
from crossdock.kernel.ids import derive
from crossdock.model.checks import Findings
from crossdock.model.messages import CancelRequested, LineQuantity
from crossdock.model.outside import EPOCH
from crossdock.model.problems import Problem
from crossdock.model.text import unstorable
from crossdock.ordering.model import ORDER_PROCESS

INVALID_CANCEL = problem_type(
    "invalid_cancel",
    422,
    "The cancellation does not fit the order",
    cause="It names a line that the order does not have, or one line twice.",
    remedy="Correct every field that `errors` names; GET /v1/orders/{order} shows the lines.",
)
INVALID_EDIT = problem_type(
    "invalid_edit",
    422,
    "The edit does not fit the order",
    cause="It changes nothing, or names a line, group or attribute that cannot be.",
    remedy="Correct every field that `errors` names; GET /v1/orders/{order} shows what there is.",
)
REVISION_MISSING = problem_type(
    "revision_missing",
    428,
    "The edit does not say which revision it was made on",
    cause="There is no If-Match header, or it is no ETag of an order.",
    remedy='Read the order and send its ETag, such as If-Match: "3"; or * for whichever it is.',
)
REVISION_CHANGED = problem_type(
    "revision_changed",
    412,
    "The order was edited since it was read",
    cause="Its revision is another one than that in If-Match.",
    remedy="Read the order again, look at what changed, and send the edit with the new ETag.",
)
EDIT_TOO_LATE = problem_type(
    "edit_too_late",
    409,
    "A package with the old address is on its way",
    cause="Units of the delivery group are packed or shipped; nothing of the edit was applied.",
    remedy="Send the rest of the edit without the address; have the carrier told of the new one.",
)
ORDER_CLOSED = problem_type(
    "order_closed",
    409,
    "The order is closed",
    cause="Every unit is delivered, returned or canceled: an edit would reach nobody.",
    remedy="Leave it as it is.",
)
_REFUSALS = {"stale": REVISION_CHANGED, "too_late": EDIT_TOO_LATE, "closed": ORDER_CLOSED}

OrderName = Annotated[
    str,
    PathParameter(
        name="order",
        max_length=600,
        description="Its id, or what another system calls it: `channel:number`.",
    ),
]
Stage = Literal["checking", "held", "open", "closed"]
ChannelFilter = Annotated[
    Word | None, QueryParameter(name="channel", required=False, description="Its code.")
]
NumberFilter = Annotated[
    Word | None,
    QueryParameter(
        name="number",
        required=False,
        description="The channel's own number, with `channel`: that one order.",
    ),
]
StageFilter = Annotated[
    list[Stage] | None,
    QueryParameter(
        name="stage",
        required=False,
        max_items=10,
        description="One of them; more than once: any.",
    ),
]
CustomerFilter = Annotated[
    Word | None, QueryParameter(name="customer", required=False, description="The customer's id.")
]
PlacedFrom = Annotated[
    Moment | None, QueryParameter(name="placed_from", required=False, description="Or later.")
]
PlacedBefore = Annotated[
    Moment | None, QueryParameter(name="placed_before", required=False, description="Exclusive.")
]
ChangedSince = Annotated[
    Moment | None,
    QueryParameter(
        name="changed_since",
        required=False,
        description="Only orders that changed at that time or later, in the order of change."
        " `next` then always goes on from here, and is the cursor you sent once nothing is new.",
    ),
]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        max_length=60,
        required=False,
        description="The ETag of the order as it was read, or *.",
    ),
]


@get(
    "/orders/{order:str}",
    opt={"permission": "orders:read", "answer_example": examples.ORDER},
    responses=answers(NOT_FOUND),
    sync_to_thread=True,
)
def read_order(
    order: OrderName, caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Response[OrderRead]:
    """Read an order with everything that became of it. Its ETag is its revision."""
    with services.of(caller).reading() as connection:
        found = reading.find_order(connection, caller, order)
    return Response(found, headers=_etag(found))


@get(
    "/orders",
    opt={"permission": "orders:read", "answer_example": examples.ORDERS},
    responses=answers(INVALID_FILTER),
    sync_to_thread=True,
)
def list_orders(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    channel: ChannelFilter = None,
    number: NumberFilter = None,
    stage: StageFilter = None,
    customer: CustomerFilter = None,
    placed_from: PlacedFrom = None,
    placed_before: PlacedBefore = None,
    changed_since: ChangedSince = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[OrderRead]:
    """List orders by the time they were placed at, or (with `changed_since`) by what changed."""
    require_keys(channel=channel, number=number)
    require_id("customer", customer)
    channels = None if caller.channels is None else sorted(caller.channels)
    if channel is not None:
        channels = [channel] if caller.sees_channel(channel) else []
    wanted = Filter(channels, stage or (), customer)
    if number is not None and channel is None:
        raise ApiProblem(INVALID_FILTER, errors=[_NO_CHANNEL])
    with services.of(caller).reading() as connection:
        if number is not None:
            return reading.order_of_number(connection, caller, channel or "", number)
        if changed_since is not None or reading.is_of_changes(cursor):
            since = changed_since if cursor is None else None
            return reading.orders_by_change(connection, wanted, since, cursor, limit)
        return reading.orders_by_time(connection, wanted, placed_from, placed_before, cursor, limit)


_NO_CHANNEL = Problem(
    "channel", "no_channel", "A number is one channel's own.", "Name the channel beside it."
)


@post(
    "/orders/{order:str}/cancel",
    status_code=202,
    opt={
        "permission": "orders:write",
        "example": examples.CANCEL,
        "answer_example": examples.CANCEL_TAKEN,
    },
    responses=answers(NOT_FOUND, INVALID_CANCEL, IDEMPOTENCY_CONFLICT),
)
async def cancel_order(
    order: OrderName,
    data: JSONBody[Cancel],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[CancelTaken]:
    """Want units back. At once what no node has; nodes are asked for the rest, carriers to stop.

    What is gone is refused, visibly: `cancellations` of the order tell what became of each unit.
    """
    found = await sync_to_thread(_find, services.of(caller), caller, order)
    problems = _cancel_problems(data, found)
    if problems:
        raise ApiProblem(INVALID_CANCEL, errors=problems)
    source, source_id = identity(caller, "cancel", idempotency_key, str(uuid4()))
    message = CancelRequested(
        order_id=found.id,
        request_id=derive(EPOCH, source, source_id),
        lines=tuple(LineQuantity(one.line, one.quantity) for one in data.lines),
        reason=data.reason,
    )
    inbound = Inbound(
        source, source_id, message, _address(found), services.clock.now(), caller.name
    )
    [receipt] = await services.messages.put(caller, [inbound])
    replayed = REPLAYED if was_done_before(receipt) else {}
    return Response(CancelTaken(found.id, message.request_id), status_code=202, headers=replayed)


def _cancel_problems(cancel: Cancel, order: OrderRead) -> list[Problem]:
    problems = unstorable(cancel)
    found = Findings(problems)
    found.key(cancel.reason, "", "reason")
    known = {line.number for line in order.lines}
    found.distinct([one.line for one in cancel.lines], "line", "lines")
    for index, one in enumerate(cancel.lines):
        found.reference(one.line, known, f"lines[{index}].", "line")
    return problems


@patch(
    "/orders/{order:str}",
    opt={"permission": "orders:write", "example": examples.EDIT, "answer_example": examples.ORDER},
    responses={
        202: ResponseSpec(
            EditTaken, description="Durable, and not decided yet", generate_examples=False
        ),
        **answers(
            NOT_FOUND,
            INVALID_EDIT,
            REVISION_MISSING,
            REVISION_CHANGED,
            EDIT_TOO_LATE,
            ORDER_CLOSED,
            IDEMPOTENCY_CONFLICT,
        ),
    },
)
async def edit_order(
    order: OrderName,
    data: JSONBody[OrderEdit],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[OrderRead | EditTaken]:
    """Change what needs no new sourcing: whom to reach, the street, instructions, attributes.

    All of it is applied or nothing, on the revision that `If-Match` names. 202 says that it is
    durable and not decided yet.
    """
    backend = services.of(caller)
    found = await sync_to_thread(_find, backend, caller, order)
    revision = _revision_of(if_match, found)
    problems = problems_of(data, found)
    if problems:
        raise ApiProblem(INVALID_EDIT, errors=problems)
    source, source_id = identity(caller, "edit", idempotency_key, str(uuid4()))
    asked = asked_of(data, found, derive(EPOCH, source, source_id), revision)
    inbound = Inbound(
        source, source_id, asked.message, _address(found), services.clock.now(), caller.name
    )
    edit = Edit(inbound, asked.parties, asked.addresses)
    receipt = await backend.group("edits", write_edits).put(edit)
    repeated = was_done_before(receipt)
    note_inbound(inbound, receipt)
    request_id = asked.message.request_id
    result = await answer_of(backend, lambda c: store.edit_answer(c, found.id, request_id))
    headers = REPLAYED if repeated else {}
    if result is None:
        taken: OrderRead | EditTaken = EditTaken(found.id, request_id)
        return Response(taken, status_code=202, headers=headers)
    now_it_is = await sync_to_thread(_find, backend, caller, found.id)
    if result != "applied":
        raise ApiProblem(_REFUSALS[result], headers=_etag(now_it_is))
    edited: OrderRead | EditTaken = now_it_is
    return Response(edited, headers={**headers, **_etag(now_it_is)})


def _revision_of(if_match: str | None, order: OrderRead) -> int:
    """The revision an edit was made on, 0 for whichever it is. Raises ApiProblem 428."""
    if if_match is not None and if_match.strip() == "*":
        return 0
    named = re.fullmatch(r'"([1-9][0-9]{0,8})"', (if_match or "").strip())
    if named is None:
        raise ApiProblem(REVISION_MISSING, headers=_etag(order))
    return int(named[1])


def _etag(order: OrderRead) -> dict[str, str]:
    return {"ETag": f'"{order.revision}"', "Cache-Control": "no-store"}


def _find(backend: Backend, caller: Caller, name: str) -> OrderRead:
    with backend.reading() as connection:
        return reading.find_order(connection, caller, name)


def _address(order: OrderRead) -> Address:
    return Address(ORDER_PROCESS, order.id, order.id)


HANDLERS = (read_order, list_orders, cancel_order, edit_order)
"""They share the router of those who place orders."""
