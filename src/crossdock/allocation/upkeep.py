"""Small regular work of allocation."""

from __future__ import annotations

from datetime import datetime, timedelta

from crossdock.allocation import store
from crossdock.db import Connection

AHEAD = timedelta(days=62)
"""How far ahead partitions of decisions are made."""


def keep_up(connection: Connection, now: datetime) -> None:
    """Partitions of this month and the next ones; the caller commits."""
    store.ensure_partitions(connection, now, now + AHEAD)
