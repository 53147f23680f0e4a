"""How far a feed may be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from crossdock.db import Connection

if TYPE_CHECKING:
    from crossdock.api.feeds import Seat


def horizon(connection: Connection) -> int:
    """The oldest transaction that still runs in this database: all below it show in what is read
    from now on.

    `pg_snapshot_xmin` would wait for the transactions of every other database of the server too.
    """
    row = connection.execute(
        """
        WITH seen AS MATERIALIZED (
            SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS following
        )
        SELECT least(following, min(following - behind) FILTER (WHERE behind < 2147483648))
        FROM seen LEFT JOIN LATERAL (
            -- Sessions tell the lower half of their number; none is half the range behind.
            SELECT (following - backend_xid::text::bigint) & 4294967295 AS behind
            FROM pg_stat_activity
            WHERE datname = current_database() AND backend_xid IS NOT NULL) AS running ON true
        GROUP BY following
        """,
        prepare=True,
    ).fetchone()
    assert row is not None, "there is always a snapshot"
    found: int = row[0]
    return found


def at_nodes(nodes: Sequence[str]) -> str:
    """The condition on `%(nodes)s`: of one node an index gives rows in the order of the feed."""
    return "node = %(nodes)s" if len(nodes) == 1 else "node = ANY (%(nodes)s::text[])"


class Changed(NamedTuple):
    """One row of an order, such as a piece of work, and its place in the feed."""

    order_id: str
    id: str
    changed_in: int


def behind(
    nodes: Sequence[str], seat: Seat, since: datetime | None, limit: int
) -> dict[str, object]:
    """The parameters of a look at what these nodes' feed holds behind a seat."""
    return {
        "nodes": nodes[0] if len(nodes) == 1 else list(nodes),
        "after": str(seat.changed_in),
        "after_id": seat.id,
        "start": str(seat.start),
        "horizon": str(seat.horizon),
        "since": since,
        "limit": limit,
    }
