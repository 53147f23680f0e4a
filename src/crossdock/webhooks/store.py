"""Statements about webhooks and their open deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import sql

from crossdock import db
from crossdock.engine.store import fetch
from crossdock.events.model import EventRow, Interest
from crossdock.webhooks.model import Delivery, Webhook, WebhookStatus

COLUMNS = ", ".join(Webhook._fields)


def _webhook(row: Sequence[Any]) -> Webhook:
    found = Webhook(*row)
    return found._replace(status=WebhookStatus(found.status))


def insert(connection: db.Connection, webhook: Webhook) -> bool:
    """Keep a new webhook; False when one of that id is there."""
    rows = fetch(
        connection,
        f"INSERT INTO webhook ({COLUMNS}) VALUES ({', '.join(['%s'] * len(webhook))})"
        " ON CONFLICT (id) DO NOTHING RETURNING id",
        webhook._replace(status=webhook.status.value),  # type: ignore[arg-type]
    )
    return bool(rows)


def find(connection: db.Connection, webhook_id: str, *, lock: bool = False) -> Webhook | None:
    """One webhook; `lock` holds it until the commit."""
    rows = fetch(
        connection,
        f"SELECT {COLUMNS} FROM webhook WHERE id = %s::uuid{' FOR UPDATE' if lock else ''}",
        (webhook_id,),
    )
    return _webhook(rows[0]) if rows else None


def listed(
    connection: db.Connection, created_by: str | None, after: str | None, limit: int
) -> list[Webhook]:
    """Webhooks by id, those of one client or of all."""
    rows = fetch(
        connection,
        f"SELECT {COLUMNS} FROM webhook WHERE (%s::text IS NULL OR created_by = %s)"
        " AND (%s::uuid IS NULL OR id > %s::uuid) ORDER BY id LIMIT %s",
        (created_by, created_by, after, after, limit),
    )
    return [_webhook(row) for row in rows]


def change(connection: db.Connection, webhook_id: str, changes: Mapping[str, Any]) -> None:
    """Set some columns, which are names of fields of Webhook."""
    assert changes.keys() <= set(Webhook._fields), f"no such field: {sorted(changes)}"
    fields = ", ".join(f"{name} = %s" for name in changes)
    connection.execute(
        f"UPDATE webhook SET {fields} WHERE id = %s::uuid", (*changes.values(), webhook_id)
    )


def delete(connection: db.Connection, webhook_id: str) -> bool:
    """Forget a webhook with its open deliveries."""
    done = connection.execute("DELETE FROM webhook WHERE id = %s::uuid", (webhook_id,))
    return done.rowcount == 1


def end_those_of_ended_keys(
    connection: db.Connection, now: datetime, key_schema: str = ""
) -> list[Webhook]:
    """A client whose key opens nothing any more is sent nothing more; returns what ended so.

    Of a revoked key they are disabled, of one that expired paused: it may be rotated. The keys are
    in `key_schema`, if that is another one.
    """
    place = (key_schema,) if key_schema else ()
    statement = sql.SQL(
        """
        UPDATE webhook w SET changed_at = %s,
            status = CASE WHEN k.revoked_at IS NULL THEN 'paused' ELSE 'disabled' END,
            reason = CASE WHEN k.revoked_at IS NULL
                THEN 'its key has expired: rotate the key, then resume the webhook'
                ELSE 'its key was revoked' END
        FROM {key} k WHERE k.id::text = w.created_by AND w.status = 'active'
            AND (k.revoked_at <= %s
                OR NOT EXISTS (SELECT FROM {secret} s WHERE s.key_id = k.id AND s.expires_at > %s))
        RETURNING {columns}
        """
    ).format(
        key=sql.Identifier(*place, "api_key"),
        secret=sql.Identifier(*place, "api_key_secret"),
        columns=sql.SQL(", ").join(sql.Identifier("w", name) for name in Webhook._fields),
    )
    rows = connection.execute(statement, (now, now, now), prepare=True).fetchall()
    return [_webhook(row) for row in rows]


def stored_secrets(connection: db.Connection) -> list[tuple[str, str, str | None]]:
    """Of every webhook, held until the commit: its id, its secret and its former one, as stored."""
    return fetch(connection, "SELECT id, secret, former_secret FROM webhook ORDER BY id FOR UPDATE")


def behind(connection: db.Connection, most_open: int) -> list[tuple[Webhook, int]]:
    """Active webhooks with events to look at and room for them, held; and the last sequence."""
    rows = fetch(
        connection,
        f"""
        SELECT {COLUMNS}, last_sequence FROM webhook w, event_publisher
        WHERE status = 'active' AND position < last_sequence
          AND (SELECT count(*) FROM (SELECT FROM webhook_delivery d WHERE d.webhook_id = w.id
                                     LIMIT %s) AS few) < %s
        ORDER BY id FOR UPDATE OF w SKIP LOCKED
        """,
        (most_open, most_open),
    )
    return [(_webhook(row[:-1]), row[-1]) for row in rows]


def enqueue(
    connection: db.Connection, webhook: Webhook, until: int, interest: Interest, now: datetime
) -> None:
    """Open a delivery for each event of interest up to `until`, and move the position there."""
    connection.execute(
        """
        INSERT INTO webhook_delivery (webhook_id, sequence, order_id, recorded_at, available_at)
        SELECT %s::uuid, sequence, order_id, recorded_at, %s FROM published_event
        WHERE sequence > %s AND sequence <= %s
          AND (%s::text[] IS NULL OR type LIKE ANY(%s::text[]))
          AND (%s::text[] IS NULL OR channel = ANY(%s::text[]))
          AND (%s::text[] IS NULL OR node = ANY(%s::text[]))
        ON CONFLICT (webhook_id, sequence) DO NOTHING
        """,
        (
            webhook.id,
            now,
            webhook.position,
            until,
            *[interest.patterns] * 2,
            *[webhook.channels] * 2,
            *[webhook.nodes] * 2,
        ),
    )
    connection.execute("UPDATE webhook SET position = %s WHERE id = %s::uuid", (until, webhook.id))


def due(connection: db.Connection, now: datetime) -> list[str]:
    """Active webhooks with a delivery that may be tried, the longest waiting first."""
    rows = fetch(
        connection,
        """
        SELECT w.id FROM webhook w,
            LATERAL (SELECT available_at FROM webhook_delivery d
                     WHERE d.webhook_id = w.id AND d.available_at <= %s
                       AND (d.leased_until IS NULL OR d.leased_until <= %s)
                     ORDER BY sequence LIMIT 1) first
        WHERE w.status = 'active' AND (w.next_try_at IS NULL OR w.next_try_at <= %s)
        ORDER BY first.available_at, w.id
        """,
        (now, now, now),
    )
    return [webhook_id for (webhook_id,) in rows]


def claim(
    connection: db.Connection, webhook_id: str, now: datetime, until: datetime, limit: int
) -> list[Delivery]:
    """Lease the oldest due deliveries, at most one per order and none before an older one of it."""
    rows = fetch(
        connection,
        """
        WITH claimed AS (
            SELECT d.sequence FROM webhook_delivery d
            WHERE d.webhook_id = %s::uuid AND d.available_at <= %s
              AND (d.leased_until IS NULL OR d.leased_until <= %s)
              AND NOT EXISTS (SELECT FROM webhook_delivery older
                              WHERE older.webhook_id = d.webhook_id
                                AND older.order_id = d.order_id AND older.sequence < d.sequence)
            ORDER BY d.sequence LIMIT %s FOR UPDATE SKIP LOCKED),
        leased AS (
            UPDATE webhook_delivery d SET leased_until = %s, attempt = attempt + 1
            FROM claimed WHERE d.webhook_id = %s::uuid AND d.sequence = claimed.sequence
            RETURNING d.sequence, d.attempt)
        SELECT l.attempt, e.sequence, e.id, e.type, e.order_id, e.subject, e.occurred_at,
               e.correlation_id, e.causation_id, e.data
        FROM leased l JOIN published_event e ON e.sequence = l.sequence ORDER BY e.sequence
        """,
        (webhook_id, now, now, limit, until, webhook_id),
    )
    return [Delivery(row[1], row[0], EventRow(*row[1:])) for row in rows]


def remove(connection: db.Connection, webhook_id: str, sequences: Sequence[int]) -> None:
    """These were delivered."""
    connection.execute(
        "DELETE FROM webhook_delivery WHERE webhook_id = %s::uuid AND sequence = ANY(%s)",
        (webhook_id, list(sequences)),
        prepare=True,
    )


def put_back(
    connection: db.Connection, webhook_id: str, sequence: int, available_at: datetime, error: str
) -> None:
    """This one failed and is tried again then."""
    connection.execute(
        "UPDATE webhook_delivery SET leased_until = NULL, available_at = %s, last_error = %s"
        " WHERE webhook_id = %s::uuid AND sequence = %s",
        (available_at, error, webhook_id, sequence),
        prepare=True,
    )


def release(connection: db.Connection, webhook_id: str, sequences: Sequence[int]) -> None:
    """These were leased and not tried after all."""
    connection.execute(
        "UPDATE webhook_delivery SET leased_until = NULL, attempt = attempt - 1"
        " WHERE webhook_id = %s::uuid AND sequence = ANY(%s)",
        (webhook_id, list(sequences)),
        prepare=True,
    )


def try_all_now(connection: db.Connection, webhook_id: str, now: datetime) -> None:
    """Whatever waits for its next try is due now."""
    connection.execute(
        "UPDATE webhook_delivery SET available_at = %s"
        " WHERE webhook_id = %s::uuid AND available_at > %s",
        (now, webhook_id, now),
    )


def open_deliveries(
    connection: db.Connection, webhook_ids: Sequence[str]
) -> dict[str, tuple[int, str]]:
    """Per webhook: how many deliveries are open, and the latest error among them."""
    rows = fetch(
        connection,
        "SELECT webhook_id, count(*), coalesce((array_agg(last_error ORDER BY available_at DESC)"
        " FILTER (WHERE last_error <> ''))[1], '') FROM webhook_delivery"
        " WHERE webhook_id = ANY(%s::uuid[]) GROUP BY webhook_id",
        (list(webhook_ids),),
    )
    return {webhook_id: (count, error) for webhook_id, count, error in rows}


def least_active_position(connection: db.Connection) -> int | None:
    """The first event that an active webhook has not looked at comes after this one."""
    rows = fetch(connection, "SELECT min(position) FROM webhook WHERE status = 'active'")
    return None if rows[0][0] is None else int(rows[0][0])


def pass_over(connection: db.Connection, until: int) -> None:
    """Webhooks that are not active are not sent events up to this one any more."""
    # Webhooks before their deliveries: in the order in which a sender locks them.
    connection.execute(
        """
        UPDATE webhook w SET missed_until = %s, position = greatest(position, %s)
        WHERE status <> 'active' AND (position < %s OR EXISTS (
            SELECT FROM webhook_delivery d WHERE d.webhook_id = w.id AND d.sequence <= %s))
        """,
        (until, until, until, until),
    )
    connection.execute(
        "DELETE FROM webhook_delivery d USING webhook w"
        " WHERE d.sequence <= %s AND w.id = d.webhook_id AND w.status <> 'active'",
        (until,),
    )


def remove_events(connection: db.Connection, until: int) -> int:
    """Remove events up to this one, but for those with an open delivery; tells how many."""
    return connection.execute(
        "DELETE FROM published_event e WHERE sequence <= %s"
        " AND NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.sequence = e.sequence)",
        (until,),
    ).rowcount


class Queue(NamedTuple):
    """How many deliveries of a webhook are open, and since when the oldest one waits."""

    name: str
    status: str
    deliveries: int
    oldest_at: datetime | None


def queues(connection: db.Connection) -> list[Queue]:
    """All webhooks by name; those of one name together."""
    rows = fetch(
        connection,
        "SELECT w.name, w.status, count(d.sequence), min(d.recorded_at) FROM webhook w"
        " LEFT JOIN webhook_delivery d ON d.webhook_id = w.id GROUP BY w.name, w.status"
        " ORDER BY w.name, w.status",
    )
    return [Queue(*row) for row in rows]


def close_case(connection: db.Connection, subject: str, now: datetime) -> None:
    """What was wrong with this webhook is settled."""
    connection.execute(
        "UPDATE case_file SET status = 'closed', closed_at = %s"
        " WHERE kind LIKE 'webhook %%' AND instance = %s AND status = 'open'",
        (now, subject),
    )
