"""For systems: stock levels, moves, snapshots as of a time, corrections of what was seen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from litestar import Response, Router, get, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from crossdock import db
from crossdock.api.access.caller import Caller
from crossdock.api.documents import answers
from crossdock.api.filters import INVALID_FILTER
from crossdock.api.first_answers import answer_once, lasting
from crossdock.api.idempotency import REPLAYED, IdempotencyKey, identity
from crossdock.api.pages import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, page_of
from crossdock.api.problems import (
    IDEMPOTENCY_CONFLICT,
    ApiProblem,
    ProblemError,
    problem_type,
)
from crossdock.api.requests import TypedRequest
from crossdock.api.services import Backend, Services
from crossdock.api.stock import store
from crossdock.api.stock.correcting import Asked, Decided, write_corrections
from crossdock.api.stock.model import (
    MOST_CORRECTIONS,
    CorrectionAsked,
    CorrectionMade,
    CorrectionResult,
    CorrectionResults,
    Counts,
    CountsTaken,
    Move,
    Moves,
    MovesTaken,
    Refused,
    StockLevel,
)
from crossdock.api.system_examples import with_examples
from crossdock.api.tellings import Telling, write_at_once
from crossdock.api.work.model import Moment
from crossdock.engine.inbox import Inbound
from crossdock.inventory import rules
from crossdock.inventory.facts.station import inventory_address
from crossdock.kernel.messages import Message
from crossdock.model.checks import Findings
from crossdock.model.messages import InventoryCounted, InventoryMoved, StockCount, StockMove
from crossdock.model.problems import Problem
from crossdock.model.validation import validate

INVALID_STOCK = problem_type(
    "invalid_stock_report",
    422,
    "The report cannot be booked",
    cause="A move, count or correction names what nobody knows, or units that cannot be.",
    remedy="Correct every field that `errors` names and send it again.",
)
STALE_QUANTITY = problem_type(
    "stale_quantity",
    409,
    "The bucket holds another quantity than was expected",
    cause="Stock moved, or somebody corrected it, since you looked; nothing was changed.",
    remedy="Look at `actual_quantity`, decide anew, and send it as expected_quantity.",
)

NO_HISTORY = problem_type(
    "no_history",
    422,
    "There is no history of that time",
    cause="The time lies before the first move on record, before the ledger was closed, or in the"
    " future.",
    remedy="Ask for a time within the history; `errors` says when it begins.",
)

CorrectionsAsked = Annotated[
    tuple[CorrectionAsked, ...], msgspec.Meta(min_length=1, max_length=MOST_CORRECTIONS)
]

_READ = {"permission": "inventory:read"}
_WRITE = {"permission": "inventory:write"}


@get(
    "/inventory/levels",
    opt=_READ,
    responses=answers(INVALID_FILTER, NO_HISTORY),
    sync_to_thread=True,
)
def list_levels(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    node: Annotated[str | None, QueryParameter(max_length=200, required=False)] = None,
    sku: Annotated[str | None, QueryParameter(max_length=200, required=False)] = None,
    changed_since: Annotated[Moment | None, QueryParameter(required=False)] = None,
    as_of: Annotated[Moment | None, QueryParameter(required=False)] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[StockLevel]:
    """Stock by SKU and node. `changed_since`: where anything moved at that time or later.

    `as_of`, with a `node`: what was there at that time by all that is known now, moves that were
    told later included. What was promised then, and held back, is null.
    """
    after = decode_cursor(cursor, str, str, str, str) if cursor else ("", "", "", "")
    nodes = None if caller.nodes is None else sorted(caller.nodes)
    if node is not None:
        nodes = [node] if caller.sees_node(node) else []
    with services.of(caller).reading() as connection:
        if as_of is not None:
            _check_then(connection, services.clock.now(), as_of, node, changed_since)
            seen = nodes[0] if nodes else ""
            rows = store.levels_then(connection, seen, sku, as_of, after, limit + 1)
        else:
            rows = store.levels(connection, nodes, sku, changed_since, after, limit + 1)
    return page_of(rows, limit, lambda one: (one.sku, one.node, one.owner, one.lot))


def _check_then(
    connection: db.Connection,
    now: datetime,
    as_of: datetime,
    node: str | None,
    changed_since: datetime | None,
) -> None:
    """Raises ApiProblem 422 for a past that nobody can tell, or that was not asked for by node."""
    if node is None or changed_since is not None:
        text = "A past state is of one node, and of all its levels."
        found = Problem("as_of", "not_alone", text, "Send `node`, and no `changed_since`.")
        raise ApiProblem(INVALID_FILTER, errors=[found])
    begins = store.history_begins(connection)
    if begins is None or as_of < begins or as_of > now:
        since = "nothing has moved yet" if begins is None else f"it begins at {begins.isoformat()}"
        text = f"There is no history of {as_of.isoformat()}: {since}, and ends now."
        raise ApiProblem(
            NO_HISTORY, text, [Problem("as_of", "no_history", text, "Send a time within.")]
        )


@post(
    "/inventory/moves",
    status_code=202,
    opt={**_WRITE, "bulk": True},
    responses=answers(INVALID_STOCK, IDEMPOTENCY_CONFLICT),
    sync_to_thread=True,
)
def report_moves(
    data: JSONBody[Moves],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[MovesTaken]:
    """Report what moved. Each move is booked once, in whatever order they come.

    Moves that cannot be booked are named in `refused` and the others are taken; a chunk (with
    `sequence`) that has such a move is refused as a whole.
    """
    backend = services.of(caller)
    found, refused = _flawed_moves(backend, caller, data)
    if found or (refused and (data.sequence or len(refused) == len(data.moves))):
        whole = [*found, *(problem for problems in refused.values() for problem in problems)]
        raise ApiProblem(INVALID_STOCK, errors=whole)
    by_node: dict[str, list[Move]] = {}
    for index, move in enumerate(data.moves):
        if index not in refused:
            by_node.setdefault(move.node, []).append(move)
    messages: dict[str, Message] = {
        node: InventoryMoved(
            source=data.source,
            sequence=data.sequence,
            moves=tuple(StockMove(*msgspec.structs.astuple(move)) for move in moves),
        )
        for node, moves in by_node.items()
    }
    otherwise = f"{data.source}/{data.sequence}" if data.sequence else _hash(data)
    before = _take(backend, caller, "moves", data, idempotency_key, otherwise, messages)
    taken = MovesTaken(
        taken=len(data.moves) - len(refused),
        refused=[Refused(index=i, errors=_shown(p)) for i, p in refused.items()],
    )
    return Response(taken, status_code=202, headers=REPLAYED if before else {})


_MOVE = re.compile(r"moves\[(\d+)\]")


def _flawed_moves(
    backend: Backend, caller: Caller, data: Moves
) -> tuple[list[Problem], dict[int, list[Problem]]]:
    """Everything wrong with the whole, and with each move that cannot be booked."""
    moves = tuple(StockMove(*msgspec.structs.astuple(move)) for move in data.moves)
    known = _seen_nodes(backend, caller, {move.node for move in moves})
    of_whole: list[Problem] = []
    of_move: dict[int, list[Problem]] = {}
    for problem in validate(InventoryMoved(source=data.source, sequence=0, moves=moves)):
        place = _MOVE.match(problem.path)
        if place is None:
            of_whole.append(problem)
        else:
            of_move.setdefault(int(place[1]), []).append(problem)
    for index, move in enumerate(moves):
        why = rules.refusal_of(move)
        if why is not None and index not in of_move:
            found = Problem(f"moves[{index}]", "cannot_be_booked", f"Its {why}.", "Correct it.")
            of_move[index] = [found]
        if move.node not in known:
            unknown = _unknown(f"moves[{index}].node", "node", move.node)
            of_move.setdefault(index, []).append(unknown)
    return of_whole, dict(sorted(of_move.items()))


@post(
    "/inventory/counts",
    status_code=202,
    opt={**_WRITE, "bulk": True},
    responses=answers(INVALID_STOCK, IDEMPOTENCY_CONFLICT),
    sync_to_thread=True,
)
def report_counts(
    data: JSONBody[Counts],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[CountsTaken]:
    """Report a snapshot of one node as of a time. An older one than the last changes nothing."""
    backend = services.of(caller)
    message = InventoryCounted(
        source=data.source,
        as_of=data.as_of,
        node=data.node,
        counts=tuple(
            StockCount(c.sku, data.node, c.quantity, c.bucket, c.lot, c.expires_on)
            for c in data.counts
        ),
        full=data.full,
    )
    found = validate(message)
    if not data.counts and not data.full:
        found.append(Problem("counts", "no_counts", "Nothing was counted.", "Send at least one."))
    if data.node not in _seen_nodes(backend, caller, {data.node}):
        found.append(_unknown("node", "node", data.node))
    if found:
        raise ApiProblem(INVALID_STOCK, errors=found)
    messages: dict[str, Message] = {data.node: message}
    before = _take(backend, caller, "counts", data, idempotency_key, _hash(data), messages)
    taken = CountsTaken(len(data.counts))
    return Response(taken, status_code=202, headers=REPLAYED if before else {})


def _take(
    backend: Backend,
    caller: Caller,
    operation: str,
    data: msgspec.Struct,
    key: str | None,
    otherwise: str,
    messages: dict[str, Message],
) -> bool:
    """Put a message for each node into the inbox; whether they came before."""
    source, name = identity(caller, operation, key, otherwise)
    now = backend.clock.now()
    inbounds = [
        Inbound(
            source=source,
            source_id=f"{name}/{node}",
            message=message,
            to=inventory_address(node),
            occurred_at=now,
            actor=caller.name,
        )
        for node, message in messages.items()
    ]
    telling = Telling([(source, name)], msgspec.structs.asdict(data), inbounds)
    return write_at_once(backend, telling)


@post(
    "/inventory/corrections",
    status_code=200,
    opt=_WRITE,
    responses=answers(INVALID_STOCK, IDEMPOTENCY_CONFLICT, STALE_QUANTITY),
)
async def correct_stock(
    data: JSONBody[CorrectionAsked],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[CorrectionMade]:
    """Set a bucket to what is there, if it still holds what you saw (compare and swap)."""
    backend = services.of(caller)
    [problems] = await sync_to_thread(_flaws, backend, caller, [data])
    if problems:
        raise ApiProblem(INVALID_STOCK, errors=problems)
    decided = await _decide(backend, _asked(caller, data, idempotency_key, ""))
    stored = decided.stored
    if not stored.applied:
        raise ApiProblem(
            STALE_QUANTITY,
            f"{stored.bucket} of {stored.sku} at {stored.node} holds {stored.actual}.",
            headers=REPLAYED if decided.before else {},
            expected_quantity=stored.expected,
            actual_quantity=stored.actual,
        )
    made = CorrectionMade(
        id=stored.id,
        sku=stored.sku,
        node=stored.node,
        lot=stored.lot,
        bucket=stored.bucket,
        previous_quantity=stored.actual,
        quantity=stored.quantity,
        decided_at=stored.decided_at,
    )
    return Response(made, status_code=200, headers=REPLAYED if decided.before else {})


@post(
    "/inventory/corrections/bulk",
    status_code=200,
    opt={**_WRITE, "bulk": True},
    responses=answers(IDEMPOTENCY_CONFLICT),
)
async def correct_many(
    request: TypedRequest, data: JSONBody[CorrectionsAsked], idempotency_key: IdempotencyKey = None
) -> Response[CorrectionResults]:
    """Correct many buckets at once; each is decided by itself, in the order sent."""
    backend = request.services.of(request.caller)

    async def answer() -> CorrectionResults:
        return await _correct_all(backend, request.caller, data, idempotency_key)

    return await answer_once(request, backend, idempotency_key, answer, lasting)


async def _correct_all(
    backend: Backend, caller: Caller, data: Sequence[CorrectionAsked], idempotency_key: str | None
) -> CorrectionResults:
    flaws = await sync_to_thread(_flaws, backend, caller, data)

    async def one(index: int, asked: CorrectionAsked) -> CorrectionResult:
        if flaws[index]:
            code, errors = INVALID_STOCK.code, _shown(flaws[index])
            return CorrectionResult(index=index, status="refused", code=code, errors=errors)
        try:
            decided = await _decide(backend, _asked(caller, asked, idempotency_key, f"#{index}"))
        except ApiProblem as problem:
            code, errors = problem.problem_type.code, _shown(problem.errors)
            return CorrectionResult(index=index, status="refused", code=code, errors=errors)
        return _result(index, decided)

    results = await asyncio.gather(*(one(index, asked) for index, asked in enumerate(data)))
    refused = sum(result.status == "refused" for result in results)
    return CorrectionResults(len(results) - refused, refused, results)


def _result(index: int, decided: Decided) -> CorrectionResult:
    stored = decided.stored
    if not stored.applied:
        return CorrectionResult(
            index=index,
            status="refused",
            code=STALE_QUANTITY.code,
            actual_quantity=stored.actual,
        )
    status = "repeated" if decided.before else "applied"
    return CorrectionResult(index=index, status=status, id=stored.id)


async def _decide(backend: Backend, asked: Asked) -> Decided:
    return await backend.group("corrections", write_corrections).put(asked)


def _asked(caller: Caller, data: CorrectionAsked, key: str | None, part: str) -> Asked:
    """Without a key each is its own: what it expects keeps it from being done twice."""
    named = f"{key}{part}" if key is not None else None
    return Asked(identity(caller, "correction", named, str(uuid4())), data, caller.name)


def _flaws(
    backend: Backend, caller: Caller, asked: Sequence[CorrectionAsked]
) -> list[list[Problem]]:
    """What keeps each from being decided at all."""
    nodes = _seen_nodes(backend, caller, {one.node for one in asked})
    with backend.reading() as connection:
        skus = store.known_skus(connection, {one.sku for one in asked})
    flaws: list[list[Problem]] = []
    for one in asked:
        found = [] if one.node in nodes else [_unknown("node", "node", one.node)]
        if one.sku not in skus:
            found.append(_unknown("sku", "product", one.sku))
        if one.lot:
            Findings(found).key(one.lot, "", "lot")
        flaws.append(found)
    return flaws


def _seen_nodes(backend: Backend, caller: Caller, codes: set[str]) -> set[str]:
    """Nodes that exist and that the caller sees."""
    seen = {code for code in codes if caller.sees_node(code)}
    with backend.reading() as connection:
        return store.known_nodes(connection, seen)


def _unknown(path: str, what: str, name: str) -> Problem:
    return Problem(
        path,
        f"unknown_{what}",
        f"There is no {what} {name[:60]!r}.",
        f"Correct it, or add the {what}.",
    )


def _shown(problems: Sequence[Problem]) -> list[ProblemError]:
    return [ProblemError(p.path, p.code, p.message, p.remedy) for p in problems]


def _hash(data: Any) -> str:
    return blake2b(msgspec.msgpack.encode(data), digest_size=16).hexdigest()


router = Router(
    "/v1",
    route_handlers=with_examples(
        [list_levels, report_moves, report_counts, correct_stock, correct_many]
    ),
    tags=["inventory"],
)
