"""How long published events are kept: a number of days, and what is owed for as long as it is owed.

An active webhook is sent everything, however long that takes. One that is paused or disabled holds
nothing back: what is removed before it goes on shows as `missed_until`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from crossdock import db
from crossdock.events import store as events
from crossdock.webhooks import store

STEP_EVENTS = 20_000
"""Removed at once, at most."""


class EventRetention:
    """A worker's chore; the caller commits."""

    def __init__(self, days: int, step: int = STEP_EVENTS) -> None:
        self.kept = timedelta(days=days)
        self.step = step

    def __call__(self, connection: db.Connection, now: datetime) -> bool:
        """Remove a small step of what is too old and owed to nobody, the oldest first.

        Tells whether there may be more.
        """
        removed = events.lock_retention(connection)
        if removed is None:  # Another worker removes.
            return False
        until = events.last_before(connection, removed, now - self.kept, self.step)
        active = store.least_active_position(connection)
        until = max(removed, until if active is None else min(until, active))
        if until > removed:
            store.pass_over(connection, until)
            events.note_removed(connection, removed, until)
        store.remove_events(connection, until)
        return until - removed >= self.step
