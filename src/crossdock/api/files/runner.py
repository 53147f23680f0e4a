"""Runs the jobs of files, one at a time, each from where it stands.

A portion of rows, its results and the job's place are one transaction: whoever is killed anywhere
leaves a job that another runner goes on with. An advisory lock keeps two from the same file.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

import msgspec
import structlog

from crossdock import db
from crossdock.api.files import store
from crossdock.api.files.loading import PORTION, RECORDS, load_portion, send, zeros
from crossdock.api.files.model import MOST_REFUSALS
from crossdock.api.files.reading import FileRow, FileUnreadable, checksum, read_rows
from crossdock.api.files.store import Open
from crossdock.catalog.loading import Refusal
from crossdock.catalog.records_store import switch_off
from crossdock.db import Connection
from crossdock.engine.runner import collecting_later
from crossdock.engine.transaction import Transaction
from crossdock.inventory.facts.moves import terms_of
from crossdock.inventory.facts.store import source_terms
from crossdock.kernel.clock import Clock, SystemClock
from crossdock.kernel.errors import Fault
from crossdock.model.text import storable

IDLE_SECONDS = 0.5
KEPT_DAYS = 30
"""How long results of a finished job can be read."""

log = structlog.get_logger(__name__)


def run_files(
    connect: Callable[[], Connection],
    stop: threading.Event,
    clock: Clock | None = None,
) -> None:
    """Run jobs as they come until `stop`; a lost connection is opened again."""
    clock = clock or SystemClock()
    connection: Connection | None = None
    swept = clock.now() - timedelta(days=1)
    while not stop.is_set():
        try:
            if connection is None or connection.closed:
                connection = connect()
            if not store.has_tables(connection):
                connection.commit()
                stop.wait(IDLE_SECONDS * 10)  # Test mode was not opened yet.
                continue
            if clock.now() - swept > timedelta(hours=1):
                swept = clock.now()
                store.forget_jobs(connection, swept - timedelta(days=KEPT_DAYS))
                connection.commit()
            if not run_next(connection, clock, stop):
                stop.wait(IDLE_SECONDS)
        except Exception as error:
            log.warning("a file's job was interrupted", error=str(error))
            if connection is not None:
                connection.close()
                connection = None
            stop.wait(IDLE_SECONDS * 4)
    if connection is not None:
        connection.close()


def run_next(connection: Connection, clock: Clock, stop: threading.Event) -> bool:
    """Run the oldest job that nobody runs, to its end or to `stop`; whether there was one."""
    for job_id in store.open_jobs(connection):
        if store.take_over(connection, job_id):
            connection.commit()
            try:
                return _run(connection, job_id, clock, stop)
            finally:
                with contextlib.suppress(Exception):
                    connection.rollback()
                    store.let_go(connection, job_id)
                    connection.commit()
    connection.commit()
    return False


def _run(connection: Connection, job_id: str, clock: Clock, stop: threading.Event) -> bool:
    job = store.begin(connection, job_id, clock.now())
    connection.commit()
    if job is None:
        return False
    try:
        with db.naming_faults():
            note = _load(connection, job, clock, stop)
    except FileUnreadable as unreadable:
        connection.rollback()
        _end(connection, job, "failed", str(unreadable), clock.now())
        return True
    except Fault:
        raise  # Waiting mends it: the job goes on where it stands.
    except Exception as error:
        connection.rollback()
        log.exception("a file's job failed", job=job.id)
        said = f"It stopped at an error of ours: {type(error).__name__}. Tell support."
        _end(connection, job, "failed", said, clock.now())
        return True
    if note is not None:
        _end(connection, job, "done", note, clock.now())
    return True


def _end(connection: Connection, job: Open, status: str, note: str, now: datetime) -> None:
    if store.move_on(connection, job.id, status, note, now, "running"):
        store.drop_content(connection, job.id)
    connection.commit()


def _load(connection: Connection, job: Open, clock: Clock, stop: threading.Event) -> str | None:
    """Load what is left; a note for people when it is all loaded, None when it was stopped."""
    if job.sha256 and not job.rows_read and checksum(_pieces(connection, job)) != job.sha256:
        raise FileUnreadable("Its SHA-256 is another one than was announced; nothing was loaded.")
    rows = read_rows(
        _pieces(connection, job), job.format, job.compression, RECORDS[job.kind], job.rows_read
    )
    place, refused, sent_at = job.rows_read, job.rows_refused, clock.now()
    while portion := _next(rows, PORTION[job.kind]):
        if job.kind == "stock" and not _is_booked(connection, job, sent_at, stop):
            return None
        sent_at = clock.now()
        with collecting_later():
            found = load_portion(connection, job, portion, sent_at)
        taken = len(portion) - len(found)
        if not store.advance(connection, job.id, place, taken, len(found), clock.now()):
            connection.rollback()
            return None
        store.add_refusals(connection, _refusal_rows(job, found))
        connection.commit()
        place, refused = place + len(portion), refused + len(found)
        if refused > MOST_REFUSALS:
            raise FileUnreadable(f"Over {MOST_REFUSALS:,} rows were refused: it is another file.")
        if stop.is_set():
            return None
    return _clear(connection, job, clock) if job.is_full else ""


def _next(rows: Iterator[FileRow], most: int) -> list[FileRow]:
    with collecting_later():
        return list(islice(rows, most))


def _is_booked(connection: Connection, job: Open, before: datetime, stop: threading.Event) -> bool:
    """Wait until the workers have booked what was sent before the last portion.

    So no batch of theirs grows with the file, and what came in meanwhile does not wait behind all
    of it. False when the job is to go on later, or is over.
    """
    while store.is_waited_for(connection, job.id, before):
        connection.commit()
        if stop.wait(IDLE_SECONDS / 5):
            return False
    connection.commit()
    return True


def _pieces(connection: Connection, job: Open) -> Iterator[bytes]:
    first_byte = 0
    while (piece := store.part(connection, job.id, first_byte)) is not None:
        first_byte += len(piece)
        yield piece


def _refusal_rows(job: Open, refused: Sequence[Refusal]) -> Iterator[tuple[str, int, str, str]]:
    for row in refused:
        problems = [
            msgspec.structs.replace(p, path=_readable(p.path), message=_readable(p.message))
            for p in row.problems
        ]
        yield job.id, row.number, _readable(row.key), msgspec.json.encode(problems).decode()


def _readable(text: str) -> str:
    """A text that can be kept: what cannot is shown by its escapes."""
    return text if storable(text) else ascii(text)[1:-1]


def _clear(connection: Connection, job: Open, clock: Clock) -> str:
    """What a full file does not name is gone; node by node, so that it can go on anywhere."""
    if job.kind == "products":
        store.note_cleared(connection, job.id, None, switch_off(connection, job.id))
        connection.commit()
        return ""
    terms = source_terms(Transaction(connection, clock.now()), {job.source})
    partial: list[str] = []
    for node in store.named_nodes(connection, job.id):
        gone: list[tuple[str, str]] = []
        if terms_of(terms, job.source, node, "sellable").full_files:
            gone = store.unnamed_stock(connection, job.id, node)
            send(connection, job, zeros(job, node, gone), clock.now())
        else:
            partial.append(node)
        store.note_cleared(connection, job.id, node, len(gone))
        connection.commit()
    if not partial:
        return ""
    return f"Nothing was cleared at {len(partial)} nodes where {job.source} sends no full files."
