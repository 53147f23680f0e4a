"""Who looks at what at the end of a tick: one statement for everybody of a kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from crossdock import db
from crossdock.simulator import store
from crossdock.simulator.people import Desk, Suppliers
from crossdock.simulator.staff import Staff

SUPPLIERS_LOOK_EVERY = timedelta(hours=6)


class LooksOnce:
    """Somebody whose plans hold, come what may."""

    def look_again(self, connection: db.Connection, now: datetime) -> None:
        """There is nothing to look at."""


class StoreApp:
    """Shows all nodes their new work and what they are asked to give back."""

    def __init__(self, staff: Staff) -> None:
        self.staff = staff
        self._since = datetime(1970, 1, 1, tzinfo=UTC)

    def look(self, connection: db.Connection, now: datetime) -> None:
        """New work first: a recall may be of work that is as new."""
        self.staff.see(store.new_work(connection, self._since), now.timestamp())
        self.staff.recall(store.open_recalls(connection), now.timestamp())
        self._since = now

    def look_again(self, connection: db.Connection, now: datetime) -> None:
        """Work may have been taken away, or become less, since somebody planned to do it."""
        asked = self.staff.to_look_up(now.timestamp())
        if asked:
            self.staff.look_up(asked, store.work_left(connection, asked))


class TaskList(LooksOnce):
    """Shows the desk the holds that stand."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def look(self, connection: db.Connection, now: datetime) -> None:
        self.desk.see(store.standing_holds(connection), now.timestamp())


class BackorderList(LooksOnce):
    """Shows suppliers what is backordered, a few times a day."""

    def __init__(self, suppliers: Suppliers) -> None:
        self.suppliers = suppliers
        self._next = datetime(1970, 1, 1, tzinfo=UTC)

    def look(self, connection: db.Connection, now: datetime) -> None:
        if now >= self._next:
            self._next = now + SUPPLIERS_LOOK_EVERY
            self.suppliers.see(store.backordered(connection), now.timestamp())
