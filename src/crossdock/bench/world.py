"""The retailer that the order benchmarks run on: 600 stores, 2 DCs, 20,000 SKUs, real geography."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from crossdock import db, postgres
from crossdock.bench import store
from crossdock.engine import upkeep
from crossdock.importers import Dataset
from crossdock.importers.arrivals import OrderArrival
from crossdock.model.outside import OutsideOrder, take_apart
from crossdock.ordering.intake import take_orders
from crossdock.simulator.cast import open_retailer
from crossdock.simulator.demand import Mix
from crossdock.simulator.retailer import RetailerPlan, make_retailer

NO_TROUBLE = Mix(
    bad_address=0.0,
    suspicious=0.0,
    cancel=0.0,
    cancel_part=0.0,
    repeated=0.0,
    gift_card=0.0,
    substitutes=0.0,
)
INTAKE_BATCH = 1_000


def make(
    seed: int,
    scale: float,
    orders: int,
    *,
    paid: bool,
    mix: Mix = NO_TROUBLE,
    hours: float = 48.0,
    earlier: timedelta = timedelta(0),
) -> Dataset:
    """The retailer at that scale; `paid` orders all come from a marketplace that took the money.

    The same seed and scale is the same retailer, whatever its orders.
    """
    plan = RetailerPlan(
        stores=max(10, round(600 * scale)),
        skus=max(200, round(20_000 * scale)),
        orders=orders,
        start=RetailerPlan().start - earlier,
        hours=hours,
        mix=msgspec.structs.replace(mix, marketplace=1.0) if paid else mix,
    )
    return make_retailer(seed, plan)


class Shop(NamedTuple):
    """A retailer on a server of its own, ready to take orders in."""

    url: str
    connection: db.Connection
    now: datetime
    """A moment after the last order was placed: all of them may be taken in."""
    levels: int
    coming: Iterator[OutsideOrder]
    """The orders, in the order of placing."""

    def take_in(self, most: int | None = None) -> int:
        """Put orders into the inbox, durably, in batches; returns how many there were."""
        return take_in(self.connection, itertools.islice(self.coming, most), self.now)


@contextlib.contextmanager
def shop(dataset: Dataset) -> Iterator[Shop]:
    """Network and stock of a dataset on an embedded server, for the length of the block."""
    with postgres.serve(ephemeral=True) as server:
        with contextlib.closing(db.connect(server.url)) as connection:
            db.migrate(connection)
            assert dataset.last is not None
            now = dataset.last + timedelta(minutes=1)
            levels = load(connection, dataset, now)
            yield Shop(server.url, connection, now, levels, orders_of(dataset))


def load(connection: db.Connection, dataset: Dataset, now: datetime) -> int:
    """Load network, products and stock, as warm as on a working day; the number of levels."""
    upkeep.keep_up(connection, now)
    levels = open_retailer(connection, dataset, None, now)
    store.read_all_levels(connection)
    return levels


def orders_of(dataset: Dataset) -> Iterator[OutsideOrder]:
    """The orders alone, in the order of placing."""
    for arrival in dataset.arrivals():
        if isinstance(arrival, OrderArrival):
            yield arrival.order


def take_in(connection: db.Connection, orders: Iterator[OutsideOrder], now: datetime) -> int:
    """Put orders into the inbox, durably, in batches; returns how many."""
    taken = 0
    while batch := list(itertools.islice(orders, INTAKE_BATCH)):
        take_orders(connection, [take_apart(order) for order in batch], now)
        connection.commit()
        taken += len(batch)
    store.count_at_once(connection)
    return taken
