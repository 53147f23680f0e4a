"""For systems: master data of nodes, products and prices, read and written; references."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Response, Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter

from crossdock.api.access.caller import Caller
from crossdock.api.documents import answers
from crossdock.api.etags import PRECONDITION_FAILED, IfMatch, etag_of, require_match
from crossdock.api.first_answers import write_once
from crossdock.api.idempotency import IdempotencyKey
from crossdock.api.master import store
from crossdock.api.master.model import (
    RecordResult,
    RecordResults,
    Records,
    Reference,
    ReferenceKind,
    ReferenceSeen,
)
from crossdock.api.master.writing import load_rows, put_record
from crossdock.api.pages import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    Page,
    decode_cursor,
    encode_cursor,
)
from crossdock.api.problems import (
    IDEMPOTENCY_CONFLICT,
    NOT_FOUND,
    ApiProblem,
    ProblemError,
    problem_type,
)
from crossdock.api.references import parse_reference, resolve
from crossdock.api.requests import TypedRequest
from crossdock.api.services import Services
from crossdock.api.system_examples import with_examples
from crossdock.api.work.model import Moment
from crossdock.catalog import records_store
from crossdock.catalog.loading import NODES, PRICES, PRODUCTS, Kind, Loaded
from crossdock.catalog.model import Node, Price, Product, Record
from crossdock.catalog.records_store import Listed
from crossdock.db import Connection
from crossdock.model.outside import EPOCH
from crossdock.model.problems import Problem

INVALID_RECORD = problem_type(
    "invalid_record",
    422,
    "The record cannot be saved",
    cause="A field cannot be right, or names what nobody knows.",
    remedy="Correct every field that `errors` names and send it again.",
)
REFERENCE_TAKEN = problem_type(
    "reference_taken",
    409,
    "That system calls it something else already",
    cause="For each system and company, a thing of ours has one reference.",
    remedy="Delete the other reference first, or correct our_id.",
)

R = TypeVar("R", bound=Record)

_READ: Any = {"permission": "master:read"}
_WRITE: Any = {"permission": "master:write"}
_BULK: Any = {**_WRITE, "bulk": True}
_PUT_ERRORS = answers(INVALID_RECORD, IDEMPOTENCY_CONFLICT, PRECONDITION_FAILED)
_Path = Annotated[
    str, PathParameter(max_length=600, description="Ours, or another system's: system:reference.")
]
Since = Annotated[
    Moment | None,
    QueryParameter(
        name="changed_since",
        required=False,
        description="What changed at that time or later, in the order of change. Ask from a minute"
        " before you asked last: what was being written then is in that minute.",
    ),
]


@get("/nodes", opt=_READ, sync_to_thread=True)
def list_nodes(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    changed_since: Since = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Node]:
    """List nodes by code, or what changed since a time."""
    codes = None if caller.nodes is None else sorted(caller.nodes)
    with services.of(caller).reading() as connection:
        return _page(
            Node,
            lambda after: records_store.node_page(connection, codes, after, limit + 1),
            lambda since, after: records_store.changed_nodes(
                connection, codes, since, after, limit + 1
            ),
            changed_since,
            cursor,
            limit,
        )


@get("/nodes/{node:str}", opt=_READ, responses=answers(NOT_FOUND), sync_to_thread=True)
def read_node(
    node: _Path, caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Response[Node]:
    """Read a node."""
    with services.of(caller).reading() as connection:
        found = _find(connection, NODES, node)
    if found is None or not caller.sees_node(found.code):
        raise ApiProblem(NOT_FOUND, f"There is no node {node!r}.")
    return Response(found, headers={"ETag": etag_of(found)})


@put("/nodes/{node:str}", opt=_WRITE, responses=_PUT_ERRORS, sync_to_thread=True)
def put_node(
    node: _Path,
    request: TypedRequest,
    data: JSONBody[Node],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Node]:
    """Put a node in place, whole. Stock there is offered by its new terms at once."""
    return _put(NODES, node, request, data, if_match, idempotency_key)


@post(
    "/nodes/bulk",
    status_code=200,
    opt=_BULK,
    responses=answers(IDEMPOTENCY_CONFLICT),
    sync_to_thread=True,
)
def load_nodes(
    request: TypedRequest, data: JSONBody[Records], idempotency_key: IdempotencyKey = None
) -> Response[RecordResults]:
    """Make or change many nodes; a field that is not sent stays as it is."""
    return _bulk(NODES, request, data, idempotency_key)


@get("/products", opt=_READ, sync_to_thread=True)
def list_products(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    changed_since: Since = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Product]:
    """List products by SKU, or what changed since a time."""
    with services.of(caller).reading() as connection:
        return _product_page(connection, Product, changed_since, cursor, limit)


@get("/products/{sku:str}", opt=_READ, responses=answers(NOT_FOUND), sync_to_thread=True)
def read_product(
    sku: _Path, caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Response[Product]:
    """Read a product."""
    with services.of(caller).reading() as connection:
        found = _find(connection, PRODUCTS, sku)
    if found is None:
        raise ApiProblem(NOT_FOUND, f"There is no product {sku!r}.")
    return Response(found, headers={"ETag": etag_of(found)})


@put("/products/{sku:str}", opt=_WRITE, responses=_PUT_ERRORS, sync_to_thread=True)
def put_product(
    sku: _Path,
    request: TypedRequest,
    data: JSONBody[Product],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Product]:
    """Put a product in place, whole."""
    return _put(PRODUCTS, sku, request, data, if_match, idempotency_key)


@post(
    "/products/bulk",
    status_code=200,
    opt=_BULK,
    responses=answers(IDEMPOTENCY_CONFLICT),
    sync_to_thread=True,
)
def load_products(
    request: TypedRequest, data: JSONBody[Records], idempotency_key: IdempotencyKey = None
) -> Response[RecordResults]:
    """Make or change many products; a field that is not sent stays as it is."""
    return _bulk(PRODUCTS, request, data, idempotency_key)


@get("/prices", opt=_READ, sync_to_thread=True)
def list_prices(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    changed_since: Since = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Price]:
    """List prices by SKU, or those of products that changed since a time."""
    with services.of(caller).reading() as connection:
        return _product_page(connection, Price, changed_since, cursor, limit)


@get("/prices/{sku:str}", opt=_READ, responses=answers(NOT_FOUND), sync_to_thread=True)
def read_price(
    sku: _Path, caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Response[Price]:
    """Read a price."""
    with services.of(caller).reading() as connection:
        found = _find(connection, PRICES, sku)
    if found is None:
        raise ApiProblem(NOT_FOUND, f"There is no product {sku!r}.")
    return Response(found, headers={"ETag": etag_of(found)})


@put("/prices/{sku:str}", opt=_WRITE, responses=_PUT_ERRORS, sync_to_thread=True)
def put_price(
    sku: _Path,
    request: TypedRequest,
    data: JSONBody[Price],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Price]:
    """Set the price of a product that is there."""
    return _put(PRICES, sku, request, data, if_match, idempotency_key)


@post(
    "/prices/bulk",
    status_code=200,
    opt=_BULK,
    responses=answers(IDEMPOTENCY_CONFLICT),
    sync_to_thread=True,
)
def load_prices(
    request: TypedRequest, data: JSONBody[Records], idempotency_key: IdempotencyKey = None
) -> Response[RecordResults]:
    """Set many prices; a field that is not sent stays as it is."""
    return _bulk(PRICES, request, data, idempotency_key)


def _product_page(
    connection: Connection, record: type[R], since: datetime | None, cursor: str | None, limit: int
) -> Page[R]:
    return _page(
        record,
        lambda after: records_store.product_page(connection, after, limit + 1),
        lambda at, after: records_store.changed_products(connection, at, after, limit + 1),
        since,
        cursor,
        limit,
    )


def _page(
    record: type[R],
    by_key: Callable[[str], list[Listed]],
    by_change: Callable[[datetime, tuple[datetime, str]], list[Listed]],
    since: datetime | None,
    cursor: str | None,
    limit: int,
) -> Page[R]:
    if since is None:
        [after] = decode_cursor(cursor, str) if cursor else ("",)
        rows = by_key(after)
    else:
        place = decode_cursor(cursor, datetime, str) if cursor else (EPOCH, "")
        rows = by_change(since, (place[0], place[1]))
    shown = rows[:limit]
    following = None
    if len(rows) > limit:
        last = shown[-1]
        following = (
            encode_cursor(last.key) if since is None else encode_cursor(last.changed_at, last.key)
        )
    return Page([_decoded(record, row.record) for row in shown], following)


def _decoded(record: type[R], text: str) -> R:
    """A record from its row, or the part of it that a price is."""
    if record is Price:
        row = msgspec.json.decode(text, type=dict[str, Any])
        return msgspec.convert({name: row[name] for name in Price.__struct_fields__}, record)
    return msgspec.json.decode(text, type=record)


def _find(connection: Connection, kind: Kind, text: str) -> Any:
    """The record by our key or by what another system calls it."""
    key = text
    saved = kind.saved(connection, [text])
    if not saved and parse_reference(text) is not None:
        key = resolve(connection, kind.name, [text], lambda _: False).get(text, text)
        saved = kind.saved(connection, [key])
    return msgspec.json.decode(saved[key], type=kind.record) if key in saved else None


def _put(
    kind: Kind,
    key: str,
    request: TypedRequest,
    data: R,
    if_match: str | None,
    idempotency_key: str | None,
) -> Response[R]:
    named = getattr(data, kind.key)
    if named != key:
        raise ApiProblem(INVALID_RECORD, errors=[_another(kind, key)])
    backend = request.services.of(request.caller)

    def write(connection: Connection) -> Response[R]:
        loaded = put_record(connection, backend, request.caller, kind, data)
        # The record is locked by its writing, or is as it was sent: compare what it was.
        with backend.reading() as other:
            require_match(if_match, _find(other, kind, key))
        if loaded.refused:
            raise ApiProblem(INVALID_RECORD, errors=loaded.refused[0].problems)
        found = _find(connection, kind, key)
        return Response(found, status_code=200, headers={"ETag": etag_of(found)})

    return write_once(request, backend, idempotency_key, write, data)


def _another(kind: Kind, key: str) -> Problem:
    return Problem(
        kind.key, "another_record", f"The path names {key[:60]!r}.", "Send the same in both."
    )


def _bulk(
    kind: Kind, request: TypedRequest, data: Sequence[dict[str, object]], key: str | None
) -> Response[RecordResults]:
    backend = request.services.of(request.caller)

    def write(connection: Connection) -> Response[RecordResults]:
        loaded = load_rows(connection, backend, kind, data, request.caller.name)
        results = _results(kind, data, loaded)
        changed = sum(result.status == "changed" for result in results)
        return Response(RecordResults(changed, len(loaded.refused), results), status_code=200)

    return write_once(request, backend, key, write, data)


def _results(kind: Kind, data: Sequence[dict[str, object]], loaded: Loaded) -> list[RecordResult]:
    refused = {refusal.number: refusal for refusal in loaded.refused}
    changed = set(loaded.changed)
    results = []
    for index, content in enumerate(data):
        key = str(content.get(kind.key, ""))[:200]
        refusal = refused.get(index)
        if refusal is None:
            status = "changed" if key in changed else "unchanged"
            results.append(RecordResult(index=index, key=key, status=status))
        else:
            errors = [ProblemError(p.path, p.code, p.message, p.remedy) for p in refusal.problems]
            results.append(RecordResult(index=index, key=key, status="refused", errors=errors))
    return results


@get("/references/{kind:str}", opt=_READ, sync_to_thread=True)
def list_references(
    kind: FromPath[ReferenceKind],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    system: Annotated[str | None, QueryParameter(max_length=200, required=False)] = None,
    our_id: Annotated[str | None, QueryParameter(max_length=200, required=False)] = None,
    external_id: Annotated[str | None, QueryParameter(max_length=200, required=False)] = None,
    changed_since: Since = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ReferenceSeen]:
    """List what other systems call our customers, nodes, products or work."""
    after = decode_cursor(cursor, datetime, str, str, str) if cursor else (EPOCH, "", "", "")
    with services.of(caller).reading() as connection:
        rows = store.references(
            connection,
            kind,
            system,
            our_id,
            external_id,
            changed_since or EPOCH,
            (after[0], after[1], after[2], after[3]),
            limit + 1,
        )
    shown, following = rows[:limit], None
    if len(rows) > limit:
        last = shown[-1]
        following = encode_cursor(last.changed_at, last.system, last.company, last.external_id)
    return Page(shown, following)


@put(
    "/references",
    opt=_WRITE,
    responses=answers(INVALID_RECORD, REFERENCE_TAKEN),
    sync_to_thread=True,
)
def put_reference(
    request: TypedRequest, data: JSONBody[Reference], idempotency_key: IdempotencyKey = None
) -> Response[ReferenceSeen]:
    """Tell what another system calls a thing of ours; every look-up takes it from then on."""

    def write(connection: Connection) -> Response[ReferenceSeen]:
        if not store.is_there(connection, data.kind, data.our_id):
            found = Problem(
                "our_id",
                f"unknown_{data.kind}",
                f"There is no {data.kind} {data.our_id[:60]!r}.",
                "Correct the id.",
            )
            raise ApiProblem(INVALID_RECORD, errors=[found])
        saved = store.save_reference(connection, data)
        if saved is None:
            raise ApiProblem(REFERENCE_TAKEN)
        return Response(saved)

    return write_once(request, request.services.of(request.caller), idempotency_key, write, data)


@delete(
    "/references/{kind:str}/{reference:str}",
    status_code=204,
    opt=_WRITE,
    responses=answers(NOT_FOUND),
    sync_to_thread=True,
)
def drop_reference(
    kind: FromPath[ReferenceKind],
    reference: _Path,
    request: TypedRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response[None]:
    """Forget what another system (`system:reference`) calls a thing of ours."""
    parsed = parse_reference(reference)

    def write(connection: Connection) -> Response[None]:
        if parsed is None or not store.drop_reference(connection, kind, *parsed):
            raise ApiProblem(NOT_FOUND, f"There is no reference {reference[:100]!r}.")
        return Response(None)

    return write_once(request, request.services.of(request.caller), idempotency_key, write)


router = Router(
    "/v1",
    route_handlers=with_examples(
        [
            list_nodes,
            read_node,
            put_node,
            load_nodes,
            list_products,
            read_product,
            put_product,
            load_products,
            list_prices,
            read_price,
            put_price,
            load_prices,
            list_references,
            put_reference,
            drop_reference,
        ]
    ),
    tags=["master data"],
)
