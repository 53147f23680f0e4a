"""The street outside a retailer that is being killed: customers, staff, carriers, suppliers.

They are the simulator's own actors. They live in the test's process, which nobody kills, and say
everything again until it has been acknowledged.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from crossdock import db
from crossdock.engine import inbox
from crossdock.engine.effects import EffectResult, PendingEffect, Repeat
from crossdock.engine.inbox import Inbound, Received
from crossdock.importers import Dataset
from crossdock.kernel.messages import Message
from crossdock.model.outside import OutsideOrder, take_apart
from crossdock.ordering.intake import Taken, take_orders
from crossdock.simulator import store
from crossdock.simulator.carriers import CarrierHabits
from crossdock.simulator.cast import Cast, Habits, open_retailer
from crossdock.simulator.loop import next_due
from crossdock.simulator.people import SupplierHabits
from crossdock.simulator.ports import Counting, Moods
from crossdock.simulator.shared_clock import SharedClock
from crossdock.simulator.staff import StaffHabits
from crossdock.simulator.watchers import BackorderList
from crossdock.sourcing.policy_files import shipped_policy_text

HABITS = Habits(
    staff=StaffHabits(decline_probability=0.04, silence_probability=0.01, failure_factor=2.0),
    carriers=CarrierHabits(lost_probability=0.02, late_probability=0.05),
    suppliers=SupplierHabits(delivers_probability=1.0, shortest_days=0.3, longest_days=2.0),
    moods=Moods(
        payment_refuses=0.03,
        fails=0.03,
        loses_answer=0.03,
        erp_down_after_hours=20.0,
        erp_down_hours=6.0,
    ),
)


class Door:
    """An outside system behind a lock, so that a parcel is stopped or delivered, never both."""

    most_per_second: float | None = None

    def __init__(self, port: Counting, lock: threading.Lock) -> None:
        self.name = port.name
        self.port = port
        self.lock = lock

    def repeats(self, operation: str) -> Repeat:
        return self.port.repeats(operation)

    def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
        with self.lock:
            return self.port.send(effects)

    def look_up(self, effects: Sequence[PendingEffect]) -> list[Message | None]:
        with self.lock:
            return self.port.look_up(effects)


class Street:
    """Everybody outside. `visit` is what they do and see at one moment of the clock."""

    def __init__(self, url: str, dataset: Dataset, clock: SharedClock, seed: int) -> None:
        self.url = url
        self.dataset = dataset
        self.clock = clock
        self.lock = threading.Lock()
        self.cast = Cast(dataset, seed, HABITS, clock, take_orders=self._collect)
        self.ports = self.cast.outside.ports
        self.doors = {name: Door(port, self.lock) for name, port in self.ports.items()}
        self.backorders = BackorderList(self.cast.suppliers)
        self.orders: list[OutsideOrder] = []
        self.messages: list[Inbound] = []

    def open(self) -> None:
        """Network, stock and policy."""
        with contextlib.closing(db.connect(self.url)) as connection:
            db.migrate(connection)
            policy = (shipped_policy_text("default"), "default")
            open_retailer(connection, self.dataset, policy, self.clock.now())

    def visit(self) -> None:
        """Do what is due, tell it, look around. May fail half-way; a later visit makes up for it.

        What was told without an acknowledgement is told again, as any client does it.
        """
        now, cast = self.clock.now(), self.cast
        with contextlib.closing(db.connect(self.url, connect_timeout_seconds=3)) as connection:
            with self.lock:
                self.messages += cast.arrivals.take_in(connection, now)
                self.messages += cast.agenda.due_by(now.timestamp())
            self._tell(connection, now)
            self._look(connection, now)

    def _collect(
        self, connection: db.Connection, orders: Sequence[OutsideOrder], now: datetime
    ) -> None:
        self.orders += orders

    def _tell(self, connection: db.Connection, now: datetime) -> None:
        taken = [take_apart(order) for order in self.orders]
        for order in take_orders(connection, taken, now) if taken else ():
            assert order.result in (Taken.ACCEPTED, Taken.REPEATED), order
        for receipt in inbox.receive(connection, self.messages, now):
            assert receipt.result is not Received.CONFLICT, receipt
        connection.commit()
        self.orders.clear()
        self.messages.clear()

    def _look(self, connection: db.Connection, now: datetime) -> None:
        """All open work, new or not: what another batch opens may be older than our last look."""
        ever = datetime(1970, 1, 1, tzinfo=UTC)
        self.cast.staff.see(store.new_work(connection, ever), now.timestamp())
        self.cast.staff.recall(store.open_recalls(connection), now.timestamp())
        self.cast.desk.see(store.standing_holds(connection), now.timestamp())
        self.backorders.look(connection, now)

    def next_moment(self, at_least: timedelta) -> datetime:
        """When something is due next, by anybody; not sooner than after `at_least`."""
        soon = self.clock.now() + at_least
        with contextlib.closing(db.connect(self.url, connect_timeout_seconds=3)) as connection:
            due = next_due(connection, self.cast.agenda, self.cast.arrivals)
        return max(soon, due or soon)
