"""Statements about payments that nobody asked for: one function each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from crossdock.api.payments.model import ReceivedPayment
from crossdock.db import Connection

_COLUMNS = ", ".join(
    "order_name" if name == "order" else name for name in ReceivedPayment.__struct_fields__
)


def insert_received(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> set[str]:
    """Keep payments, rows as (id, order id, received at, reported at, amount, currency, reason,
    channel, order name, provider, reference, reported by); returns the ids of those that are new.
    """
    found = connection.execute(
        """
        INSERT INTO received_payment (id, order_id, received_at, reported_at, changed_at, amount,
                                      currency, reason, channel, order_name, provider, reference,
                                      reported_by)
        SELECT id, order_id, received_at, reported_at, reported_at, amount, currency, reason,
               channel, order_name, provider, reference, reported_by
        FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::bigint[],
                    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                    %s::text[])
             AS v (id, order_id, received_at, reported_at, amount, currency, reason, channel,
                   order_name, provider, reference, reported_by)
        ON CONFLICT (id) DO NOTHING RETURNING id
        """,
        [list(column) for column in zip(*rows, strict=True)],
    ).fetchall()
    return {str(id) for (id,) in found}


def find_received(connection: Connection, id: str, *, lock: bool = False) -> ReceivedPayment | None:
    """One payment by our id; `lock` holds it until the commit."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM received_payment WHERE id = %s::uuid"
        + (" FOR UPDATE" if lock else ""),
        (id,),
    ).fetchone()
    return None if row is None else ReceivedPayment(*row)


def give_to_order(
    connection: Connection, id: str, order_id: str, channel: str, reason: str, now: datetime
) -> None:
    """The payment is that order's to look at."""
    connection.execute(
        "UPDATE received_payment SET order_id = %s::uuid, channel = %s, reason = %s,"
        " changed_at = %s WHERE id = %s::uuid",
        (order_id, channel, reason, now, id),
    )


def changed_received(
    connection: Connection,
    channels: Sequence[str] | None,
    status: str | None,
    since: datetime,
    after: tuple[datetime, str],
    limit: int,
) -> list[ReceivedPayment]:
    """Payments in the order in which they were reported or applied last, behind a place."""
    rows = connection.execute(
        f"""
        SELECT {_COLUMNS} FROM received_payment
        WHERE changed_at >= %s AND (changed_at, id) > (%s, %s::uuid)
          AND (%s::text IS NULL OR status = %s) AND (%s::text[] IS NULL OR channel = ANY (%s))
        ORDER BY changed_at, id LIMIT %s
        """,
        (
            since,
            *after,
            *[status] * 2,
            *[None if channels is None else list(channels)] * 2,
            limit,
        ),
    ).fetchall()
    return [ReceivedPayment(*row) for row in rows]
