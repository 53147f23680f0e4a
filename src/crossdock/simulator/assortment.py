"""What a made-up retailer sells, and how much of it lies where."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossdock.catalog.model import Product
from crossdock.importers.stock import StockColumns, columns

Floats = NDArray[np.float64]

DEMAND_EXPONENT = 0.85
"""The long tail: the n-th best seller sells as 1 / (n + 20) to this power."""
SCARCE_SHARE = 0.03
"""SKUs that are nearly sold out everywhere: sale items, last pieces."""
CARRIED_BY_DC = 0.92


class Category(NamedTuple):
    """Medians of what its products weigh (grams) and cost the customer (cents)."""

    name: str
    nouns: tuple[str, ...]
    grams: float
    cents: float
    cost_share: float
    millimetres: tuple[int, int, int]
    seasonal: float = 0.0
    """Share of its products whose season ends soon."""


CATEGORIES = (
    Category("shirts", ("Shirt", "Blouse", "Tee", "Polo"), 260, 3900, 0.38, (340, 260, 30), 0.4),
    Category("knitwear", ("Sweater", "Cardigan", "Vest"), 520, 6400, 0.40, (380, 300, 70), 0.6),
    Category("trousers", ("Jeans", "Chinos", "Shorts"), 620, 5900, 0.39, (360, 280, 60), 0.3),
    Category("outerwear", ("Jacket", "Coat", "Parka"), 1250, 12900, 0.42, (480, 380, 120), 0.7),
    Category(
        "shoes", ("Sneaker", "Boot", "Loafer", "Sandal"), 980, 8900, 0.44, (340, 220, 130), 0.4
    ),
    Category(
        "accessories", ("Belt", "Scarf", "Hat", "Wallet"), 180, 2900, 0.33, (220, 160, 40), 0.2
    ),
    Category(
        "home textiles", ("Towel", "Throw", "Sheet Set"), 900, 4500, 0.41, (400, 320, 110), 0.1
    ),
    Category("kitchen", ("Pan", "Kettle", "Knife", "Board"), 1600, 5400, 0.48, (420, 300, 180)),
    Category("small electronics", ("Speaker", "Lamp", "Charger"), 640, 7900, 0.62, (240, 180, 120)),
    Category("toys", ("Puzzle", "Game", "Kite", "Blocks"), 720, 2700, 0.45, (320, 260, 90), 0.3),
    Category("beauty", ("Cream", "Soap", "Perfume"), 240, 3200, 0.30, (140, 90, 60)),
    Category("furniture", ("Stool", "Shelf", "Side Table"), 7800, 14900, 0.50, (700, 520, 240)),
)
_LOOKS = ("Plain", "Linen", "Classic", "Slim", "Harbor", "Meadow", "Cedar", "Nordic", "Alpine")
_COLORS = ("black", "navy", "sand", "olive", "rust", "ivory", "slate", "plum", "teal", "mustard")
_SIZES = ("XS", "S", "M", "L", "XL", "2XL")


class Assortment(NamedTuple):
    """Products side by side with what their demand is made of."""

    skus: list[str]
    products: tuple[Product, ...]
    demand: Floats
    """Share of all demand; sums to 1."""
    prices: NDArray[np.int64]
    """Cents, side by side with `skus`."""


def make_assortment(rng: np.random.Generator, count: int, currency: str, day: date) -> Assortment:
    """`count` products with a long tail of demand. Popularity and price are unrelated."""
    kind = rng.integers(0, len(CATEGORIES), count)
    grams = np.array([c.grams for c in CATEGORIES])[kind] * rng.lognormal(0, 0.45, count)
    cents = np.array([c.cents for c in CATEGORIES])[kind] * rng.lognormal(0, 0.5, count)
    prices = (np.maximum(cents // 100, 2) * 100 - 1).astype(np.int64)
    share = np.array([c.cost_share for c in CATEGORIES])[kind] * rng.uniform(0.85, 1.15, count)
    costs = np.maximum(prices * share, 1).astype(np.int64)
    scale = rng.lognormal(0, 0.15, count)
    season = rng.random(count) < np.array([c.seasonal for c in CATEGORIES])[kind]
    days = rng.integers(-20, 120, count)
    rank = rng.permutation(count)
    demand = (rank + 20.0) ** -DEMAND_EXPONENT
    looks = rng.integers(0, [len(_LOOKS), len(_COLORS), len(_SIZES), 1 << 30], (count, 4)).tolist()
    skus = [f"{100000 + number}" for number in range(count)]
    alike = _alike(kind, prices)
    products = tuple(
        _product(sku, CATEGORIES[k], look, int(g), p, c, s, currency, end, [skus[i] for i in like])
        for sku, k, look, g, p, c, s, end, like in zip(
            skus,
            kind.tolist(),
            looks,
            np.clip(grams, 20, 30_000).tolist(),
            prices.tolist(),
            costs.tolist(),
            scale.tolist(),
            [
                day + timedelta(days=ahead) if ends else None
                for ends, ahead in zip(season.tolist(), days.tolist(), strict=True)
            ],
            alike,
            strict=True,
        )
    )
    return Assortment(skus, products, demand / demand.sum(), prices)


def _product(
    sku: str,
    category: Category,
    look: list[int],
    grams: int,
    price: int,
    cost: int,
    scale: float,
    currency: str,
    season_end: date | None,
    substitutes: list[str],
) -> Product:
    noun = category.nouns[look[3] % len(category.nouns)]
    length, width, height = (max(int(edge * scale), 5) for edge in category.millimetres)
    return Product(
        sku=sku,
        name=f"{_LOOKS[look[0]]} {noun}, {_COLORS[look[1]]}, {_SIZES[look[2]]}",
        category=category.name,
        weight_grams=grams,
        length_mm=length,
        width_mm=width,
        height_mm=height,
        currency=currency,
        price=price,
        cost=cost,
        season_end=season_end,
        substitutes=tuple(substitutes),
    )


def _alike(kind: NDArray[np.int64], prices: NDArray[np.int64]) -> list[list[int]]:
    """By product, those of its category that cost next more and next less."""
    found: list[list[int]] = [[] for _ in range(len(kind))]
    order = np.lexsort((prices, kind))
    for cheaper, dearer in pairwise(order.tolist()):
        if kind[cheaper] == kind[dearer]:
            found[cheaper].insert(0, dearer)
            found[dearer].append(cheaper)
    return found


def make_stock(
    rng: np.random.Generator,
    assortment: Assortment,
    stores: list[str],
    dcs: list[str],
    carried: float,
    expected_units: float,
) -> StockColumns:
    """Each store carries the share `carried` of the SKUs, best sellers more often; DCs nearly all.

    `expected_units` is the demand stock is meant for: DCs hold about three times of it.
    """
    count = len(assortment.skus)
    chance = _carried_chance(assortment.demand, carried)
    expected = assortment.demand * expected_units
    scarce = rng.random(count) < SCARCE_SHARE
    rows: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    least = np.where(scarce, 0, 1)
    shelf = np.where(scarce, 0.05, 1.5 + 6.0 * expected / max(len(stores), 1))
    for _ in stores:
        carries = np.flatnonzero(rng.random(count, dtype=np.float32) < chance)
        rows.append((carries, least[carries] + rng.poisson(shelf[carries])))
    depth = np.where(scarce, 0.3, 4.0 + 3.0 * expected / max(len(dcs), 1))
    for _ in dcs:
        carries = np.flatnonzero(rng.random(count) < CARRIED_BY_DC)
        rows.append((carries, rng.poisson(depth[carries])))
    nodes = [*stores, *dcs]
    sizes = [len(carries) for carries, _ in rows]
    return columns(
        nodes,
        assortment.skus,
        np.repeat(np.arange(len(nodes), dtype=np.int32), sizes),
        np.concatenate([carries for carries, _ in rows]).astype(np.int32),
        np.concatenate([units for _, units in rows]).astype(np.int32),
    )


def _carried_chance(demand: Floats, carried: float) -> Floats:
    """How likely a store carries each SKU: best sellers more likely, `carried` on average."""
    attraction = (demand / demand.mean()) ** 0.35
    low, high = 0.0, 1.0 / np.min(attraction)
    for _ in range(60):
        middle = (low + high) / 2
        if np.minimum(attraction * middle, 1.0).mean() < carried:
            low = middle
        else:
            high = middle
    chance: Floats = np.minimum(attraction * high, 1.0)
    return chance
