"""Nodes where only places are known: opening hours, cut-offs, capacity and cost rates from a seed.

Nobody publishes these. They are plausible for a chain that ships from its stores, and every report
says that they were filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import NamedTuple, TypedDict

import numpy as np

from crossdock.catalog.model import CutOff, Node, NodeKind, Opening
from crossdock.importers.postal_codes import Places
from crossdock.importers.seeded import between
from crossdock.importers.towns import Town
from crossdock.model.orders import Method


class Site(NamedTuple):
    """Where a node stands."""

    code: str
    name: str
    country: str
    postal_code: str
    area: str
    city: str
    latitude: float | None
    longitude: float | None
    time_zone: str


class House(NamedTuple):
    """What all nodes of a retailer share."""

    zone: str
    entity: str
    currency: str
    brands: tuple[str, ...] = ()
    scale: float = 1.0
    """Minor units of the currency for one US cent."""


def make_stores(
    rng: np.random.Generator, sites: Sequence[Site], house: House, orders_per_day: float
) -> tuple[Node, ...]:
    """Stores that together could take about three times `orders_per_day`, unevenly."""
    count = len(sites)
    hours = rng.integers(0, len(_STORE_HOURS), count).tolist()
    pickups = rng.integers(0, len(_STORE_CUT_OFFS), count).tolist()
    mean = orders_per_day / max(count, 1)
    capacity = np.maximum(rng.lognormal(np.log(mean * 1.6 + 8), 0.45, count), 4).astype(int)
    handling = rng.integers(160, 300, count).tolist()
    failing = np.clip(rng.gamma(2.0, 0.02, count), 0.005, 0.2).round(3).tolist()
    return tuple(
        Node(
            kind=NodeKind.STORE,
            methods=(Method.SHIP, Method.PICKUP),
            daily_capacity=able,
            pick_failure_probability=fails,
            cost_per_order=int(costs * house.scale),
            cost_per_line=int(60 * house.scale),
            cost_per_unit=int(35 * house.scale),
            cost_at_full_load=int(150 * house.scale),
            openings=_STORE_HOURS[opened],
            cut_offs=_STORE_CUT_OFFS[collected],
            **_common(site, house),
        )
        for site, able, fails, costs, opened, collected in zip(
            sites, capacity.tolist(), failing, handling, hours, pickups, strict=True
        )
    )


def make_dcs(
    rng: np.random.Generator, sites: Sequence[Site], house: House, orders_per_day: float
) -> tuple[Node, ...]:
    """DCs, cheaper and steadier than stores; together they could take `orders_per_day`, at most."""
    costs = rng.integers(85, 110, len(sites)).tolist()
    return tuple(
        Node(
            kind=NodeKind.DC,
            capabilities=("gift_wrap", "oversize"),
            daily_capacity=max(int(orders_per_day / len(sites)), 50),
            pick_failure_probability=0.003,
            cost_per_order=int(cost * house.scale),
            cost_per_line=int(25 * house.scale),
            cost_per_unit=int(18 * house.scale),
            cost_at_full_load=int(80 * house.scale),
            openings=_DC_HOURS,
            cut_offs=_DC_CUT_OFFS,
            **_common(site, house),
        )
        for site, cost in zip(sites, costs, strict=True)
    )


def make_vendors(seed: int, sites: Sequence[Site], house: House) -> tuple[Node, ...]:
    """Small sellers who ship what they sold, on working days, as much as there is."""
    return tuple(
        Node(
            kind=NodeKind.VENDOR,
            pick_failure_probability=round(between(seed, "fails", site.code, 0.002, 0.03), 3),
            cost_per_order=int(between(seed, "per order", site.code, 80, 200) * house.scale),
            cost_per_unit=int(20 * house.scale),
            openings=_VENDOR_HOURS,
            cut_offs=_VENDOR_CUT_OFFS,
            **_common(site, house),
        )
        for site in sites
    )


def store_sites(rng: np.random.Generator, places: Places, count: int) -> list[Site]:
    """At most one store per postal code, in proportion to the people who live there."""
    people = places.people / places.people.sum()
    chosen = np.sort(rng.choice(len(places.codes), count, replace=False, p=people))
    return [
        site_at(places, place, f"store-{number:04d}")
        for number, place in enumerate(chosen.tolist(), start=1)
    ]


def dc_sites(places: Places, count: int) -> list[Site]:
    """Each DC near the middle of the people of its strip of the country, west to east."""
    order = np.argsort(places.longitude, kind="stable")
    share = np.cumsum(places.people[order]) / places.people.sum()
    sites = []
    for number in range(count):
        strip = order[(share > number / count) & (share <= (number + 1) / count)]
        weights = places.people[strip]
        middle = places.nearest(
            float(np.average(places.latitude[strip], weights=weights)),
            float(np.average(places.longitude[strip], weights=weights)),
        )
        site = site_at(places, middle, f"dc-{number + 1}")
        sites.append(site._replace(name=f"DC {site.city}, {site.area}"))
    return sites


def site_at(places: Places, place: int, code: str) -> Site:
    """A site in the middle of a US postal code."""
    city, state, postal_code = places.cities[place], places.states[place], places.codes[place]
    return Site(
        code=code,
        name=f"{city}, {state} {postal_code}",
        country="US",
        postal_code=postal_code,
        area=state,
        city=city,
        latitude=float(places.latitude[place]),
        longitude=float(places.longitude[place]),
        time_zone=places.time_zones[place],
    )


def site_in(town: Town, code: str, kind: str = "Store") -> Site:
    """A site in a town."""
    return Site(
        code=code,
        name=f"{kind} {town.name}",
        country=town.country,
        postal_code=town.postal_code,
        area="",
        city=town.name,
        latitude=town.latitude,
        longitude=town.longitude,
        time_zone=town.time_zone,
    )


class _Common(TypedDict):
    code: str
    name: str
    allocation_zone: str
    brands: tuple[str, ...]
    operating_entity: str
    country: str
    postal_code: str
    administrative_area: str
    city: str
    latitude: float | None
    longitude: float | None
    time_zone: str
    cost_currency: str


def _common(site: Site, house: House) -> _Common:
    return {
        "code": site.code,
        "name": site.name,
        "allocation_zone": house.zone,
        "brands": house.brands,
        "operating_entity": house.entity,
        "country": site.country,
        "postal_code": site.postal_code,
        "administrative_area": site.area,
        "city": site.city,
        "latitude": site.latitude,
        "longitude": site.longitude,
        "time_zone": site.time_zone,
        "cost_currency": house.currency,
    }


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
_VENDOR_HOURS = tuple(Opening(weekday=day, opens=time(8), closes=time(18)) for day in range(1, 7))
_VENDOR_CUT_OFFS = (CutOff(service="*", carrier="ground", at=time(16), weekdays=(1, 2, 3, 4, 5)),)
