"""Small regular work of allocation."""

from __future__ import annotations

from datetime import datetime, timedelta

from crossdock.allocation import store
from crossdock.db import Connection
from crossdock.engine.upkeep_store import take_turn

AHEAD = timedelta(days=62)
"""How far ahead partitions of decisions are made."""


def keep_up(connection: Connection, now: datetime) -> None:
    """Partitions of this month and the next ones; the caller commits."""
    if take_turn(connection, "allocation"):
        store.ensure_partitions(connection, now, now + AHEAD)
