"""For systems: what was asked of payment providers, and answers that come another way."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Response, Router, get, post, put
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from crossdock.api.access.caller import Caller
from crossdock.api.correlation import note_message
from crossdock.api.documents import answers
from crossdock.api.feeds import NOBODY
from crossdock.api.first_answers import write_once
from crossdock.api.idempotency import REPLAYED, IdempotencyKey, identity
from crossdock.api.orders.reading import find_order
from crossdock.api.orders_door import CHANNEL_NOT_PERMITTED
from crossdock.api.pages import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    Page,
    decode_cursor,
    encode_cursor,
    page_of,
)
from crossdock.api.payments import received_store, store
from crossdock.api.payments.model import (
    OrderNamed,
    OrderPayments,
    PaymentEntry,
    PaymentReport,
    PaymentResult,
    PaymentTaken,
    ReceivedPayment,
    ReceivedTaken,
)
from crossdock.api.payments.received import (
    INVALID_PAYMENT,
    PAYMENT_GIVEN,
    Receiving,
    checked,
    give_to_order,
    order_of,
    received_id,
    write_received,
)
from crossdock.api.payments.settling import (
    ALREADY_SETTLED,
    Settling,
    message_of,
    write_settlings,
)
from crossdock.api.problems import IDEMPOTENCY_CONFLICT, MALFORMED, NOT_FOUND, ApiProblem
from crossdock.api.requests import TypedRequest
from crossdock.api.services import Backend, Services
from crossdock.api.system_examples import with_examples
from crossdock.api.work.model import Moment
from crossdock.db import Connection
from crossdock.kernel.ids import is_id
from crossdock.model.effects import PaymentReceived
from crossdock.model.outside import EPOCH
from crossdock.model.text import unstorable

_READ: Any = {"permission": "orders:read"}

Payment = Annotated[
    str, PathParameter(max_length=600, description="Its id, or provider:reference.")
]


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
    "/payments/received",
    status_code=202,
    opt={"permission": "payments:write"},
    responses=answers(CHANNEL_NOT_PERMITTED, IDEMPOTENCY_CONFLICT),
)
async def tell_received(
    data: JSONBody[PaymentReport],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[ReceivedTaken]:
    """Tell of money that nobody asked for; it is kept, whatever it is for.

    Where it is just what an order is held for, the order is paid with it and goes on. Everything
    else stays `unapplied`, with the reason, until a person has looked at it.
    """
    checked(data)
    backend = services.of(caller)
    order_id, channel = await sync_to_thread(_order_of, backend, caller, data)
    names = [(f"received payment:{data.provider}", data.reference)]
    if idempotency_key is not None:
        names.append(identity(caller, "received payment", idempotency_key, ""))
    receiving = Receiving(names, data, order_id, channel, caller.name)
    repeated = await backend.group("received payments", write_received).put(receiving)
    if order_id is not None and not repeated:
        note_message("", order_id, PaymentReceived.message_type)
    taken = ReceivedTaken(receiving.id, order_id)
    return Response(taken, status_code=202, headers=REPLAYED if repeated else {})


def _order_of(backend: Backend, caller: Caller, report: PaymentReport) -> tuple[str | None, str]:
    with backend.reading() as connection:
        return order_of(connection, caller, report)


@get("/payments/received", opt=_READ, sync_to_thread=True)
def list_received(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    status: Annotated[
        Literal["unapplied", "applied"] | None, QueryParameter(required=False)
    ] = None,
    changed_since: Annotated[Moment | None, QueryParameter(required=False)] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ReceivedPayment]:
    """List payments nobody asked for, in the order in which they were reported or applied."""
    at, id = decode_cursor(cursor, datetime, UUID) if cursor else (EPOCH, NOBODY)
    channels = None if caller.channels is None else sorted(caller.channels)
    with services.of(caller).reading() as connection:
        since = changed_since or EPOCH
        found = received_store.changed_received(
            connection, channels, status, since, (at, str(id)), limit + 1
        )
    return page_of(found, limit, lambda one: (one.changed_at, one.id))


@get(
    "/payments/received/{payment:str}", opt=_READ, responses=answers(NOT_FOUND), sync_to_thread=True
)
def read_received(
    payment: Payment,
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> ReceivedPayment:
    """Read one payment nobody asked for, and what became of it."""
    with services.of(caller).reading() as connection:
        found = received_store.find_received(connection, _id_of(payment))
    if found is None or not caller.sees_channel(found.channel):
        raise ApiProblem(NOT_FOUND, f"There is no payment {payment[:200]!r}.")
    return found


@put(
    "/payments/received/{payment:str}/order",
    status_code=202,
    opt={"permission": "payments:write"},
    responses=answers(NOT_FOUND, PAYMENT_GIVEN, IDEMPOTENCY_CONFLICT, INVALID_PAYMENT),
    sync_to_thread=True,
)
def name_order(
    payment: Payment,
    request: TypedRequest,
    data: JSONBody[OrderNamed],
    idempotency_key: IdempotencyKey = None,
) -> Response[ReceivedTaken]:
    """Say what an unapplied payment is for, as when it came before its order or named none.

    The order looks at it as if it had just come.
    """
    backend = request.services.of(request.caller)
    id = _id_of(payment)

    def write(connection: Connection) -> Response[ReceivedTaken]:
        now = backend.clock.now()
        taken = give_to_order(connection, request.caller, id, data.order, now)
        return Response(taken, status_code=202)

    return write_once(request, backend, idempotency_key, write, data)


def _id_of(payment: str) -> str:
    provider, _, reference = payment.partition(":")
    return payment if is_id(payment) else received_id(provider, reference)


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

    For providers that answer hours later or are not called by a connector at all. Money that was
    not asked for is told to /payments/received.
    """
    problems = unstorable(data)
    if problems:
        raise ApiProblem(MALFORMED, "The answer does not fit.", problems)
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
    route_handlers=with_examples(
        [
            list_payments,
            read_payments,
            tell_result,
            tell_received,
            list_received,
            read_received,
            name_order,
        ]
    ),
    tags=["payments"],
)
