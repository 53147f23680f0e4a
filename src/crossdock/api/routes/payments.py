"""For systems: what was asked of payment providers, and answers that come another way."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from crossdock.api.access.caller import Caller
from crossdock.api.correlation import note_message
from crossdock.api.documents import answers
from crossdock.api.feeds import NOBODY
from crossdock.api.idempotency import REPLAYED, IdempotencyKey, identity
from crossdock.api.orders.reading import find_order
from crossdock.api.pages import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, encode_cursor
from crossdock.api.payments import store
from crossdock.api.payments.model import (
    OrderPayments,
    PaymentEntry,
    PaymentResult,
    PaymentTaken,
)
from crossdock.api.payments.settling import (
    ALREADY_SETTLED,
    Settling,
    message_of,
    write_settlings,
)
from crossdock.api.problems import IDEMPOTENCY_CONFLICT, NOT_FOUND, ApiProblem
from crossdock.api.services import Backend, Services
from crossdock.api.system_examples import with_examples
from crossdock.api.work.model import Moment
from crossdock.model.outside import EPOCH

_READ: Any = {"permission": "orders:read"}


@get("/payments", opt=_READ, sync_to_thread=True)
def list_payments(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    status: Annotated[
        Literal["asked", "done", "refused"] | None, QueryParameter(required=False)
    ] = None,
    changed_since: Annotated[Moment | None, QueryParameter(required=False)] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[PaymentEntry]:
    """List what was asked of payment providers, in the order in which it was asked or answered."""
    after = decode_cursor(cursor, datetime, UUID, str) if cursor else (EPOCH, NOBODY, "")
    channels = None if caller.channels is None else sorted(caller.channels)
    with services.of(caller).reading() as connection:
        rows = store.changed_entries(
            connection,
            channels,
            status,
            changed_since or EPOCH,
            (after[0], str(after[1]), after[2]),
            limit + 1,
        )
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    following = None
    if last is not None:
        following = encode_cursor(last.settled_at or last.requested_at, last.order_id, last.key)
    return Page(shown, following)


@get("/payments/{order:str}", opt=_READ, responses=answers(NOT_FOUND), sync_to_thread=True)
def read_payments(
    order: Annotated[str, PathParameter(max_length=600, description="Its id, or channel:number.")],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> OrderPayments:
    """Read how an order is paid: its tenders, and all that was asked for."""
    with services.of(caller).reading() as connection:
        found = find_order(connection, caller, order)
        return OrderPayments(
            order_id=found.id,
            channel=found.channel,
            order_number=found.number,
            currency=found.currency,
            total=found.total,
            tenders=store.tenders_of(connection, found.id),
            entries=store.entries_of(connection, found.id),
        )


@post(
    "/payments/results",
    status_code=202,
    opt={"permission": "payments:write"},
    responses=answers(NOT_FOUND, IDEMPOTENCY_CONFLICT, ALREADY_SETTLED),
)
async def tell_result(
    data: JSONBody[PaymentResult],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[PaymentTaken]:
    """Tell what a provider answered to an entry that is `asked`; nobody asks for it any more.

    For providers that answer hours later or are not called by a connector at all.
    """
    backend = services.of(caller)
    entry = await sync_to_thread(_find, backend, caller, data)
    names = [(f"payment:{entry.order_id}", entry.key)]
    if idempotency_key is not None:
        names.append(identity(caller, "payment", idempotency_key, ""))
    settling = Settling(names, data, entry, caller.name)
    repeated = await backend.group("payments", write_settlings).put(settling)
    if not repeated:
        note_message("", entry.order_id, message_of(data, entry).message_type)
    taken = PaymentTaken(entry.order_id, entry.key)
    return Response(taken, status_code=202, headers=REPLAYED if repeated else {})


def _find(backend: Backend, caller: Caller, result: PaymentResult) -> PaymentEntry:
    with backend.reading() as connection:
        order = find_order(connection, caller, result.order)
        for entry in store.entries_of(connection, order.id):
            if entry.key == result.key:
                return entry
    raise ApiProblem(NOT_FOUND, f"The order has no payment {result.key[:100]!r}.")


router = Router(
    "/v1",
    route_handlers=with_examples([list_payments, read_payments, tell_result]),
    tags=["payments"],
)
