"""Networks out of published store locations: real places, everything else filled from the seed.

The file is CSV with the columns brand, store_id, name, city, state, zip, latitude and longitude.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from crossdock.catalog.model import Brand, LegalEntity, Network, Zone
from crossdock.importers.errors import UnusableInput
from crossdock.importers.nodes import House, Site, dc_sites, make_dcs, make_stores
from crossdock.importers.postal_codes import Places, us_places
from crossdock.importers.rejects import Reason
from crossdock.importers.text import Reading, Row

COLUMNS = ("brand", "store_id", "name", "city", "state", "zip", "latitude", "longitude")
CURRENCY = "USD"
DCS = 2
ORDERS_PER_DAY_AND_STORE = 20.0

_TERRITORIES = {
    "PR": "America/Puerto_Rico",
    "VI": "America/St_Thomas",
    "GU": "Pacific/Guam",
    "MP": "Pacific/Saipan",
    "AS": "Pacific/Pago_Pago",
}


class Locations(NamedTuple):
    """A network without products, and the account of the rows."""

    network: Network
    lines_read: int
    stores: int
    other_brands: int
    rejected: int


def read_locations(reading: Reading, brand: str | None, seed: int) -> Locations:
    """The stores of one brand and two made-up DCs. Raises UnusableInput for a brand without any.

    `brand` None stands for the only one of the file.
    """
    rows = reading.rows()
    header = next(rows)
    missing = [name for name in COLUMNS if name not in header.fields]
    if missing:
        raise UnusableInput(
            f"{reading.path} is no file of store locations: it has no column {', '.join(missing)}."
        )
    brands: Counter[str] = Counter()
    sites: list[Site] = []
    places = us_places()
    states = frozenset(places.states) | frozenset(_TERRITORIES)
    for row in rows:
        found = dict(zip(header.fields, (field.strip() for field in row.fields), strict=True))
        brands[found["brand"]] += 1
        if brand is None:
            brand = found["brand"]
        if found["brand"] != brand:
            continue
        site = _site(reading, row, found, places, states)
        if site is not None:
            sites.append(site)
    _require_one(reading, brand, brands, sites)
    assert brand is not None, "there are rows"
    others = sum(count for name, count in brands.items() if name != brand)
    network = _network(brand, _numbered(brand, sites), places, seed)
    assert reading.read == len(sites) + others + reading.rejected + reading.blank
    return Locations(network, reading.read, len(sites), others, reading.rejected)


def is_locations(header: Row) -> bool:
    """Whether a CSV header is that of such a file."""
    return set(COLUMNS) <= set(header.fields)


def _require_one(
    reading: Reading, brand: str | None, brands: Counter[str], sites: list[Site]
) -> None:
    big = ", ".join(f"{name} ({count})" for name, count in brands.most_common(12))
    if not sites:
        raise UnusableInput(
            f"{reading.path} has no usable store of brand {brand!r}.",
            advice=f"Name one with --brand: {big}.",
        )


def _site(
    reading: Reading,
    row: Row,
    found: Mapping[str, str],
    places: Places,
    states: frozenset[str],
) -> Site | None:
    try:
        latitude, longitude = float(found["latitude"]), float(found["longitude"])
    except ValueError:
        reading.reject(
            row.number, Reason.UNREADABLE_NUMBER, "the coordinates are no numbers", row.raw
        )
        return None
    # The territories reach far around the Pacific; the poles and the Old World are mistakes.
    if not (-15 <= latitude <= 72 and (-180 <= longitude <= -60 or 140 <= longitude <= 180)):
        message = f"{latitude}, {longitude} is not in the United States"
        reading.reject(row.number, Reason.PLACE_OUT_OF_RANGE, message, row.raw)
        return None
    near = places.nearest(latitude, longitude)
    # Some rows have half an address in the state's column; the coordinates know better.
    state = found["state"].upper()
    if state not in states:
        state = places.states[near]
    postal_code = found["zip"][:5]
    if not (len(postal_code) == 5 and postal_code.isdigit()):
        postal_code = "" if state in _TERRITORIES else places.codes[near]
    return Site(
        code=found["store_id"],
        name=found["name"] or f"{found['city'] or places.cities[near]}, {state}",
        country="US",
        postal_code=postal_code,
        area=state,
        city=found["city"] or places.cities[near],
        latitude=latitude,
        longitude=longitude,
        time_zone=_TERRITORIES.get(state) or places.time_zones[near],
    )


def _numbered(brand: str, sites: list[Site]) -> list[Site]:
    """Codes that are unique: the chain's own numbers where it gives one to each store."""
    codes = [site.code for site in sites]
    own = all(codes) and len(set(codes)) == len(codes)
    return [
        site._replace(code=f"{brand}-{site.code if own else f'{number:04d}'}")
        for number, site in enumerate(sites, start=1)
    ]


def _network(brand: str, sites: list[Site], places: Places, seed: int) -> Network:
    rng = np.random.default_rng([seed, 21])
    house = House("us", "us-retail", CURRENCY, (brand,))
    per_day = ORDERS_PER_DAY_AND_STORE * len(sites)
    return Network(
        legal_entities=(
            LegalEntity(code=house.entity, name=brand, country="US", currency=CURRENCY),
        ),
        brands=(Brand(code=brand, name=brand),),
        zones=(Zone(code=house.zone, name="United States"),),
        nodes=(
            *make_stores(rng, sites, house, per_day),
            *make_dcs(rng, dc_sites(places, DCS), house, per_day),
        ),
    )
