"""Statements about files and their jobs: one function each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from crossdock.api.files.model import FileJob, NewFile
from crossdock.db import Connection

_JOB = """
    id, kind, format, compression, name, is_full, source, node, as_of, status, created_at,
    changed_at, finished_at, received_bytes, rows_read, rows_taken, rows_refused, rows_cleared,
    CASE WHEN kind = 'stock' THEN (SELECT count(*) FROM inbox WHERE correlation_id = file_job.id)
         ELSE 0 END,
    failure
"""


def _as_job(row: Sequence[Any]) -> FileJob:
    return FileJob(**dict(zip(FileJob.__struct_fields__, row, strict=True)))


def open_job(
    connection: Connection, job_id: str, wanted: NewFile, created_by: str, now: datetime
) -> None:
    """Begin a job; one that was begun under the same id stays as it is."""
    connection.execute(
        """
        INSERT INTO file_job (id, created_at, changed_at, as_of, is_full, kind, format,
                              compression, name, source, node, created_by, sha256)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (
            job_id, now, now, wanted.as_of, wanted.full, wanted.kind, wanted.format,
            wanted.compression, wanted.name, wanted.source, wanted.node, created_by,
            wanted.sha256,
        ),
    )  # fmt: skip


def job(connection: Connection, job_id: str) -> FileJob | None:
    """A job by its id."""
    row = connection.execute(
        f"SELECT {_JOB} FROM file_job WHERE id = %s::uuid", (job_id,)
    ).fetchone()
    return None if row is None else _as_job(row)


def jobs(
    connection: Connection, since: datetime, after: tuple[datetime, str], limit: int
) -> list[FileJob]:
    """Jobs in the order of change, from `since` on and behind (changed_at, id)."""
    rows = connection.execute(
        f"SELECT {_JOB} FROM file_job WHERE changed_at >= %s"
        " AND (changed_at, id) > (%s, %s::uuid) ORDER BY changed_at, id LIMIT %s",
        (since, *after, limit),
    ).fetchall()
    return [_as_job(row) for row in rows]


def add_part(
    connection: Connection, job_id: str, first_byte: int, body: bytes, now: datetime
) -> bool:
    """Keep the next piece; False when the file is not at that byte, or is not received any more."""
    done = connection.execute(
        "UPDATE file_job SET received_bytes = received_bytes + %s, changed_at = %s"
        " WHERE id = %s::uuid AND received_bytes = %s AND status = 'receiving'",
        (len(body), now, job_id, first_byte),
    )
    if done.rowcount != 1:
        return False
    connection.execute(
        "INSERT INTO file_part (job_id, first_byte, body) VALUES (%s, %s, %b)",
        (job_id, first_byte, body),
    )
    return True


def part(connection: Connection, job_id: str, first_byte: int) -> bytes | None:
    """The piece that begins at a byte; None behind the last one."""
    row = connection.execute(
        "SELECT body FROM file_part WHERE job_id = %s::uuid AND first_byte = %s",
        (job_id, first_byte),
        prepare=True,
        binary=True,
    ).fetchone()
    return None if row is None else bytes(row[0])


def move_on(
    connection: Connection, job_id: str, status: str, note: str, now: datetime, *of: str
) -> bool:
    """Give a job another status, if it has one of these; whether it had."""
    done = connection.execute(
        """
        UPDATE file_job SET status = %(status)s, changed_at = %(now)s,
               failure = CASE WHEN %(note)s = '' THEN failure ELSE %(note)s END,
               finished_at = CASE WHEN %(status)s IN ('done', 'failed', 'canceled')
                                  THEN %(now)s::timestamptz END
        WHERE id = %(id)s::uuid AND status = ANY (%(of)s)
        """,
        {"status": status, "now": now, "note": note, "id": job_id, "of": list(of)},
    )
    return done.rowcount == 1


def drop_content(connection: Connection, job_id: str) -> None:
    """Forget the file itself; its results stay."""
    connection.execute("DELETE FROM file_part WHERE job_id = %s::uuid", (job_id,))
    connection.execute("DELETE FROM file_named WHERE job_id = %s::uuid", (job_id,))


class Open(NamedTuple):
    """A job to be run, as its runner needs it."""

    id: str
    kind: str
    format: str
    compression: str
    source: str
    node: str
    as_of: datetime | None
    is_full: bool
    rows_read: int
    rows_refused: int
    created_by: str
    sha256: str


def has_tables(connection: Connection) -> bool:
    """Whether this schema was made already."""
    row = connection.execute("SELECT to_regclass('file_job') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])


def open_jobs(connection: Connection) -> list[str]:
    """Jobs that wait or run, the oldest first."""
    rows = connection.execute(
        "SELECT id FROM file_job WHERE status IN ('waiting', 'running') ORDER BY created_at, id",
        prepare=True,
    ).fetchall()
    return [job_id for (job_id,) in rows]


def take_over(connection: Connection, job_id: str) -> bool:
    """Become the one runner of a job, until `let_go` or the end of this session."""
    row = connection.execute(
        "SELECT pg_try_advisory_lock(hashtextextended(%s, 8))", (f"file_job {job_id}",)
    ).fetchone()
    return row is not None and bool(row[0])


def let_go(connection: Connection, job_id: str) -> None:
    """Let another runner take the job."""
    connection.execute(
        "SELECT pg_advisory_unlock(hashtextextended(%s, 8))", (f"file_job {job_id}",)
    )


def begin(connection: Connection, job_id: str, now: datetime) -> Open | None:
    """The job with where it stands, marked as running; None when it is over."""
    row = connection.execute(
        """
        UPDATE file_job SET status = 'running', changed_at = %s
        WHERE id = %s::uuid AND status IN ('waiting', 'running')
        RETURNING id, kind, format, compression, source, node, as_of, is_full, rows_read,
                  rows_refused, created_by, sha256
        """,
        (now, job_id),
    ).fetchone()
    return None if row is None else Open(*row)


def advance(
    connection: Connection, job_id: str, place: int, taken: int, refused: int, now: datetime
) -> bool:
    """Count rows in the transaction that loads them; False when the job was ended meanwhile."""
    done = connection.execute(
        """
        UPDATE file_job SET rows_read = rows_read + %s, rows_taken = rows_taken + %s,
               rows_refused = rows_refused + %s, changed_at = %s
        WHERE id = %s::uuid AND rows_read = %s AND status = 'running'
        """,
        (taken + refused, taken, refused, now, job_id, place),
        prepare=True,
    )
    return done.rowcount == 1


def is_waited_for(connection: Connection, job_id: str, before: datetime) -> bool:
    """Whether a job runs, and chunks of it that were sent before a time are not booked yet."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM file_job WHERE id = %s::uuid AND status = 'running')"
        " AND EXISTS (SELECT FROM inbox WHERE correlation_id = %s AND recorded_at < %s)",
        (job_id, job_id, before),
        prepare=True,
    ).fetchone()
    return row is not None and bool(row[0])


def add_refusals(connection: Connection, rows: Iterable[tuple[str, int, str, str]]) -> None:
    """Keep (job, row number, key, problems as JSON) of rows that were not taken."""
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY file_refusal (job_id, row_number, key, problems) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def refusals(
    connection: Connection, job_id: str, after: int, limit: int, last: int | None = None
) -> list[tuple[int, str, str]]:
    """(row number, key, problems) behind a row, up to a last one."""
    rows = connection.execute(
        "SELECT row_number, key, problems FROM file_refusal WHERE job_id = %s::uuid"
        " AND row_number > %s AND (%s::bigint IS NULL OR row_number <= %s)"
        " ORDER BY row_number LIMIT %s",
        (job_id, after, last, last, limit),
    ).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


def add_named(
    connection: Connection, job_id: str, skus_of_nodes: Mapping[str, Sequence[str]]
) -> None:
    """Note what a full file named."""
    connection.execute(
        "INSERT INTO file_named (job_id, node, skus)"
        " SELECT %s, v ->> 0, ARRAY(SELECT jsonb_array_elements_text(v -> 1))"
        " FROM jsonb_array_elements(%s::jsonb) AS v",
        (job_id, msgspec.json.encode(list(skus_of_nodes.items())).decode()),
    )


def named_nodes(connection: Connection, job_id: str) -> list[str]:
    """Nodes of a full file that were not cleared yet."""
    rows = connection.execute(
        "SELECT DISTINCT node FROM file_named WHERE job_id = %s::uuid ORDER BY node", (job_id,)
    ).fetchall()
    return [node for (node,) in rows]


def named(sku: str, lot: str) -> str:
    """A SKU, or one of its lots, as `add_named` keeps it."""
    return f"{sku}{_BEFORE_LOT}{lot}" if lot else sku


_BEFORE_LOT = "\x1f"
"""No SKU has it."""


def unnamed_stock(connection: Connection, job_id: str, node: str) -> list[tuple[str, str]]:
    """(SKU, lot) with sellable units at a node that a full file did not name."""
    return connection.execute(
        """
        SELECT l.sku, l.lot FROM stock_level l
        LEFT JOIN (SELECT DISTINCT unnest(skus) AS name FROM file_named
                   WHERE job_id = %s::uuid AND node = %s) AS n
               ON n.name = l.sku || CASE WHEN l.lot = '' THEN '' ELSE %s || l.lot END
        WHERE l.node = %s AND l.owner = '' AND l.sellable > 0 AND n.name IS NULL
        ORDER BY l.sku, l.lot
        """,
        (job_id, node, _BEFORE_LOT, node),
    ).fetchall()


def note_cleared(connection: Connection, job_id: str, node: str | None, cleared: int) -> None:
    """Count what a full file cleared; what it named at that node is not needed any more."""
    connection.execute(
        "UPDATE file_job SET rows_cleared = rows_cleared + %s WHERE id = %s::uuid",
        (cleared, job_id),
    )
    connection.execute(
        "DELETE FROM file_named WHERE job_id = %s::uuid AND (%s::text IS NULL OR node = %s)",
        (job_id, node, node),
    )


def forget_jobs(connection: Connection, before: datetime) -> int:
    """Delete jobs that were over, or given up by who sent them, before a time; returns how many."""
    rows = connection.execute(
        "DELETE FROM file_job WHERE changed_at < %s AND status NOT IN ('waiting', 'running')"
        " RETURNING id",
        (before,),
    ).fetchall()
    gone = [job_id for (job_id,) in rows]
    for table in ("file_part", "file_refusal", "file_named"):
        connection.execute(f"DELETE FROM {table} WHERE job_id = ANY (%s::uuid[])", (gone,))
    return len(gone)
