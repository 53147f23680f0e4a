"""Statements about payments: one function each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from crossdock.api.payments.model import PaymentEntry, Tender
from crossdock.db import Connection
from crossdock.engine.process import Address

_ENTRY = """
    e.order_id, o.channel, o.number, e.key, e.tender_number, e.kind, e.status, e.amount,
    o.currency, e.shipment_id, e.reference, e.reason, e.requested_at, e.settled_at
"""


def entries_of(connection: Connection, order_id: str) -> list[PaymentEntry]:
    """All of an order, in the order of asking."""
    rows = connection.execute(
        f"SELECT {_ENTRY} FROM payment_entry e JOIN sales_order o ON o.id = e.order_id"
        " WHERE e.order_id = %s::uuid ORDER BY e.requested_at, e.key",
        (order_id,),
    ).fetchall()
    return [_entry(row) for row in rows]


Place = tuple[datetime, str, str]
"""When it changed last, order id, key."""


def changed_entries(
    connection: Connection,
    channels: Sequence[str] | None,
    status: str | None,
    since: datetime,
    after: Place,
    limit: int,
) -> list[PaymentEntry]:
    """Entries in the order in which they were asked or settled last, behind a place."""
    rows = connection.execute(
        f"""
        SELECT {_ENTRY} FROM payment_entry e JOIN sales_order o ON o.id = e.order_id
        WHERE (e.requested_at >= %(from)s OR e.settled_at >= %(from)s)
          AND coalesce(e.settled_at, e.requested_at) >= %(from)s
          AND (coalesce(e.settled_at, e.requested_at), e.order_id, e.key)
              > (%(at)s, %(order)s::uuid, %(key)s)
          AND (%(status)s::text IS NULL OR e.status = %(status)s)
          AND (%(channels)s::text[] IS NULL OR o.channel = ANY (%(channels)s))
        ORDER BY coalesce(e.settled_at, e.requested_at), e.order_id, e.key LIMIT %(limit)s
        """,
        {
            "from": max(since, after[0]),
            "at": after[0],
            "order": after[1],
            "key": after[2],
            "status": status,
            "channels": None if channels is None else list(channels),
            "limit": limit,
        },
    ).fetchall()
    return [_entry(row) for row in rows]


def tenders_of(connection: Connection, order_id: str) -> list[Tender]:
    """The tenders of an order, in their order of use."""
    names = Tender.__struct_fields__
    rows = connection.execute(
        f"SELECT {', '.join(names)} FROM tender WHERE order_id = %s::uuid"
        " ORDER BY order_of_use, number",
        (order_id,),
    ).fetchall()
    return [Tender(**dict(zip(names, row, strict=True))) for row in rows]


class AskedEffect(NamedTuple):
    """An effect that a provider has not answered."""

    id: str
    to: Address
    correlation_id: str


def take_effect(
    connection: Connection, connector: str, order_key: str, key: str
) -> AskedEffect | None:
    """Remove an open effect because its answer came another way; None when it was answered."""
    row = connection.execute(
        """
        DELETE FROM outbox WHERE (connector, number) IN (
            SELECT connector, number FROM outbox
            WHERE connector = %s AND order_key = %s AND key = %s FOR UPDATE)
        RETURNING id, process, instance, route, correlation_id
        """,
        (connector, order_key, key),
    ).fetchone()
    return None if row is None else AskedEffect(row[0], Address(*row[1:4]), row[4])


def _entry(row: Sequence[Any]) -> PaymentEntry:
    return PaymentEntry(**dict(zip(PaymentEntry.__struct_fields__, row, strict=True)))
