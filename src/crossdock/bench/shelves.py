"""Stock for the inventory benchmarks: 600 stores with 30 % of 20,000 SKUs each, 2 DCs with all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime

from crossdock import db
from crossdock.bench import store
from crossdock.engine.transaction import Transaction
from crossdock.inventory.store import ensure_ledger_partitions
from crossdock.inventory.upkeep import Opening, load_opening_stock

STORES, DCS, SKUS, ZONES, ASSORTMENT = 600, 2, 20_000, 4, 0.3


def fill(
    connection: db.Connection, seed: int, scale: float, now: datetime, *, by_node: bool = False
) -> int:
    """Make the network and its stock; returns the number of levels.

    `by_node` loads node by node, as a network is rolled out: rows of a SKU lie far apart then.
    """
    stores, skus = max(20, round(STORES * scale)), _skus(scale)
    store.make_network(connection, stores, DCS, skus, ZONES)
    tx = Transaction(connection, now)
    ensure_ledger_partitions(tx, now, now)
    names = [f"SKU-{number:06d}" for number in range(skus)]
    nodes = [f"S{number:04d}" for number in range(stores)] + [f"DC{n}" for n in range(DCS)]
    draw = random.Random(seed)
    carried = {
        node: names if node.startswith("DC") else sorted(draw.sample(names, int(skus * ASSORTMENT)))
        for node in nodes
    }
    if by_node:
        levels = 0
        for node in nodes:
            stock = (Opening(sku, node, sellable=draw.randrange(3, 40)) for sku in carried[node])
            levels += load_opening_stock(tx, stock)
            tx.flush_books()
            connection.commit()
    else:
        levels = load_opening_stock(tx, _everywhere(draw, carried))
        tx.flush_books()
        connection.commit()
    store.analyze(connection)
    return levels


def _everywhere(draw: random.Random, carried: dict[str, list[str]]) -> Iterator[Opening]:
    for node, skus in carried.items():
        for sku in skus:
            yield Opening(sku, node, sellable=draw.randrange(3, 40))


def _skus(scale: float) -> int:
    return max(1_000, round(SKUS * scale))


def some_skus(draw: random.Random, scale: float, count: int) -> list[str]:
    """Some of the network's SKUs, each once."""
    return [f"SKU-{number:06d}" for number in draw.sample(range(_skus(scale)), count)]


def some_levels(connection: db.Connection, nodes: int, seed: int) -> dict[str, list[str]]:
    """The SKUs of some nodes."""
    found = store.stocked(connection)
    chosen = random.Random(seed).sample(sorted(found), min(nodes, len(found)))
    return {node: store.skus_at(connection, node) for node in chosen}
