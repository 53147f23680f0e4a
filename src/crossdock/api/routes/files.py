"""Whole files of stock, products and prices: sent in pieces, loaded as one job, told row by row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from litestar import Response, Router, get, post, put
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from crossdock.api.access.caller import Caller
from crossdock.api.documents import answers
from crossdock.api.feeds import NOBODY
from crossdock.api.files import store
from crossdock.api.files.model import MOST_BYTES, PART_BYTES, FileJob, NewFile, RowResult
from crossdock.api.first_answers import was_noted, write_once
from crossdock.api.idempotency import IdempotencyKey
from crossdock.api.pages import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, encode_cursor
from crossdock.api.problems import (
    IDEMPOTENCY_CONFLICT,
    NOT_FOUND,
    TOO_LARGE,
    ApiProblem,
    ProblemError,
    problem_type,
)
from crossdock.api.requests import TypedRequest
from crossdock.api.services import Backend, Services
from crossdock.api.stock.store import known_nodes
from crossdock.api.system_examples import with_examples
from crossdock.api.work.model import Moment
from crossdock.db import Connection
from crossdock.kernel.ids import derive
from crossdock.model.checks import Findings
from crossdock.model.outside import EPOCH
from crossdock.model.problems import Problem

INVALID_FILE = problem_type(
    "invalid_file",
    422,
    "The file cannot be loaded as it is described",
    cause="Stock needs a source and the time it was counted, and names a node that exists.",
    remedy="Correct every field that `errors` names.",
)
WRONG_OFFSET = problem_type(
    "wrong_offset",
    409,
    "The file goes on at another byte",
    cause="What was sent does not begin where the file as received ends.",
    remedy="Go on at `received_bytes`, which the job shows too.",
)
FILE_CLOSED = problem_type(
    "file_closed",
    409,
    "The file is not received any more",
    cause="It was completed or canceled.",
    remedy="Look at the job's status; a corrected file is another job.",
)

_OPT: Any = {"permission": "files:write", "shed": "first"}
_Job = Annotated[UUID, PathParameter(name="job", description="The job's id.")]


@post(
    "/files",
    status_code=201,
    opt=_OPT,
    responses=answers(INVALID_FILE, IDEMPOTENCY_CONFLICT),
    sync_to_thread=True,
)
def open_file(
    request: TypedRequest, data: JSONBody[NewFile], idempotency_key: IdempotencyKey = None
) -> Response[FileJob]:
    """Begin a file: say what it is, send its content next."""
    backend, caller = request.services.of(request.caller), request.caller

    def write(connection: Connection) -> Response[FileJob]:
        _require_whole(data, connection)
        now = backend.clock.now()
        job_id = derive(now, "file", caller.id, str(uuid4()))
        store.open_job(connection, job_id, data, caller.name, now)
        return Response(_job(connection, job_id), status_code=201)

    return write_once(request, backend, idempotency_key, write, data)


def _require_whole(data: NewFile, connection: Connection) -> None:
    problems: list[Problem] = []
    found = Findings(problems)
    if data.kind == "stock":
        found.key(data.source, "", "source")
        if data.as_of is None:
            found.add("as_of", "missing", "Stock is of a time.", "Send when it was counted.")
        if data.node and not known_nodes(connection, [data.node]):
            found.add("node", "unknown_node", f"There is no {data.node[:60]!r}.", "Correct it.")
    elif data.source or data.node or data.as_of is not None:
        found.add("source", "only_of_stock", "source, node and as_of are of stock.", "Leave out.")
    if data.kind == "prices" and data.full:
        found.add("full", "never_full", "Prices are not cleared.", "Leave it out.")
    if problems:
        raise ApiProblem(INVALID_FILE, errors=problems)


@get("/files", opt=_OPT, sync_to_thread=True)
def list_files(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    changed_since: Annotated[Moment | None, QueryParameter(required=False)] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[FileJob]:
    """List jobs in the order in which they changed."""
    after = decode_cursor(cursor, datetime, UUID) if cursor else (EPOCH, NOBODY)
    with services.of(caller).reading() as connection:
        since = changed_since or EPOCH
        rows = store.jobs(connection, since, (after[0], str(after[1])), limit + 1)
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    return Page(shown, encode_cursor(last.changed_at, last.id) if last else None)


@get("/files/{job:uuid}", opt=_OPT, responses=answers(NOT_FOUND), sync_to_thread=True)
def read_file(
    job: _Job, caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> FileJob:
    """Read how far a job has come."""
    with services.of(caller).reading() as connection:
        return _job(connection, str(job))


@put(
    "/files/{job:uuid}/content",
    status_code=200,
    opt={**_OPT, "streams": True},
    responses=answers(NOT_FOUND, WRONG_OFFSET, FILE_CLOSED, TOO_LARGE),
)
async def send_content(
    job: _Job,
    request: TypedRequest,
    offset: Annotated[
        int, QueryParameter(ge=0, le=MOST_BYTES, description="The byte that this begins at.")
    ] = 0,
    complete: Annotated[
        bool, QueryParameter(description="Whether the file ends here, and is loaded next.")
    ] = False,
    idempotency_key: IdempotencyKey = None,
) -> Response[FileJob]:
    """Send the content, or the rest of it from `offset`. What arrived stays when the line breaks:

    go on at the job's `received_bytes`. An Idempotency-Key names a piece that arrived whole.
    """
    backend = request.services.of(request.caller)
    known = idempotency_key is not None and await sync_to_thread(
        was_noted, request, backend, idempotency_key
    )
    if not known:
        await sync_to_thread(_require_open, backend, str(job), offset)
    place, digest = offset, blake2b(digest_size=16)
    async for part in _parts(request):
        if place + len(part) > MOST_BYTES:
            raise ApiProblem(TOO_LARGE, f"A file has {MOST_BYTES:,} bytes at most.")
        if idempotency_key is not None:
            digest.update(part)
        if not known:
            await sync_to_thread(_keep, backend, str(job), place, part)
        place += len(part)

    def write(connection: Connection) -> Response[FileJob]:
        if complete:
            _complete(connection, backend, str(job), place)
        return Response(_job(connection, str(job)))

    sent = digest.hexdigest()
    return await sync_to_thread(write_once, request, backend, idempotency_key, write, sent)


async def _parts(request: TypedRequest) -> AsyncIterator[bytes]:
    """The body in pieces that are worth a row each."""
    gathered = bytearray()
    async for chunk in request.stream():
        gathered += chunk
        while len(gathered) >= PART_BYTES:
            yield bytes(gathered[:PART_BYTES])
            del gathered[:PART_BYTES]
    if gathered:
        yield bytes(gathered)


@post(
    "/files/{job:uuid}/complete",
    status_code=200,
    opt=_OPT,
    responses=answers(NOT_FOUND, WRONG_OFFSET, FILE_CLOSED),
    sync_to_thread=True,
)
def complete_file(
    job: _Job,
    request: TypedRequest,
    total_bytes: Annotated[int, QueryParameter(ge=0, le=MOST_BYTES)],
    idempotency_key: IdempotencyKey = None,
) -> Response[FileJob]:
    """Say that the file is whole, with its length; it is loaded next."""
    backend = request.services.of(request.caller)

    def write(connection: Connection) -> Response[FileJob]:
        _complete(connection, backend, str(job), total_bytes)
        return Response(_job(connection, str(job)))

    return write_once(request, backend, idempotency_key, write)


@post(
    "/files/{job:uuid}/cancel",
    status_code=200,
    opt=_OPT,
    responses=answers(NOT_FOUND, FILE_CLOSED),
    sync_to_thread=True,
)
def cancel_file(
    job: _Job, request: TypedRequest, idempotency_key: IdempotencyKey = None
) -> Response[FileJob]:
    """Stop a job. Rows that were taken stay taken; the job says how many."""
    backend = request.services.of(request.caller)

    def write(connection: Connection) -> Response[FileJob]:
        before = _job(connection, str(job))
        stopped = store.move_on(
            connection, before.id, "canceled", "", backend.clock.now(),
            "receiving", "waiting", "running",
        )  # fmt: skip
        if not stopped and before.status != "canceled":
            raise ApiProblem(FILE_CLOSED, f"The job is {before.status}.")
        store.drop_content(connection, before.id)
        return Response(_job(connection, before.id))

    return write_once(request, backend, idempotency_key, write)


@get("/files/{job:uuid}/results", opt=_OPT, responses=answers(NOT_FOUND), sync_to_thread=True)
def list_results(
    job: _Job,
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    refused: Annotated[
        bool, QueryParameter(description="Only the rows that were refused.")
    ] = False,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[RowResult]:
    """List what became of each row that was read so far, in the order of the file."""
    [after] = decode_cursor(cursor, int) if cursor else (0,)
    with services.of(caller).reading() as connection:
        rows_read = _job(connection, str(job)).rows_read
        if refused:
            rows = store.refusals(connection, str(job), after, limit + 1)
            shown = [_refused(*row) for row in rows[:limit]]
            more = len(rows) > limit
        else:
            last = min(after + limit, rows_read)
            rows = store.refusals(connection, str(job), after, limit, last)
            known = {row[0]: _refused(*row) for row in rows}
            shown = [
                known.get(number) or RowResult(row=number, status="taken")
                for number in range(after + 1, last + 1)
            ]
            more = last < rows_read
    return Page(shown, encode_cursor(shown[-1].row) if more and shown else None)


def _refused(number: int, key: str, problems: str) -> RowResult:
    found = msgspec.json.decode(problems, type=list[Problem])
    errors = [ProblemError(p.path, p.code, p.message, p.remedy) for p in found]
    return RowResult(row=number, status="refused", key=key, errors=errors)


def _job(connection: Connection, job_id: str) -> FileJob:
    found = store.job(connection, job_id)
    if found is None:
        raise ApiProblem(NOT_FOUND, f"There is no job {job_id}.")
    return found


def _read(backend: Backend, job_id: str) -> FileJob:
    with backend.reading() as connection:
        return _job(connection, job_id)


def _require_open(backend: Backend, job_id: str, offset: int) -> None:
    """Raises ApiProblem 404 or 409 before anything is received in vain."""
    found = _read(backend, job_id)
    if found.status != "receiving":
        raise ApiProblem(FILE_CLOSED, f"The job is {found.status}.")
    if found.received_bytes != offset:
        raise _wrong_offset(found)


def _wrong_offset(found: FileJob) -> ApiProblem:
    return ApiProblem(
        WRONG_OFFSET,
        f"{found.received_bytes:,} bytes were received.",
        received_bytes=found.received_bytes,
    )


def _keep(backend: Backend, job_id: str, first_byte: int, part: bytes) -> None:
    with backend.writing() as connection:
        kept = store.add_part(connection, job_id, first_byte, part, backend.clock.now())
        connection.commit()
    if not kept:
        _require_open(backend, job_id, first_byte)


def _complete(connection: Connection, backend: Backend, job_id: str, total_bytes: int) -> None:
    """Complete a file of that length; one that was completed before stays so."""
    found = _job(connection, job_id)
    if found.received_bytes != total_bytes:
        raise _wrong_offset(found)
    moved = store.move_on(connection, job_id, "waiting", "", backend.clock.now(), "receiving")
    if not moved and found.status == "canceled":
        raise ApiProblem(FILE_CLOSED, "The job is canceled.")


router = Router(
    "/v1",
    route_handlers=with_examples(
        [
            open_file,
            list_files,
            read_file,
            send_content,
            complete_file,
            cancel_file,
            list_results,
        ]
    ),
    tags=["files"],
)
