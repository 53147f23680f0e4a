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
from crossdock.allocation.policies import activate, load_version
from crossdock.catalog import store as catalog_store
from crossdock.engine import inbox, outbox_store
from crossdock.engine import store as engine_store
from crossdock.engine.effects import EffectResult, PendingEffect, Repeat
from crossdock.engine.inbox import Inbound, Received
from crossdock.importers import Dataset
from crossdock.kernel.messages import Message
from crossdock.model.outside import OutsideOrder, take_apart
from crossdock.ordering.intake import Taken, take_orders
from crossdock.simulator import opening_store, store
from crossdock.simulator.agenda import Agenda
from crossdock.simulator.arrivals import ArrivalQueue
from crossdock.simulator.carriers import CarrierHabits, Carriers
from crossdock.simulator.chance import Chance
from crossdock.simulator.people import Desk, Held, SupplierHabits, Suppliers
from crossdock.simulator.ports import Counting, Moods, Outside
from crossdock.simulator.staff import Staff, StaffHabits
from crossdock.simulator.watchers import BackorderList
from crossdock.simulator.world import places, receiving_nodes
from crossdock.sourcing.policy_files import shipped_policy_text
from tests.crash.crew import SharedClock

STAFF = StaffHabits(decline_probability=0.04, silence_probability=0.01, failure_factor=2.0)
CARRIERS = CarrierHabits(lost_probability=0.02, late_probability=0.05)
SUPPLIERS = SupplierHabits(delivers_probability=1.0, shortest_days=0.3, longest_days=2.0)
MOODS = Moods(
    payment_refuses=0.03,
    fails=0.03,
    loses_answer=0.03,
    erp_down_after_hours=20.0,
    erp_down_hours=6.0,
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
        chance, self.agenda = Chance(seed), Agenda()
        self.outside = Outside(clock, seed, MOODS, clock.now())
        self.doors = {n: Door(port, self.lock) for n, port in self.outside.ports.items()}
        carrier = self.outside.carrier
        carriers = Carriers(
            chance, self.agenda, CARRIERS, carrier.stopped.__contains__, carrier.gone.add
        )
        nodes = dataset.network.nodes
        self.staff = Staff(places(nodes), chance, self.agenda, carriers.take, STAFF)
        self.desk = Desk(chance, self.agenda, _found_address)
        suppliers = Suppliers(chance, self.agenda, receiving_nodes(nodes), SUPPLIERS)
        self.backorders = BackorderList(suppliers)
        self.arrivals = ArrivalQueue(
            dataset.arrivals(), self._collect, chance, [node.code for node in nodes]
        )
        self.orders: list[OutsideOrder] = []
        self.messages: list[Inbound] = []

    def open(self) -> None:
        """Network, stock and policy."""
        network = self.dataset.network
        with contextlib.closing(db.connect(self.url)) as connection:
            db.migrate(connection)
            catalog_store.save_network(connection, network)
            engine_store.ensure_zone_shards(connection, [zone.code for zone in network.zones])
            stock = self.dataset.stock
            opening_store.load_stock(
                connection, ((r.node, r.sku, r.quantity) for r in stock.rows())
            )
            now = self.clock.now()
            policy = load_version(connection, shipped_policy_text("default"), "default", now)
            activate(connection, policy.version, now)
            connection.commit()

    def visit(self) -> None:
        """Do what is due, tell it, look around. May fail half-way; a later visit makes up for it.

        What was told without an acknowledgement is told again, as any client does it.
        """
        now = self.clock.now()
        with contextlib.closing(db.connect(self.url, connect_timeout_seconds=3)) as connection:
            with self.lock:
                self.messages += self.arrivals.take_in(connection, now)
                self.messages += self.agenda.due_by(now.timestamp())
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
        self.staff.see(store.new_work(connection, ever), now.timestamp())
        self.staff.recall(store.open_recalls(connection), now.timestamp())
        self.desk.see(store.standing_holds(connection), now.timestamp())
        self.backorders.look(connection, now)

    def next_moment(self, at_least: timedelta) -> datetime:
        """When something is due next, by anybody; not sooner than after `at_least`."""
        soon = self.clock.now() + at_least
        with contextlib.closing(db.connect(self.url, connect_timeout_seconds=3)) as connection:
            due = [
                self.arrivals.next_at(),
                store.next_timer(connection),
                outbox_store.next_due(connection),
            ]
        planned = self.agenda.next_due()
        if planned is not None:
            due.append(datetime.fromtimestamp(planned, UTC))
        return max(soon, min((moment for moment in due if moment is not None), default=soon))


def _found_address(held: Held) -> tuple[str, float | None, float | None]:
    return held.postal_code or "10001", held.latitude, held.longitude
