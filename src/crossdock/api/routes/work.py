"""For nodes: pull work, and tell what becomes of it. Everything may come late, and twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import Response, Router, get, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from crossdock.api import feeds
from crossdock.api.access.caller import Caller
from crossdock.api.documents import answers
from crossdock.api.first_answers import answer_once, lasting
from crossdock.api.idempotency import REPLAYED, IdempotencyKey
from crossdock.api.pages import DEFAULT_LIMIT, Cursor, Limit
from crossdock.api.problems import (
    IDEMPOTENCY_CONFLICT,
    NOT_FOUND,
    ApiProblem,
    ProblemError,
    problem_type,
)
from crossdock.api.references import resolve
from crossdock.api.requests import TypedRequest
from crossdock.api.services import Backend, Services
from crossdock.api.system_examples import with_examples
from crossdock.api.tellings import Telling, take_in
from crossdock.api.work import store
from crossdock.api.work.model import (
    MOST_UPDATES,
    Acknowledgement,
    Act,
    Decline,
    HandOver,
    Moment,
    Pack,
    Parcel,
    Pick,
    RecallAnswer,
    Ship,
    WorkItem,
    WorkPage,
    WorkTaken,
    WorkUpdate,
)
from crossdock.api.work.store import FoundWork
from crossdock.api.work.telling import (
    NOTHING_LEFT,
    Source,
    needs_a_name,
    telling_of,
)
from crossdock.db import Connection
from crossdock.kernel.ids import is_id
from crossdock.model.checks import Findings
from crossdock.model.problems import Problem
from crossdock.model.text import unstorable

INVALID_WORK = problem_type(
    "invalid_work",
    422,
    "What is told does not fit the work",
    cause="It names a line or a recall that the work does not have, or it has no name of its own.",
    remedy="Correct every field that `errors` names; GET /v1/work/{id} shows what there is.",
)

Work = Annotated[
    str,
    PathParameter(
        name="work",
        max_length=600,
        description="Its id, or what another system calls it, `system:reference`.",
    ),
]
NodeFilter = Annotated[
    str | None, QueryParameter(name="node", max_length=200, required=False, description="Its code.")
]
ChangedSince = Annotated[
    Moment | None,
    QueryParameter(
        name="changed_since",
        required=False,
        description="Only what changed at that time or later, what has ended included.",
    ),
]


@get("/work", opt={"permission": "work:read"}, sync_to_thread=True)
def pull_work(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    node: NodeFilter = None,
    changed_since: ChangedSince = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> WorkPage:
    """Pull work in the order in which it changed.

    Without a cursor it begins with all open work. Send `next` as `cursor` to go on, and again a
    minute later to get what changed since: nothing is left out, whatever else happens meanwhile.
    """
    with services.of(caller).reading() as connection:
        seat = feeds.seat_of(connection, cursor, whole=changed_since is not None)
        nodes = _nodes(connection, caller, node)
        rows = store.changed_work(connection, nodes, seat, changed_since, limit + 1)
        shown = rows[:limit]
        items = store.work_items(connection, [(row.order_id, row.id) for row in shown])
    place = seat.cursor(shown[-1].changed_in, shown[-1].id) if shown else seat.same()
    return WorkPage(items=items, next=place, more=len(rows) > limit)


def _nodes(connection: Connection, caller: Caller, node: str | None) -> list[str]:
    if node is not None:
        return [node] if caller.sees_node(node) else []
    if caller.nodes is not None:
        return sorted(caller.nodes)
    return store.all_nodes(connection)


@get(
    "/work/{work:str}",
    opt={"permission": "work:read"},
    responses=answers(NOT_FOUND),
    sync_to_thread=True,
)
def read_work(
    work: Work, caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> WorkItem:
    """Read one piece of work."""
    with services.of(caller).reading() as connection:
        found = _find(connection, caller, [work]).get(work)
        if found is None:
            raise ApiProblem(NOT_FOUND, f"There is no work {work!r}.")
        return store.work_items(connection, [(found.order_id, found.id)])[0]


_ERRORS = answers(NOT_FOUND, INVALID_WORK, IDEMPOTENCY_CONFLICT)
_SHIP_ERRORS = answers(NOT_FOUND, INVALID_WORK, IDEMPOTENCY_CONFLICT, NOTHING_LEFT)
_WRITE = {"permission": "work:write"}


@post("/work/{work:str}/acknowledge", status_code=202, opt=_WRITE, responses=_ERRORS)
async def acknowledge(
    work: Work,
    data: JSONBody[Acknowledgement],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[WorkTaken]:
    """Take the work."""
    return await _tell(work, data, caller, services, idempotency_key)


@post("/work/{work:str}/decline", status_code=202, opt=_WRITE, responses=_ERRORS)
async def decline(
    work: Work,
    data: JSONBody[Decline],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[WorkTaken]:
    """Give the work back; another node is found for what was not shipped."""
    return await _tell(work, data, caller, services, idempotency_key)


@post("/work/{work:str}/answer-recall", status_code=202, opt=_WRITE, responses=_ERRORS)
async def answer_recall(
    work: Work,
    data: JSONBody[RecallAnswer],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[WorkTaken]:
    """Say which of the units asked for are given back; the rest is gone or too late."""
    return await _tell(work, data, caller, services, idempotency_key)


@post("/work/{work:str}/pick", status_code=202, opt=_WRITE, responses=_ERRORS)
async def pick(
    work: Work,
    data: JSONBody[Pick],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[WorkTaken]:
    """Tell which units are in hand, and which could not be found and why."""
    return await _tell(work, data, caller, services, idempotency_key)


@post("/work/{work:str}/pack", status_code=202, opt=_WRITE, responses=_ERRORS)
async def pack(
    work: Work,
    data: JSONBody[Pack],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[WorkTaken]:
    """Tell which units are in packages."""
    return await _tell(work, data, caller, services, idempotency_key)


@post("/work/{work:str}/ship", status_code=202, opt=_WRITE, responses=_SHIP_ERRORS)
async def ship(
    work: Work,
    data: JSONBody[Ship],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[WorkTaken]:
    """Tell which packages left. What was not picked or packed before, was so now."""
    return await _tell(work, data, caller, services, idempotency_key)


@post("/work/{work:str}/hand-over", status_code=202, opt=_WRITE, responses=_SHIP_ERRORS)
async def hand_over(
    work: Work,
    data: JSONBody[HandOver],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    idempotency_key: IdempotencyKey = None,
) -> Response[WorkTaken]:
    """Tell what the customer took along."""
    return await _tell(work, data, caller, services, idempotency_key)


WorkUpdates = Annotated[tuple[WorkUpdate, ...], msgspec.Meta(min_length=1, max_length=MOST_UPDATES)]


class UpdateResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one update."""

    index: int
    status: str
    """taken, repeated or refused."""
    id: str | None = None
    code: str = ""
    """Of a refused one, as in the error catalog."""
    errors: Sequence[ProblemError] = ()


class UpdateResults(msgspec.Struct, frozen=True):
    """One result for each update, in their order."""

    taken: int
    refused: int
    results: Sequence[UpdateResult]


@post(
    "/work/bulk",
    status_code=200,
    opt={**_WRITE, "bulk": True},
    responses=answers(IDEMPOTENCY_CONFLICT),
)
async def update_many(
    request: TypedRequest, data: JSONBody[WorkUpdates], idempotency_key: IdempotencyKey = None
) -> Response[UpdateResults]:
    """Tell of many pieces of work at once; each is taken or refused by itself."""
    caller = request.caller
    backend = request.services.of(caller)

    async def answer() -> UpdateResults:
        found = await sync_to_thread(_find_all, backend, caller, [one.work for one in data])
        results = await asyncio.gather(
            *(
                _tell_one(backend, caller, found.get(one.work), one, index, idempotency_key)
                for index, one in enumerate(data)
            )
        )
        refused = sum(one.status == "refused" for one in results)
        return UpdateResults(len(results) - refused, refused, results)

    return await answer_once(request, backend, idempotency_key, answer, lasting)


async def _tell_one(
    backend: Backend,
    caller: Caller,
    work: FoundWork | None,
    update: WorkUpdate,
    index: int,
    key: str | None,
) -> UpdateResult:
    try:
        acts = update.acts()
        if len(acts) != 1:
            raise ApiProblem(INVALID_WORK, errors=[_ONE_ACT])
        if work is None:
            raise ApiProblem(NOT_FOUND, f"There is no work {update.work!r}.")
        source = Source(caller, backend.clock.now(), f"{key}#{index}" if key else None)
        telling = _checked(work, acts[0], source)
        repeated = await take_in(backend, telling)
    except ApiProblem as problem:
        return UpdateResult(
            index=index,
            status="refused",
            code=problem.problem_type.code,
            errors=[ProblemError(p.path, p.code, p.message, p.remedy) for p in problem.errors],
        )
    return UpdateResult(index=index, status="repeated" if repeated else "taken", id=work.id)


_ONE_ACT = Problem(
    "",
    "not_one_act",
    "An update tells exactly one thing.",
    "Send one of acknowledge, decline, answer_recall, pick, pack, ship, hand_over.",
)


async def _tell(
    work: str, act: Act, caller: Caller, services: Services, key: str | None
) -> Response[WorkTaken]:
    backend = services.of(caller)
    found = (await sync_to_thread(_find_all, backend, caller, [work])).get(work)
    if found is None:
        raise ApiProblem(NOT_FOUND, f"There is no work {work!r}.")
    telling = _checked(found, act, Source(caller, backend.clock.now(), key))
    repeated = await take_in(backend, telling)
    taken = WorkTaken(found.id, found.order_id)
    return Response(taken, status_code=202, headers=REPLAYED if repeated else {})


def _checked(work: FoundWork, act: Act, source: Source) -> Telling:
    """The telling, if it fits the work. Raises ApiProblem 422 with all findings."""
    problems = unstorable(act)
    found = Findings(problems)
    nameless = needs_a_name(act)
    if nameless is not None and source.key is None:
        found.add(
            nameless,
            "no_name",
            "Nothing tells it from another one, if it comes twice.",
            f"Send {nameless}, or an Idempotency-Key.",
        )
    if isinstance(act, RecallAnswer) and act.request_id not in work.recalls:
        found.add("request_id", "unknown_recall", "Nobody asked for that.", "Read the work again.")
    known = {line for line, _ in work.lines}
    for path, line in _lines_of(act):
        if line not in known:
            found.add(path, "unknown_line", f"The work has no line {line}.", "Correct the line.")
    if problems:
        raise ApiProblem(INVALID_WORK, errors=problems)
    return telling_of(work, act, source)


def _lines_of(act: Act) -> list[tuple[str, int]]:
    """Every line that is named, with its path."""
    named = []
    for field in ("picked", "short", "lines", "given_back"):
        units = getattr(act, field, ())
        named += [(f"{field}[{i}].line", one.line) for i, one in enumerate(units)]
    packages: Sequence[Parcel] = getattr(act, "packages", ())
    for number, package in enumerate(packages):
        named += [
            (f"packages[{number}].lines[{i}].line", one.line) for i, one in enumerate(package.lines)
        ]
    return named


def _find_all(backend: Backend, caller: Caller, texts: Sequence[str]) -> dict[str, FoundWork]:
    with backend.reading() as connection:
        return _find(connection, caller, texts)


def _find(connection: Connection, caller: Caller, texts: Sequence[str]) -> dict[str, FoundWork]:
    """Work that the caller sees, by what it was called."""
    ids = resolve(connection, "fulfillment", set(texts), is_id)
    works = store.find_work(connection, sorted({one for one in ids.values() if is_id(one)}))
    return {
        text: works[one]
        for text, one in ids.items()
        if one in works and caller.sees_node(works[one].node)
    }


router = Router(
    "/v1",
    route_handlers=with_examples(
        [
            pull_work,
            read_work,
            acknowledge,
            decline,
            answer_recall,
            pick,
            pack,
            ship,
            hand_over,
            update_many,
        ]
    ),
    tags=["work"],
)
