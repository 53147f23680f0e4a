"""A made-up retailer on real geography: stores where people live, two DCs, a long tail of products.

The same seed and plan always give the same retailer, to the last cent and second. The 20,000
orders, 602 nodes and 3.6 million stock rows of the default are made in a few seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec
import numpy as np

from crossdock.catalog.files import save_network
from crossdock.catalog.model import (
    Brand,
    Channel,
    ChannelKind,
    LegalEntity,
    Network,
    Node,
    Product,
    Zone,
)
from crossdock.importers.arrivals import Arrival, CancelArrival, OrderArrival
from crossdock.importers.dataset import Dataset, Report
from crossdock.importers.nodes import House, dc_sites, make_dcs, make_stores, store_sites
from crossdock.importers.postal_codes import us_places
from crossdock.model.outside import OutsideCancel
from crossdock.simulator.assortment import make_assortment, make_stock
from crossdock.simulator.demand import Mix, arrivals, draw_orders

CURRENCY = "USD"
UNITS_PER_ORDER = 2.5
"""Roughly; only sizes stock and capacity."""
HOUSE = House(zone="us", entity="us-retail", currency=CURRENCY, brands=("house",))


class RetailerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How big the retailer is and what its customers do."""

    stores: int = 600
    dcs: int = 2
    skus: int = 20_000
    carried: float = 0.30
    """Share of the SKUs each store carries."""
    orders: int = 20_000
    start: datetime = datetime(2026, 11, 27, 5, tzinfo=UTC)
    """Midnight in New York on the Friday after Thanksgiving."""
    hours: float = 48.0
    mix: Mix = Mix()


def make_retailer(seed: int = 1, plan: RetailerPlan | None = None) -> Dataset:
    """The retailer of that seed and plan, as a dataset that `crossdock run` takes."""
    plan = plan or RetailerPlan()
    # Streams of their own: more orders leave the stores where they are.
    geography, goods, shelves, demand = (np.random.default_rng([seed, part]) for part in range(4))
    places = us_places()
    per_day = plan.orders / max(plan.hours / 24, 1)
    stores = make_stores(geography, store_sites(geography, places, plan.stores), HOUSE, per_day)
    dcs = make_dcs(geography, dc_sites(places, plan.dcs), HOUSE, per_day)
    assortment = make_assortment(goods, plan.skus, CURRENCY, plan.start.date())
    stock = make_stock(
        shelves,
        assortment,
        [node.code for node in stores],
        [node.code for node in dcs],
        plan.carried,
        plan.orders * UNITS_PER_ORDER,
    )
    draws = draw_orders(demand, plan.orders, plan.start, plan.hours, places, assortment, plan.mix)

    def stream() -> Iterator[Arrival]:
        return arrivals(draws, seed, CURRENCY, places, assortment, plan.mix)

    report = Report(format="seeded", seed=seed, orders=plan.orders)
    report.real("places", "US postal codes (zipcodes)")
    for what in ("stores", "products", "stock", "costs", "orders", "customers"):
        report.filled(what, f"seed {seed}")
    return Dataset(
        name=f"seeded retailer {seed}",
        currency=CURRENCY,
        network=_network(stores + dcs, assortment.products),
        stock=stock,
        arrivals=stream,
        arrival_count=plan.orders,
        first=datetime.fromtimestamp(draws.placed[0], UTC) if draws.placed else None,
        last=datetime.fromtimestamp(draws.placed[-1], UTC) if draws.placed else None,
        report=report,
    )


def write_retailer(dataset: Dataset, folder: Path) -> tuple[Path, Path]:
    """Write the dataset as `orders.jsonl` and `network.jsonl`, which `crossdock run` takes.

    Repeats are left out: a file in which an order number occurs twice is a faulty file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    orders, network = folder / "orders.jsonl", folder / "network.jsonl"
    with orders.open("wb") as file:
        write_arrivals(dataset.arrivals(), file)
    stock = tuple(dataset.stock.records())
    save_network(network, msgspec.structs.replace(dataset.network, stock=stock))
    return orders, network


def write_arrivals(stream: Iterator[Arrival], file: IO[bytes]) -> int:
    """Orders and cancels as JSON Lines; returns how many lines."""
    encoder = msgspec.json.Encoder()
    channels: dict[str, str] = {}
    count = 0
    for arrival in stream:
        if isinstance(arrival, OrderArrival) and not arrival.repeated:
            channels[arrival.order.number] = arrival.order.channel
            file.write(encoder.encode(arrival.order) + b"\n")
        elif isinstance(arrival, CancelArrival):
            cancel = OutsideCancel(
                channel=channels[arrival.number],
                number=arrival.number,
                at=arrival.at,
                lines=arrival.lines,
                reason=arrival.reason,
            )
            file.write(encoder.encode(cancel) + b"\n")
        else:
            continue
        count += 1
    return count


def _network(nodes: tuple[Node, ...], products: tuple[Product, ...]) -> Network:
    return Network(
        legal_entities=(
            LegalEntity(code=HOUSE.entity, name="Retail Inc.", country="US", currency=CURRENCY),
        ),
        brands=(Brand(code="house", name="House"),),
        zones=(Zone(code=HOUSE.zone, name="United States"),),
        nodes=nodes,
        products=products,
        channels=(
            _channel("web", "Web shop", ChannelKind.WEB),
            _channel("app", "App", ChannelKind.APP),
            _channel("marketplace", "Marketplace", ChannelKind.MARKETPLACE, paid=True),
        ),
    )


def _channel(code: str, name: str, kind: ChannelKind, *, paid: bool = False) -> Channel:
    return Channel(
        code=code,
        name=name,
        kind=kind,
        brand="house",
        selling_entity=HOUSE.entity,
        currency=CURRENCY,
        country="US",
        paid=paid,
    )
