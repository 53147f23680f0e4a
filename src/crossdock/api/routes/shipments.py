"""For systems: shipments and their packages, and what carriers tell of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from crossdock.api import feeds
from crossdock.api.access.caller import Caller
from crossdock.api.documents import answers
from crossdock.api.feeds import CURSOR_OF_ANOTHER_LIFE
from crossdock.api.filters import INVALID_FILTER
from crossdock.api.first_answers import answer_once, lasting
from crossdock.api.idempotency import REPLAYED, IdempotencyKey, identity
from crossdock.api.pages import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, page_of
from crossdock.api.problems import (
    IDEMPOTENCY_CONFLICT,
    NOT_FOUND,
    ApiProblem,
    ProblemError,
    problem_type,
)
from crossdock.api.requests import TypedRequest
from crossdock.api.services import Backend, Services
from crossdock.api.shipments import store
from crossdock.api.shipments.model import (
    MOST_EVENTS,
    LotSent,
    ShipmentPage,
    ShipmentSeen,
    TrackingEvent,
    TrackingResult,
    TrackingResults,
)
from crossdock.api.shipments.store import Found
from crossdock.api.system_examples import with_examples
from crossdock.api.tellings import Telling, take_in
from crossdock.api.work.model import Moment
from crossdock.api.work.store import all_nodes, find_work
from crossdock.engine.inbox import Inbound
from crossdock.engine.process import Address
from crossdock.kernel.ids import is_id
from crossdock.kernel.messages import Message
from crossdock.model.messages import InterceptAnswered, ShipmentDelivered, ShipmentLost
from crossdock.model.problems import Problem
from crossdock.model.text import unstorable
from crossdock.ordering.model import FULFILLMENT_PROCESS

INVALID_TRACKING = problem_type(
    "invalid_tracking",
    422,
    "The event does not tell of a package",
    cause="It names no package, or does not say which request it answers.",
    remedy="Correct every field that `errors` names and send it again.",
)

_READ: Any = {"permission": "work:read"}
_WRITE: Any = {"permission": "shipments:write"}
_Filter = Annotated[str | None, QueryParameter(max_length=200, required=False)]


@get("/shipments", opt=_READ, responses=answers(CURSOR_OF_ANOTHER_LIFE), sync_to_thread=True)
def list_shipments(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    node: _Filter = None,
    tracking: _Filter = None,
    changed_since: Annotated[Moment | None, QueryParameter(required=False)] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> ShipmentPage:
    """List shipments in the order in which they changed: left, delivered, lost or stopped.

    Send `next` as `cursor` to go on, and again later to get what changed since.
    """
    with services.of(caller).reading() as connection:
        seat = feeds.seat_of(connection, cursor, whole=True)
        if tracking is not None:
            found = store.by_tracking(connection, [tracking]).get(tracking, [])
            seen = [f for f in found if caller.sees_node(f.node) and node in (None, f.node)]
            ids = [(f.order_id, f.shipment_id) for f in seen[:limit]]
            items = store.shipments(connection, list(dict.fromkeys(ids)))
            return ShipmentPage(items=items, next=seat.same(), more=False)
        nodes = sorted(caller.nodes) if caller.nodes is not None else all_nodes(connection)
        if node is not None:
            nodes = [node] if caller.sees_node(node) else []
        rows = store.changed_shipments(connection, nodes, seat, changed_since, limit + 1)
        shown = rows[:limit]
        items = store.shipments(connection, [(row.order_id, row.id) for row in shown])
    place = seat.cursor(shown[-1].changed_in, shown[-1].id) if shown else seat.same()
    return ShipmentPage(items=items, next=place, more=len(rows) > limit)


@get("/shipped-lots", opt=_READ, responses=answers(INVALID_FILTER), sync_to_thread=True)
def list_shipped_lots(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    sku: Annotated[str, QueryParameter(max_length=200)],
    lot: Annotated[str, QueryParameter(max_length=200)],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[LotSent]:
    """List the orders and shipments that a lot left with: whom to tell when it is recalled."""
    after = decode_cursor(cursor, UUID, UUID, int) if cursor else None
    nodes = None if caller.nodes is None else sorted(caller.nodes)
    with services.of(caller).reading() as connection:
        rows = store.sent_of_lot(connection, sku, lot, nodes, after, limit + 1)
    return page_of(rows, limit, lambda one: (one.order_id, one.shipment_id, one.line))


@get("/shipments/{shipment:str}", opt=_READ, responses=answers(NOT_FOUND), sync_to_thread=True)
def read_shipment(
    shipment: Annotated[str, PathParameter(max_length=200, description="Our id of it.")],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> ShipmentSeen:
    """Read a shipment."""
    with services.of(caller).reading() as connection:
        found = store.by_id(connection, [shipment]).get(shipment) if is_id(shipment) else None
        if found is None or not caller.sees_node(found.node):
            raise ApiProblem(NOT_FOUND, f"There is no shipment {shipment!r}.")
        return store.shipments(connection, [(found.order_id, found.shipment_id)])[0]


TrackingEvents = Annotated[
    tuple[TrackingEvent, ...], msgspec.Meta(min_length=1, max_length=MOST_EVENTS)
]


class TrackingTaken(msgspec.Struct, frozen=True):
    """The event is durable; what follows from it shows in the shipment."""

    order_id: str
    work_id: str


@post(
    "/shipments/tracking",
    status_code=202,
    opt=_WRITE,
    responses=answers(NOT_FOUND, INVALID_TRACKING, IDEMPOTENCY_CONFLICT),
)
async def tell_tracking(
    data: JSONBody[TrackingEvent],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[TrackingTaken]:
    """Tell what a carrier says of a package. The same event twice is one."""
    backend = services.of(caller)
    [found] = await sync_to_thread(_find, backend, caller, [data])
    telling = _telling(caller, data, found, idempotency_key)
    repeated = await take_in(backend, telling)
    assert found is not None, "_telling refuses what is not found"
    taken = TrackingTaken(found.order_id, found.work_id)
    return Response(taken, status_code=202, headers=REPLAYED if repeated else {})


@post(
    "/shipments/tracking/bulk",
    status_code=200,
    opt={**_WRITE, "bulk": True},
    responses=answers(IDEMPOTENCY_CONFLICT),
)
async def tell_many(
    request: TypedRequest, data: JSONBody[TrackingEvents], idempotency_key: IdempotencyKey = None
) -> Response[TrackingResults]:
    """Tell of many packages at once; each event is taken or refused by itself."""
    backend = request.services.of(request.caller)

    async def answer() -> TrackingResults:
        return await _tell_all(backend, request.caller, data, idempotency_key)

    return await answer_once(request, backend, idempotency_key, answer, lasting)


async def _tell_all(
    backend: Backend, caller: Caller, data: Sequence[TrackingEvent], idempotency_key: str | None
) -> TrackingResults:
    places = await sync_to_thread(_find, backend, caller, data)

    async def one(index: int, event: TrackingEvent, found: Found | None) -> TrackingResult:
        try:
            key = f"{idempotency_key}#{index}" if idempotency_key else None
            telling = _telling(caller, event, found, key)
            repeated = await take_in(backend, telling)
        except ApiProblem as problem:
            errors = [ProblemError(p.path, p.code, p.message, p.remedy) for p in problem.errors]
            code = problem.problem_type.code
            return TrackingResult(index=index, status="refused", code=code, errors=errors)
        return TrackingResult(index=index, status="repeated" if repeated else "taken")

    results = await asyncio.gather(
        *(one(i, event, found) for i, (event, found) in enumerate(zip(data, places, strict=True)))
    )
    refused = sum(result.status == "refused" for result in results)
    return TrackingResults(len(results) - refused, refused, results)


def _find(backend: Backend, caller: Caller, events: Sequence[TrackingEvent]) -> list[Found | None]:
    """The package of each event that the caller sees: by shipment, work, then tracking number."""
    with backend.reading() as connection:
        shipments = store.by_id(connection, [e.shipment for e in events if is_id(e.shipment)])
        works = find_work(connection, [e.work for e in events if is_id(e.work)])
        numbers = store.by_tracking(connection, [e.tracking for e in events if e.tracking])
    places: list[Found | None] = []
    for event in events:
        found = shipments.get(event.shipment)
        if found is None and event.work in works and not event.shipment:
            work = works[event.work]
            found = Found(work.order_id, work.id, work.node, "", "")
        if found is None and not event.shipment and not event.work:
            found = next(iter(numbers.get(event.tracking, [])), None)
        places.append(found if found is not None and caller.sees_node(found.node) else None)
    return places


def _telling(caller: Caller, event: TrackingEvent, found: Found | None, key: str | None) -> Telling:
    """The message that an event is. Raises ApiProblem 404 or 422."""
    problems = unstorable(event)
    if event.request_id is None and event.event in ("stopped", "not_stopped"):
        said = "It answers a request to stop the package."
        problems.append(Problem("request_id", "missing", said, "Send the request's id."))
    if not (event.tracking or event.shipment):
        said = "It names no package."
        problems.append(Problem("tracking", "missing", said, "Send it, or our shipment id."))
    if problems:
        raise ApiProblem(INVALID_TRACKING, errors=problems)
    if found is None:
        raise ApiProblem(NOT_FOUND, "There is no such package; name the `work` if it is to leave.")
    # The process tells a second arrival from the first; a repetition of the same event is one.
    package = event.tracking or event.shipment
    name = f"{event.event}/{package}/{event.request_id or event.at.isoformat()}"
    names = [(f"package:{found.work_id}", name)]
    if key is not None:
        names.append(identity(caller, "tracking", key, ""))
    message = Inbound(
        source=f"package:{found.work_id}",
        source_id=name,
        message=_message(event, found),
        to=Address(FULFILLMENT_PROCESS, found.work_id, found.order_id),
        occurred_at=event.at,
        actor=caller.name,
        correlation_id=found.order_id,
    )
    return Telling(names, {"work": found.work_id, **msgspec.structs.asdict(event)}, [message])


def _message(event: TrackingEvent, found: Found) -> Message:
    about = {
        "order_id": found.order_id,
        "fulfillment_id": found.work_id,
        "shipment_id": found.reference,
        "tracking": event.tracking,
    }
    if event.event == "delivered":
        return ShipmentDelivered(**about, delivered_at=event.at)
    if event.event == "lost":
        return ShipmentLost(**about, reason=event.reason or "lost")
    return InterceptAnswered(
        **about, request_id=event.request_id or "", stopped=event.event == "stopped"
    )


router = Router(
    "/v1",
    route_handlers=with_examples(
        [list_shipments, list_shipped_lots, read_shipment, tell_tracking, tell_many]
    ),
    tags=["shipments"],
)
