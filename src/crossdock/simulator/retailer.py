"""A made-up retailer on real geography: stores where people live, two DCs, a long tail of products.

The same seed and plan always give the same retailer, to the last cent and second. The 20,000
orders, 602 nodes and 3.6 million stock rows of the default are made in a few seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from pathlib import Path
from typing import IO, TypedDict

import msgspec
import numpy as np

from crossdock.catalog.model import (
    Brand,
    Channel,
    ChannelKind,
    CutOff,
    LegalEntity,
    Network,
    Node,
    NodeKind,
    Opening,
    Product,
    Zone,
)
from crossdock.importers.arrivals import Arrival, CancelArrival, OrderArrival
from crossdock.importers.dataset import Dataset, Report
from crossdock.importers.postal_codes import Places, us_places
from crossdock.importers.stock import StockColumns
from crossdock.model.orders import Method
from crossdock.model.outside import OutsideCancel
from crossdock.simulator.assortment import make_assortment, make_stock
from crossdock.simulator.demand import Mix, arrivals, draw_orders

CURRENCY = "USD"
UNITS_PER_ORDER = 2.5
"""Roughly; only sizes stock and capacity."""
ZONE = "us"


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
    stores = _stores(geography, places, plan)
    dcs = _dcs(geography, places, plan)
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
    with network.open("wb") as file:
        write_network(dataset.network, dataset.stock, file)
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


def write_network(network: Network, stock: StockColumns, file: IO[bytes]) -> None:
    """Master data and opening stock as the records of a network file."""
    encoder = msgspec.json.Encoder()
    for kind in msgspec.structs.fields(network):
        for record in getattr(network, kind.name):
            file.write(encoder.encode(record) + b"\n")
    for balance in stock.records():
        file.write(encoder.encode(balance) + b"\n")


def _network(nodes: tuple[Node, ...], products: tuple[Product, ...]) -> Network:
    return Network(
        legal_entities=(
            LegalEntity(code="us-retail", name="Retail Inc.", country="US", currency=CURRENCY),
        ),
        brands=(Brand(code="house", name="House"),),
        zones=(Zone(code=ZONE, name="United States"),),
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
        selling_entity="us-retail",
        currency=CURRENCY,
        country="US",
        paid=paid,
    )


def _stores(rng: np.random.Generator, places: Places, plan: RetailerPlan) -> tuple[Node, ...]:
    """One store at most per postal code, in proportion to the people who live there."""
    people = places.people / places.people.sum()
    chosen = np.sort(rng.choice(len(places.codes), plan.stores, replace=False, p=people))
    early = rng.integers(0, len(_STORE_HOURS), plan.stores).tolist()
    pickup = rng.integers(0, len(_STORE_CUT_OFFS), plan.stores).tolist()
    # Enough for twice the orders of an average day, spread as unevenly as stores are.
    daily = plan.orders / max(plan.hours / 24, 1) / max(plan.stores, 1)
    capacity = np.maximum(rng.lognormal(np.log(daily * 1.6 + 8), 0.45, plan.stores), 4)
    capacity_of = capacity.astype(int).tolist()
    handling = rng.integers(160, 300, plan.stores).tolist()
    failing = np.clip(rng.gamma(2.0, 0.02, plan.stores), 0.005, 0.2).round(3).tolist()
    return tuple(
        Node(
            code=f"store-{number:04d}",
            kind=NodeKind.STORE,
            name=f"{places.cities[place]}, {places.states[place]} {places.codes[place]}",
            methods=(Method.SHIP, Method.PICKUP),
            daily_capacity=capacity_of[number - 1],
            pick_failure_probability=failing[number - 1],
            cost_per_order=handling[number - 1],
            cost_per_line=60,
            cost_per_unit=35,
            cost_at_full_load=150,
            openings=_STORE_HOURS[early[number - 1]],
            cut_offs=_STORE_CUT_OFFS[pickup[number - 1]],
            **_where(places, place),
        )
        for number, place in enumerate(chosen.tolist(), start=1)
    )


def _dcs(rng: np.random.Generator, places: Places, plan: RetailerPlan) -> tuple[Node, ...]:
    """Each DC near the middle of the people of its strip of the country, west to east."""
    order = np.argsort(places.longitude, kind="stable")
    share = np.cumsum(places.people[order]) / places.people.sum()
    nodes = []
    for number in range(plan.dcs):
        strip = order[(share > number / plan.dcs) & (share <= (number + 1) / plan.dcs)]
        weights = places.people[strip]
        middle = places.nearest(
            float(np.average(places.latitude[strip], weights=weights)),
            float(np.average(places.longitude[strip], weights=weights)),
        )
        nodes.append(
            Node(
                code=f"dc-{number + 1}",
                kind=NodeKind.DC,
                name=f"DC {places.cities[middle]}, {places.states[middle]}",
                capabilities=("gift_wrap", "oversize"),
                daily_capacity=max(int(plan.orders / max(plan.hours / 24, 1) * 0.45), 50),
                pick_failure_probability=0.003,
                cost_per_order=int(rng.integers(85, 110)),
                cost_per_line=25,
                cost_per_unit=18,
                cost_at_full_load=80,
                openings=_DC_HOURS,
                cut_offs=_DC_CUT_OFFS,
                **_where(places, middle),
            )
        )
    return tuple(nodes)


def _where(places: Places, place: int) -> _Where:
    return {
        "allocation_zone": ZONE,
        "brands": ("house",),
        "operating_entity": "us-retail",
        "country": "US",
        "postal_code": places.codes[place],
        "administrative_area": places.states[place],
        "city": places.cities[place],
        "latitude": float(places.latitude[place]),
        "longitude": float(places.longitude[place]),
        "time_zone": places.time_zones[place],
        "cost_currency": CURRENCY,
    }


class _Where(TypedDict):
    allocation_zone: str
    brands: tuple[str, ...]
    operating_entity: str
    country: str
    postal_code: str
    administrative_area: str
    city: str
    latitude: float
    longitude: float
    time_zone: str
    cost_currency: str


def _week(opens: int, closes: int, sunday_opens: int, sunday_closes: int) -> tuple[Opening, ...]:
    days = tuple(
        Opening(weekday=day, opens=time(opens), closes=time(closes)) for day in range(1, 7)
    )
    return (*days, Opening(weekday=7, opens=time(sunday_opens), closes=time(sunday_closes)))


_STORE_HOURS = (
    _week(10, 21, 11, 19),
    _week(9, 21, 10, 18),
    _week(10, 20, 12, 18),
    _week(8, 22, 9, 20),
)
_STORE_CUT_OFFS = tuple(
    (
        CutOff(service="*", carrier="ground", at=time(hour), weekdays=(1, 2, 3, 4, 5, 6)),
        CutOff(service="express", carrier="air", at=time(hour - 1), weekdays=(1, 2, 3, 4, 5, 6)),
        CutOff(service="next_day", carrier="air", at=time(hour - 1), weekdays=(1, 2, 3, 4, 5)),
    )
    for hour in (15, 16, 17, 18)
)
_DC_HOURS = tuple(Opening(weekday=day, opens=time(5), closes=time(23)) for day in range(1, 8))
_DC_CUT_OFFS = (
    CutOff(service="*", carrier="ground", at=time(19), weekdays=(1, 2, 3, 4, 5, 6)),
    CutOff(service="express", carrier="air", at=time(20), weekdays=(1, 2, 3, 4, 5, 6)),
    CutOff(service="next_day", carrier="air", at=time(20), weekdays=(1, 2, 3, 4, 5, 6)),
)
