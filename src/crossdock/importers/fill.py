"""What order data lack, made up from the seed: nodes, product facts, opening stock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from crossdock.catalog.model import Channel, LegalEntity, Network, Node, NodeKind, Product, Zone
from crossdock.importers.nodes import (
    House,
    dc_sites,
    make_dcs,
    make_stores,
    site_in,
    store_sites,
)
from crossdock.importers.postal_codes import us_places
from crossdock.importers.seeded import between, fraction
from crossdock.importers.stock import StockColumns, columns, empty
from crossdock.importers.towns import Town, towns_of

STOCK_OVER_DEMAND = 1.15
SCARCE_SHARE = 0.03
"""SKUs of which only about half of what will be wanted is there."""
SCARCE_COVER = 0.5
DC_SHARE = 0.5
CARRIED = 0.30
MOST_STORES = 40

# Minor units for one US cent, roughly, so that filled costs have a sensible size.
_SCALES = {"GBP": 0.8, "EUR": 0.9, "BRL": 5.0, "JPY": 1.5, "CAD": 1.35, "AUD": 1.5, "CHF": 0.9}


class Wanted(msgspec.Struct):
    """What the orders say of a SKU."""

    units: int = 0
    price_minor: int = 0
    """List price of a unit."""
    name: str = ""


def fill_nodes(country: str, currency: str, seed: int, orders_per_day: float) -> tuple[Node, ...]:
    """A DC in the biggest town and stores elsewhere; a retailer of that country."""
    rng = np.random.default_rng([seed, 11])
    house = house_of(country, currency)
    if country == "US":
        places = us_places()
        return (
            *make_stores(rng, store_sites(rng, places, MOST_STORES), house, orders_per_day),
            *make_dcs(rng, dc_sites(places, 1), house, orders_per_day),
        )
    towns = towns_of(country) or (_nowhere(country),)
    stores = [
        site_in(town, f"store-{number:04d}")
        for number, town in enumerate(towns[1 : MOST_STORES + 1], start=1)
    ]
    return (
        *make_stores(rng, stores, house, orders_per_day),
        *make_dcs(rng, [site_in(towns[0], "dc-1", "DC")], house, orders_per_day),
    )


def house_of(country: str, currency: str) -> House:
    """One company, one allocation zone."""
    entity = f"{country.lower()}-retail"
    return House(country.lower(), entity, currency, scale=_SCALES.get(currency, 1.0))


def fill_frame(country: str, currency: str, channels: Iterable[str], *, paid: bool) -> Network:
    """The company, zone and channels that nodes and orders need to belong to."""
    house = house_of(country, currency)
    return Network(
        legal_entities=(
            LegalEntity(code=house.entity, name="Retailer", country=country, currency=currency),
        ),
        zones=(Zone(code=house.zone, name=country),),
        channels=tuple(
            Channel(
                code=channel,
                name=channel,
                selling_entity=house.entity,
                # Orders of one file may have several currencies.
                currency="",
                paid=paid,
            )
            for channel in sorted(channels)
        ),
    )


def fill_product(sku: str, wanted: Wanted, currency: str, seed: int) -> Product:
    """Weight and size by price (dear things are heavier, loosely), cost 40 to 65 % of the price."""
    weight = 30 + wanted.price_minor * between(seed, "grams per cent", sku, 0.2, 1.2)
    edge = 40 + 12 * weight ** (1 / 3)
    return Product(
        sku=sku,
        name=wanted.name or f"Product {sku}",
        weight_grams=int(min(weight, 25_000)),
        length_mm=int(edge * between(seed, "length", sku, 1.0, 1.6)),
        width_mm=int(edge),
        height_mm=int(edge * between(seed, "height", sku, 0.3, 0.9)),
        currency=currency,
        price=wanted.price_minor,
        cost=filled_cost(sku, wanted.price_minor, seed),
    )


def filled_cost(sku: str, price_minor: int, seed: int) -> int:
    """Standard cost, 40 to 65 % of the price."""
    return int(price_minor * between(seed, "cost", sku, 0.40, 0.65))


def fill_stock(nodes: Sequence[Node], units: dict[str, int], seed: int) -> StockColumns:
    """Opening stock that covers what will be wanted of most SKUs, and half of it of a few.

    DCs hold half of it, the rest is spread over the stores, each carrying three SKUs in ten.
    """
    skus = sorted(units)
    holders = [node for node in nodes if node.enabled]
    if not skus or not holders:
        return empty()
    rng = np.random.default_rng([seed, 12])
    cover = np.where(rng.random(len(skus)) < SCARCE_SHARE, SCARCE_COVER, STOCK_OVER_DEMAND)
    total = np.ceil(np.array([units[sku] for sku in skus]) * cover).astype(np.int64) + 1
    big = [i for i, node in enumerate(holders) if node.kind is not NodeKind.STORE]
    small = [i for i, node in enumerate(holders) if node.kind is NodeKind.STORE]
    quantity = np.zeros((len(holders), len(skus)), dtype=np.int64)
    if small:
        share = 1.0 - DC_SHARE if big else 1.0
        weights = rng.random((len(small), len(skus)))
        weights *= rng.random((len(small), len(skus))) < CARRIED
        weights /= np.maximum(weights.sum(axis=0), 1e-9)
        quantity[small] = np.floor(weights * total * share)
    # Whatever is left by rounding, or by no store carrying it, lies in one big (or any) node.
    rest = total - quantity.sum(axis=0)
    for part, index in enumerate(big or small[:1]):
        of = len(big) or 1
        quantity[index] += rest // of + (part < rest % of)
    node, sku = np.nonzero(quantity)
    return columns(
        [holder.code for holder in holders],
        skus,
        node.astype(np.int32),
        sku.astype(np.int32),
        quantity[node, sku].astype(np.int32),
    )


def seeded_hours(seed: int, what: str, who: str, most: float) -> float:
    """A waiting time in hours, short ones more likely."""
    return most * float(fraction(seed, what, who)) ** 2


def _nowhere(country: str) -> Town:
    # A country without a listed town still gets a node; distances from it mean nothing.
    return Town(country, country, "", 0.0, 0.0, 1, "UTC")
