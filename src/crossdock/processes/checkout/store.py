"""The tables that show checkouts to channels, written once per batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from crossdock.db import Connection
from crossdock.engine.process import Change
from crossdock.engine.transaction import Transaction
from crossdock.engine.upkeep_store import take_turn
from crossdock.processes.checkout.state import CheckoutState

KEPT = timedelta(days=30)
"""How long a checkout that is over can still be looked up."""


def project(tx: Transaction, changes: Sequence[Change]) -> None:
    """Write what a batch changed in checkouts."""
    states: list[CheckoutState] = [change.state for change in changes]
    tx.execute(
        """
        INSERT INTO checkout (id, created_at, expires_at, closed_at, order_id, channel, status,
                              last_request)
        SELECT * FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
                             %s::uuid[], %s::text[], %s::text[], %s::text[])
        ON CONFLICT (id) DO UPDATE
        SET (expires_at, closed_at, order_id, status, last_request)
          = (excluded.expires_at, excluded.closed_at, excluded.order_id, excluded.status,
             excluded.last_request)
        """,
        _columns(
            [
                (
                    s.id,
                    s.created_at,
                    s.expires_at,
                    s.closed_at,
                    s.order_id,
                    s.channel,
                    s.status,
                    s.last_request,
                )
                for s in states
            ]
        ),
    )
    tx.execute(
        """
        INSERT INTO checkout_line (checkout_id, number, sku, quantity, method, pickup_node,
                                   reserved)
        SELECT * FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::int[], %s::text[], %s::text[],
                             %s::int[])
        ON CONFLICT (checkout_id, number) DO UPDATE SET reserved = excluded.reserved
        WHERE checkout_line.reserved <> excluded.reserved
        """,
        _columns(
            [
                (s.id, line.number, line.sku, line.quantity, line.method, line.pickup_node,
                 line.reserved)
                for s in states
                for line in s.lines
            ]
        ),
    )  # fmt: skip


def keep_up(connection: Connection, now: datetime, limit: int = 1_000) -> bool:
    """Remove checkouts that ended long ago, a small step; whether there may be more.

    The caller commits.
    """
    if not take_turn(connection, "checkouts"):
        return False
    lines = connection.execute(
        """
        WITH old AS (
            DELETE FROM checkout WHERE id IN (
                SELECT id FROM checkout WHERE closed_at < %s ORDER BY closed_at LIMIT %s)
            RETURNING id)
        DELETE FROM checkout_line l USING old WHERE l.checkout_id = old.id
        """,
        (now - KEPT, limit),
    ).rowcount
    return lines >= limit  # Each checkout has at least one.


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
