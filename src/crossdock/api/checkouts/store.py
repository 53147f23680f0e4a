"""Statements about checkouts as channels read them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from crossdock.api.checkouts.model import CheckoutRead
from crossdock.db import Connection
from crossdock.kernel.ids import shard_of

_decode = msgspec.json.Decoder(CheckoutRead).decode


class Found(NamedTuple):
    """A checkout, and the last request that changed it."""

    checkout: CheckoutRead
    last_request: str


def read_checkout(connection: Connection, id: str) -> Found | None:
    """A checkout by its id."""
    row = connection.execute(
        """
        SELECT to_json(item)::text, last_request FROM (
            SELECT c.id, c.channel, c.status, c.created_at, c.expires_at, c.closed_at, c.order_id,
                   c.last_request, l.complete AND c.status <> 'asked' AS complete, l.lines
            FROM checkout c
            CROSS JOIN LATERAL (
                SELECT bool_and(reserved = quantity) AS complete,
                       json_agg(json_build_object(
                           'number', number, 'sku', sku, 'method', method, 'quantity', quantity,
                           'reserved', reserved, 'pickup_node', pickup_node) ORDER BY number)
                           AS lines
                FROM checkout_line WHERE checkout_id = c.id) AS l
            WHERE c.id = %s::uuid
        ) AS item
        """,
        (id,),
        prepare=True,
    ).fetchone()
    return Found(_decode(row[0]), row[1]) if row else None


class Waiting(NamedTuple):
    """A CheckoutRequested that nobody has worked on yet."""

    body: bytes
    recorded_at: datetime


def waiting_checkout(connection: Connection, id: str) -> Waiting | None:
    """The message that asks for a checkout, while it waits."""
    row = connection.execute(
        "SELECT body, recorded_at FROM inbox WHERE shard = %s AND instance = %s"
        " AND type = 'crossdock.checkout.requested.v1'",
        (shard_of(id), id),
    ).fetchone()
    return Waiting(bytes(row[0]), row[1]) if row else None


def checkout_minutes(connection: Connection, channel: str) -> int | None:
    """How long a channel's checkouts live; None for a channel that nobody knows."""
    row = connection.execute(
        "SELECT checkout_minutes FROM channel WHERE code = %s", (channel,), prepare=True
    ).fetchone()
    return int(row[0]) if row else None
