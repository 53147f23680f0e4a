"""Sellers as vendor nodes, what they sell as products, and the stock their orders imply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from crossdock.catalog.model import Node, NodeStock, Product
from crossdock.importers.fill import STOCK_OVER_DEMAND, fill_product, house_of
from crossdock.importers.gathering import Gathering
from crossdock.importers.nodes import Site, make_vendors
from crossdock.importers.olist.orders import CURRENCY
from crossdock.importers.olist.tables import Good, Person, Places
from crossdock.importers.stock import StockColumns, from_records

_ZONES = {
    "AC": "Rio_Branco",
    "AL": "Maceio",
    "AM": "Manaus",
    "AP": "Belem",
    "BA": "Bahia",
    "CE": "Fortaleza",
    "MA": "Fortaleza",
    "MS": "Campo_Grande",
    "MT": "Cuiaba",
    "PA": "Belem",
    "PB": "Fortaleza",
    "PE": "Recife",
    "PI": "Fortaleza",
    "RN": "Fortaleza",
    "RO": "Porto_Velho",
    "RR": "Boa_Vista",
    "SE": "Maceio",
    "TO": "Araguaina",
}
_NOBODY = Person("", "", "", "")


def seller_nodes(
    sellers: Mapping[str, Person],
    sold: Counter[tuple[str, str]],
    places: Places,
    seed: int,
) -> tuple[Node, ...]:
    """A vendor node for each seller that sold something; without a place it has no coordinates."""
    sites = []
    for code in sorted({seller for seller, _ in sold}):
        seller = sellers.get(code, _NOBODY)
        found = places.find(seller.prefix)
        sites.append(
            Site(
                code=code,
                name=f"Seller in {seller.city or 'Brazil'}",
                country="BR",
                postal_code=seller.prefix,
                area=seller.state,
                city=seller.city,
                latitude=found[0] if found else None,
                longitude=found[1] if found else None,
                time_zone=f"America/{_ZONES.get(seller.state, 'Sao_Paulo')}",
            )
        )
    return make_vendors(seed, sites, house_of("BR", CURRENCY))


def seller_stock(sold: Counter[tuple[str, str]]) -> StockColumns:
    """What each seller sold, and a little more."""
    by_seller: dict[str, dict[str, int]] = {}
    for (seller, product), units in sold.items():
        by_seller.setdefault(seller, {})[product] = int(units * STOCK_OVER_DEMAND) + 1
    return from_records(
        NodeStock(node=seller, quantities=quantities) for seller, quantities in by_seller.items()
    )


def products(
    goods: Mapping[str, Good], gathering: Gathering, categories: Mapping[str, str]
) -> dict[str, Product]:
    """What was ordered, with its weight and size where the data know them."""
    found = {}
    for sku, wanted in gathering.wanted.items():
        filled = fill_product(sku, wanted, CURRENCY, gathering.seed)
        good = goods.get(sku)
        if good is None:
            found[sku] = filled
            continue
        if not good.grams:
            gathering.remark("products without weight, filled")
        category = categories.get(good.category, good.category).replace("_", " ")
        found[sku] = msgspec.structs.replace(
            filled,
            name=f"{category or 'product'} {sku[:8]}",
            category=category,
            weight_grams=good.grams or filled.weight_grams,
            length_mm=good.length or filled.length_mm,
            width_mm=good.width or filled.width_mm,
            height_mm=good.height or filled.height_mm,
        )
    return found
