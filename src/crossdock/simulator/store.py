"""The simulator's statements: what people see, and the figures of a run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crossdock import db


def fetch(connection: db.Connection, statement: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
    """All rows of a statement."""
    return connection.execute(statement, parameters).fetchall()


def next_timer(connection: db.Connection) -> datetime | None:
    """When the next timer is due; None when none runs."""
    found: datetime | None = fetch(
        connection,
        """
        SELECT min(t.due) FROM shard s,
               LATERAL (SELECT due FROM timer WHERE shard = s.number ORDER BY due LIMIT 1) t
        """,
    )[0][0]
    return found
