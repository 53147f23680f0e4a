"""Statements about the records of a case: one function each.

A case is named by its correlation id: an order's is the order's id, another's is the id of the
message that began it. The log is read by its processes: the order, and the work for it.
"""

from __future__ import annotations

from datetime import datetime

from crossdock.api.records.model import EffectSeen, MessageSeen
from crossdock.db import Connection

Place = tuple[datetime, int, str]
"""recorded_at, place in the log or inbox, id."""

_INSTANCES = """
    instances AS (
        SELECT %(case)s::uuid AS id
        UNION SELECT id FROM fulfillment_order WHERE order_id = %(case)s::uuid)
"""


def messages(
    connection: Connection, case: str, after: Place, limit: int
) -> list[tuple[Place, MessageSeen]]:
    """Messages of a case in the order in which they were recorded, each with its place."""
    rows = connection.execute(
        f"""
        WITH {_INSTANCES}, every AS (
            SELECT message_id AS id, 'handled' AS status, process, instance::text AS instance,
                   activity AS name, occurred_at, recorded_at, actor, causation_id, '' AS error,
                   number
            FROM event_log
            WHERE instance IN (SELECT id FROM instances) AND correlation_id = %(case)s::uuid
            UNION ALL
            SELECT id, 'waiting', process, instance, type, occurred_at, recorded_at, actor,
                   causation_id, '', number
            FROM inbox WHERE correlation_id = %(case)s::uuid
            UNION ALL
            SELECT id, reason, process, instance, type, occurred_at, recorded_at, actor,
                   causation_id, '', number
            FROM held_message WHERE correlation_id = %(case)s::uuid
            UNION ALL
            SELECT id, 'dead', process, instance, type, occurred_at, recorded_at, actor,
                   causation_id, error, 0
            FROM dead_letter WHERE correlation_id = %(case)s::uuid)
        SELECT id, status, process, instance, name, occurred_at, recorded_at, actor,
               causation_id, error, number
        FROM every WHERE (recorded_at, number, id) > (%(at)s, %(number)s, %(id)s::uuid)
        ORDER BY recorded_at, number, id LIMIT %(limit)s
        """,
        {"case": case, "at": after[0], "number": after[1], "id": after[2], "limit": limit},
    ).fetchall()
    names = MessageSeen.__struct_fields__
    return [
        ((row[6], row[10], row[0]), MessageSeen(**dict(zip(names, row[:10], strict=True))))
        for row in rows
    ]


_RESULTS = {
    "PaymentAuthorized": "payment",
    "AuthorizationRefused": "payment",
    "PaymentCaptured": "payment",
    "CaptureRefused": "payment",
    "PaymentVoided": "payment",
    "VoidRefused": "payment",
    "PaymentRefunded": "payment",
    "RefundRefused": "payment",
    "InterceptAnswered": "carrier",
    "DocumentPosted": "erp",
    "DocumentRefused": "erp",
    "CustomerNotified": "notification",
}
"""What the log calls an effect's result, and whose it is."""


def effects(connection: Connection, case: str, now: datetime) -> list[EffectSeen]:
    """Effects of a case: those that are done in the order of their results, then the open ones."""
    rows = connection.execute(
        f"""
        WITH {_INSTANCES}
        SELECT l.message_id, 'done', r.connector, l.activity, '', 1, l.recorded_at,
               NULL::timestamptz, ''
        FROM event_log l
        JOIN unnest(%(results)s::text[], %(connectors)s::text[]) AS r (activity, connector)
          ON r.activity = l.activity
        WHERE l.instance IN (SELECT id FROM instances) AND l.correlation_id = %(case)s::uuid
        UNION ALL
        SELECT id, CASE WHEN leased_until > %(now)s THEN 'in_flight'
                        WHEN last_error IS NOT NULL THEN 'failing' ELSE 'waiting' END,
               connector, operation, key, attempt, created_at, available_at,
               coalesce(last_error, '')
        FROM outbox WHERE correlation_id = %(case)s::uuid
        ORDER BY 7, 1
        """,
        {
            "case": case,
            "results": list(_RESULTS),
            "connectors": list(_RESULTS.values()),
            "now": now,
        },
    ).fetchall()
    names = EffectSeen.__struct_fields__
    return [EffectSeen(**dict(zip(names, row, strict=True))) for row in rows]
