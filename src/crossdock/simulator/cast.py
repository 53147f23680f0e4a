"""Everybody outside of one run: how they behave, and who knows whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from crossdock import db
from crossdock.allocation.policies import activate, load_version
from crossdock.catalog import store as catalog_store
from crossdock.engine import store as engine_store
from crossdock.importers import Dataset
from crossdock.kernel.clock import Clock
from crossdock.model.outside import OutsideOrder, take_apart
from crossdock.ordering.intake import take_orders
from crossdock.simulator import store
from crossdock.simulator.agenda import Agenda
from crossdock.simulator.arrivals import ArrivalQueue, TakeOrders
from crossdock.simulator.carriers import CarrierHabits, Carriers
from crossdock.simulator.chance import Chance
from crossdock.simulator.opening import open_stock
from crossdock.simulator.people import (
    CustomerHabits,
    Customers,
    Desk,
    DeskHabits,
    Held,
    SupplierHabits,
    Suppliers,
)
from crossdock.simulator.ports import Moods, Outside
from crossdock.simulator.staff import Staff, StaffHabits
from crossdock.simulator.watchers import BackorderList, StoreApp, TaskList
from crossdock.simulator.world import places, receiving_nodes


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """How everybody outside behaves."""

    staff: StaffHabits = StaffHabits()
    carriers: CarrierHabits = CarrierHabits()
    customers: CustomerHabits = CustomerHabits(cancel_probability=0, cancel_part_probability=0)
    desk: DeskHabits = DeskHabits()
    suppliers: SupplierHabits = SupplierHabits()
    moods: Moods = Moods()


def _take_orders(connection: db.Connection, orders: Sequence[OutsideOrder], now: datetime) -> None:
    take_orders(connection, [take_apart(order) for order in orders], now)


class Cast:
    """The actors of one run, all drawn from one seed. The clock stands at its start."""

    def __init__(
        self,
        dataset: Dataset,
        seed: int,
        habits: Habits,
        clock: Clock,
        *,
        limit: int | None = None,
        take_orders: TakeOrders = _take_orders,
    ) -> None:
        chance, self.agenda = Chance(seed), Agenda()
        self.outside = Outside(clock, seed, habits.moods, clock.now())
        carrier = self.outside.carrier
        self.carriers = Carriers(
            chance, self.agenda, habits.carriers, carrier.stopped.__contains__, carrier.gone.add
        )
        nodes = dataset.network.nodes
        self.staff = Staff(places(nodes), chance, self.agenda, self.carriers.take, habits.staff)
        self.customers = Customers(chance, self.agenda, habits.customers)
        self.desk = Desk(chance, self.agenda, _found_address, habits.desk)
        self.suppliers = Suppliers(chance, self.agenda, receiving_nodes(nodes), habits.suppliers)
        self.arrivals = ArrivalQueue(
            dataset.arrivals(),
            take_orders,
            chance,
            [node.code for node in nodes],
            self.customers.placed,
            limit,
        )
        self.watchers = (
            StoreApp(self.staff),
            TaskList(self.desk),
            BackorderList(self.suppliers),
        )

    @property
    def counts(self) -> list[dict[str, int]]:
        """What each of them did out of the ordinary."""
        people = (self.staff, self.carriers, self.customers, self.desk, self.suppliers)
        return [*(one.counts for one in people), self.arrivals.counts]


def open_retailer(
    connection: db.Connection, dataset: Dataset, policy: tuple[str, str] | None, now: datetime
) -> int:
    """Load network, stock and, where one is given, a policy (text, name); returns stock levels."""
    network = dataset.network
    catalog_store.save_network(connection, network)
    engine_store.ensure_zone_shards(connection, [zone.code for zone in network.zones])
    levels = open_stock(connection, dataset.stock, network, now)
    if policy is not None:
        activate(connection, load_version(connection, *policy, now).version, now)
    connection.commit()
    store.analyze(connection)
    connection.commit()
    return levels


def _found_address(held: Held) -> tuple[str, float | None, float | None]:
    """What the customer says when asked: the place is invented where nothing is known."""
    return held.postal_code or "10001", held.latitude, held.longitude
