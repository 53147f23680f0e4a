"""The engine's statements: one typed function each.

Lock order: shards by number, before anything else a batch touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

Connection = psycopg.Connection[Any]

BATCH_BYTES = 4 << 20
"""Bytes of message bodies one batch reads at most."""

MESSAGE_COLUMNS = (
    "id, process, instance, route, type, body, occurred_at, recorded_at,"
    " correlation_id, causation_id, actor"
)


class WaitingShard(NamedTuple):
    """A shard with work, and since when its oldest message or timer waits."""

    number: int
    oldest: datetime


class StoredMessage(NamedTuple):
    """A message as a row; `number` is its place in the inbox (None for a timer)."""

    shard: int
    number: int | None
    id: str
    process: str
    instance: str
    route: str
    type: str
    body: bytes
    occurred_at: datetime
    recorded_at: datetime
    correlation_id: str
    causation_id: str
    actor: str
    timer: str | None = None
    due: datetime | None = None


class StoredProcess(NamedTuple):
    """A process state as a row."""

    id: str
    version: int
    parked: bool
    holding: bool
    changed_at: datetime
    state: bytes


def fetch(connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """All rows of a statement, prepared on first use."""
    return connection.execute(statement, parameters, prepare=True).fetchall()


def plan_by_index(connection: Connection) -> None:
    """Until the commit, plan for full tables: what is open comes and goes.

    A statement is planned once per connection. Made while the inbox happened to be empty, that plan
    would read the whole table each time, however full it is by then.
    """
    connection.execute("SET LOCAL enable_seqscan = off", prepare=True)


def zone_shards(connection: Connection) -> dict[str, int]:
    """The shard of each allocation zone."""
    return dict(fetch(connection, "SELECT zone, number FROM shard WHERE zone IS NOT NULL"))


def ensure_zone_shards(connection: Connection, zones: Iterable[str]) -> dict[str, int]:
    """Give every zone a shard of its own; known ones keep theirs."""
    connection.execute("LOCK TABLE shard IN SHARE ROW EXCLUSIVE MODE")
    known = zone_shards(connection)
    new = sorted(set(zones) - set(known))
    first = max([63, *known.values()]) + 1
    for offset, zone in enumerate(new):
        connection.execute(
            "INSERT INTO shard (number, zone) VALUES (%s, %s)", (first + offset, zone)
        )
    return zone_shards(connection)


def waiting_shards(
    connection: Connection, now: datetime, first_open: Mapping[int, int]
) -> tuple[list[WaitingShard], dict[int, int | None]]:
    """Shards with an open message or a due timer, the longest waiting first.

    And the lowest open number of each shard. `first_open` says from where to look.
    """
    rows = fetch(
        connection,
        """
        SELECT s.number, least(m.recorded_at, t.due), m.number
        FROM shard s
        LEFT JOIN unnest(%s::int[], %s::bigint[]) AS f (shard, number) ON f.shard = s.number
        LEFT JOIN LATERAL (SELECT number, recorded_at FROM inbox
                           WHERE shard = s.number AND number >= coalesce(f.number, 0)
                           ORDER BY number LIMIT 1) m ON true
        LEFT JOIN LATERAL (SELECT due FROM timer WHERE shard = s.number AND due <= %s
                           ORDER BY due LIMIT 1) t ON true
        """,
        (list(first_open), list(first_open.values()), now),
    )
    waiting = sorted((oldest, number) for number, oldest, _ in rows if oldest is not None)
    lowest = {number: seen for number, _, seen in rows}
    return [WaitingShard(number, oldest) for oldest, number in waiting], lowest


def lock_shards(connection: Connection, numbers: Sequence[int], most: int = 1_000) -> list[int]:
    """Lock the first of those shards that nobody holds, at most so many; returned by number.

    What others hold is skipped, not waited for, so the order of locking does not matter.
    """
    rows = fetch(
        connection,
        """
        SELECT s.number
        FROM unnest(%s::int[]) WITH ORDINALITY AS wanted (number, place)
        JOIN shard s ON s.number = wanted.number
        ORDER BY wanted.place LIMIT %s
        FOR NO KEY UPDATE OF s SKIP LOCKED
        """,
        (list(numbers), most),
    )
    return sorted(number for (number,) in rows)


def wait_for_shards(connection: Connection, numbers: Sequence[int], milliseconds: int) -> list[int]:
    """Lock all those shards by number, waiting so long for each; none if one stays locked."""
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (str(milliseconds),))
            connection.execute(
                """
                SELECT FROM shard WHERE number = ANY(%s) ORDER BY number FOR NO KEY UPDATE
                """,
                (list(numbers),),
            )
            connection.execute("SELECT set_config('lock_timeout', '0', true)")
    except psycopg.errors.LockNotAvailable:
        return []
    return sorted(numbers)


def last_entries(connection: Connection, shards: Sequence[int]) -> dict[int, int]:
    """The last log number of each shard; read after the lock, in a statement of its own."""
    return dict(
        fetch(
            connection,
            "SELECT number, last_entry FROM shard WHERE number = ANY(%s)",
            (list(shards),),
        )
    )


def save_last_entries(connection: Connection, entries: dict[int, int]) -> None:
    connection.execute(
        "UPDATE shard SET last_entry = v.last_entry"
        " FROM unnest(%s::int[], %s::bigint[]) AS v (number, last_entry)"
        " WHERE shard.number = v.number",
        (list(entries), list(entries.values())),
        prepare=True,
    )


def read_inbox(
    connection: Connection,
    shards: Sequence[int],
    per_shard: int,
    limit: int,
    most_bytes: int = BATCH_BYTES,
    first_open: Mapping[int, int] | None = None,
) -> list[StoredMessage]:
    """The oldest open messages of the held shards, in the order of the inbox.

    At most `limit`, and of bodies at most `most_bytes` together or a single larger one: a feed's
    chunk is one message of thousands of moves.
    """
    columns = ", ".join(f"m.{column.strip()}" for column in MESSAGE_COLUMNS.split(","))
    firsts = [(first_open or {}).get(shard, 0) for shard in shards]
    rows = fetch(
        connection,
        f"""
        SELECT shard, number, {MESSAGE_COLUMNS} FROM (
            SELECT m.shard, m.number, {columns},
                   sum(octet_length(m.body)) OVER (ORDER BY m.number) - octet_length(m.body)
                       AS bytes_before
            FROM unnest(%s::int[], %s::bigint[]) AS s (number, first_open),
                 LATERAL (SELECT * FROM inbox WHERE shard = s.number AND number >= s.first_open
                          ORDER BY number LIMIT %s) m
            ORDER BY m.number LIMIT %s) AS oldest
        WHERE bytes_before < %s ORDER BY number
        """,
        (list(shards), firsts, per_shard, limit, most_bytes),
    )
    return [StoredMessage(*row) for row in rows]


def read_due_timers(
    connection: Connection, shards: Sequence[int], now: datetime, per_shard: int, limit: int
) -> list[StoredMessage]:
    """Timers of the held shards that have fallen due, by (due, instance)."""
    rows = fetch(
        connection,
        """
        SELECT t.shard, NULL, t.instance, t.process, t.instance::text, t.route, t.type, t.body,
               t.due, t.due, t.correlation_id, t.causation_id, '', t.name, t.due
        FROM unnest(%s::int[]) AS s (number),
             LATERAL (SELECT * FROM timer WHERE shard = s.number AND due <= %s
                      ORDER BY due, instance LIMIT %s) t
        ORDER BY t.due, t.instance, t.name LIMIT %s
        """,
        (list(shards), now, per_shard, limit),
    )
    return [StoredMessage(*row) for row in rows]


def delete_inbox(connection: Connection, keys: Sequence[tuple[int, int]]) -> None:
    connection.execute(
        "DELETE FROM inbox USING unnest(%s::int[], %s::bigint[]) AS v (shard, number)"
        " WHERE inbox.shard = v.shard AND inbox.number = v.number",
        ([shard for shard, _ in keys], [number for _, number in keys]),
        prepare=True,
    )


def delete_timers(connection: Connection, keys: Sequence[tuple[str, str]]) -> None:
    connection.execute(
        "DELETE FROM timer USING unnest(%s::uuid[], %s::text[]) AS v (instance, name)"
        " WHERE timer.instance = v.instance AND timer.name = v.name",
        ([instance for instance, _ in keys], [name for _, name in keys]),
        prepare=True,
    )


def save_timers(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Start timers; one of the same name is replaced. Rows in the table's column order."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    connection.execute(
        """
        INSERT INTO timer (instance, name, process, route, shard, due, type, body,
                           correlation_id, causation_id)
        SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::int[],
                             %s::timestamptz[], %s::text[], %b::bytea[], %s::uuid[], %s::uuid[])
        ON CONFLICT (instance, name) DO UPDATE
        SET process = excluded.process, route = excluded.route, shard = excluded.shard,
            due = excluded.due, type = excluded.type, body = excluded.body,
            correlation_id = excluded.correlation_id, causation_id = excluded.causation_id
        """,
        columns,
        prepare=True,
    )


def load_processes(connection: Connection, ids: Sequence[str]) -> list[StoredProcess]:
    rows = fetch(
        connection,
        "SELECT id, version, parked, holding, changed_at, state FROM process"
        " WHERE id = ANY(%s::uuid[])",
        (list(ids),),
    )
    return [StoredProcess(*row) for row in rows]


def update_processes(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Save changed states: (id, version, stage, parked, holding, changed_at, state)."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    connection.execute(
        """
        UPDATE process SET version = v.version, stage = v.stage, parked = v.parked,
               holding = v.holding, changed_at = v.changed_at, state = v.state
        FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::bool[], %s::bool[],
                    %s::timestamptz[], %b::bytea[])
             AS v (id, version, stage, parked, holding, changed_at, state)
        WHERE process.id = v.id
        """,
        columns,
        prepare=True,
    )


def copy_rows(connection: Connection, target: str, rows: Iterable[Sequence[Any]]) -> None:
    """Append rows by COPY; `target` is `table (column, ...)`."""
    with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def held_for(
    connection: Connection, instances: Sequence[str], reason: str
) -> list[tuple[int, StoredMessage]]:
    """Held messages of those instances in the order they came, with their row numbers."""
    rows = fetch(
        connection,
        f"SELECT number, shard, NULL, {MESSAGE_COLUMNS} FROM held_message"
        " WHERE instance = ANY(%s) AND reason = %s ORDER BY number",
        (list(instances), reason),
    )
    return [(row[0], StoredMessage(*row[1:])) for row in rows]


def delete_held(connection: Connection, numbers: Sequence[int]) -> None:
    connection.execute("DELETE FROM held_message WHERE number = ANY(%s)", (list(numbers),))


def last_number(connection: Connection, table: str) -> tuple[int, bool]:
    """The last number taken for a row of that table, and whether we have written nothing yet."""
    rows = fetch(
        connection,
        "SELECT CASE WHEN is_called THEN last_value ELSE 0 END,"
        f" pg_current_xact_id_if_assigned() IS NULL FROM {table}_number_seq",
    )
    number, is_fresh = rows[0]
    return number, is_fresh


def transaction_ids(connection: Connection) -> tuple[int, int]:
    """The lowest id of a transaction under way, and our own, higher than all given out before.

    (A snapshot's xmax will not do: it is the last that ended, and others may run above it.)
    """
    rows = fetch(
        connection,
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,"
        " pg_current_xact_id()::text::bigint",
    )
    oldest_open, ours = rows[0]
    return oldest_open, ours


def required_versions(connection: Connection) -> dict[str, int]:
    """The lowest version of the engine and of each process that a worker must know."""
    return dict(fetch(connection, "SELECT name, version FROM required_version"))


def require_versions(connection: Connection, versions: dict[str, int]) -> None:
    """Raise the versions a worker must know; never lowers one."""
    connection.execute(
        "INSERT INTO required_version (name, version) SELECT * FROM unnest(%s::text[], %s::int[])"
        " ON CONFLICT (name) DO UPDATE SET version ="
        " greatest(required_version.version, excluded.version)",
        (list(versions), list(versions.values())),
    )


def known_hashes(
    connection: Connection, hashes: Sequence[bytes]
) -> dict[bytes, tuple[bytes, str, bytes | None]]:
    """Fingerprint, type and (while kept) body of messages received before."""
    rows = fetch(
        connection,
        "SELECT hash, fingerprint, type, body FROM dedupe WHERE hash = ANY(%b)",
        (list(hashes),),
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def insert_hashes(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> set[bytes]:
    """Insert (hash, fingerprint, type, body, recorded_at); returns the hashes that were new."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    inserted = fetch(
        connection,
        "INSERT INTO dedupe (hash, fingerprint, type, body, recorded_at)"
        " SELECT * FROM unnest(%b::bytea[], %b::bytea[], %s::text[], %b::bytea[],"
        " %s::timestamptz[]) ON CONFLICT (hash) DO NOTHING RETURNING hash",
        columns,
    )
    return {row[0] for row in inserted}


def save_answer(connection: Connection, hashed: bytes, answer: bytes) -> None:
    """Keep what a write of that hash was answered, for as long as its body."""
    connection.execute("UPDATE dedupe SET answer = %b WHERE hash = %b", (answer, hashed))


def answer_of(connection: Connection, hashed: bytes) -> tuple[bytes, bytes | None] | None:
    """Fingerprint of what was received under that hash, and (while kept) its answer."""
    rows = fetch(connection, "SELECT fingerprint, answer FROM dedupe WHERE hash = %b", (hashed,))
    return rows[0] if rows else None


def delete_hashes(connection: Connection, hashes: Sequence[bytes]) -> None:
    connection.execute("DELETE FROM dedupe WHERE hash = ANY(%b)", (list(hashes),))


def forgo_durability(connection: Connection) -> None:
    """For notes only: their commits wait for no disk, and may be lost with the machine."""
    connection.execute("SET synchronous_commit = off")


def reopen_case(connection: Connection, row: Sequence[Any]) -> None:
    """Open a Case, or the same one again."""
    connection.execute(
        "INSERT INTO case_file (id, kind, subject, detail, priority, process, instance,"
        " correlation_id, opened_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET status = 'open', closed_at = NULL,"
        " detail = excluded.detail",
        row,
    )


def open_cases(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    """Open Cases, or the same ones again; rows as in `reopen_case`."""
    for row in rows:
        reopen_case(connection, row)
