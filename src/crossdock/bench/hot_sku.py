"""Every order wants the same SKU at the same node: how fast, and never a unit too many.

Reservations in batches (row, ledger, level, total) are compared with one-row conditional UPDATEs,
each a transaction of its own, by 32 connections of pgbench and by one. Then whole orders for the
one SKU are compared with the same orders for many.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from crossdock import db, postgres
from crossdock.bench import hot_sku_store, pipeline, store, world
from crossdock.bench.hot_sku_store import HOT, ONE_ROW, SHELF
from crossdock.bench.result import BenchResult
from crossdock.catalog import store as catalog_store
from crossdock.catalog.model import Node, NodeKind, Product, Zone
from crossdock.engine.transaction import Transaction
from crossdock.inventory.model import Move, Want
from crossdock.inventory.reservations.book import ALLOCATED, ReservationBook
from crossdock.inventory.store import apply_moves, reserve
from crossdock.kernel.ids import derive
from crossdock.model.outside import OutsideOrder
from crossdock.postgres.binaries import find_binaries

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
RESERVATIONS = 200_000
UPDATE_SECONDS = 10
ORDERS = 10_000
BATCH = 500
AIM_TIMES = 4.0
AIM_SHARE = 0.8


def run(seed: int = 1, scale: float = 1.0) -> BenchResult:
    """Reservations per second in batches, beside those by single transactions."""
    with postgres.serve(ephemeral=True) as server:
        with contextlib.closing(db.connect(server.url)) as connection:
            db.migrate(connection)
            _open_shelf(connection)
            batched, granted, asked = _reserve_in_batches(connection, scale)
            oversold = _oversold(connection)
            seconds = max(1, round(UPDATE_SECONDS * scale))
            by_32 = _update_rate(server.url, connection, 32, seconds)
            by_one = _update_rate(server.url, connection, 1, seconds)
    usual, hot, sold, oversold_orders = _whole_orders(seed, scale)
    never_oversold = oversold == 0 and oversold_orders == 0
    return BenchResult(
        name="hot-sku",
        value=batched,
        unit="reservations/s",
        limit=by_32,
        ratio=batched / by_32,
        aim=(
            f">= {AIM_TIMES:.0f} times single UPDATEs by 32 connections, above those by one;"
            f" orders >= {AIM_SHARE:.0%} of the usual rate; never oversold"
        ),
        met=(
            batched >= AIM_TIMES * by_32
            and batched > by_one
            and hot >= AIM_SHARE * usual
            and never_oversold
        ),
        parts={
            "reservations asked": asked,
            "reservations granted": granted,
            "single UPDATEs/s by 32 connections": by_32,
            "single UPDATEs/s by one connection": by_one,
            "orders/s for many SKUs": usual,
            "orders/s for the one SKU": hot,
            "orders ratio": hot / usual,
            "units of the one SKU sold to orders": sold,
            "units oversold": oversold + oversold_orders,
        },
    )


def _open_shelf(connection: db.Connection) -> None:
    """One node with nothing on it yet."""
    catalog_store.save_zones(connection, [Zone(code="hot", name="hot")])
    node = Node(
        code=SHELF, kind=NodeKind.DC, name=SHELF, allocation_zone="hot", country="US",
        latitude=40.0, longitude=-90.0, time_zone="UTC",
    )  # fmt: skip
    catalog_store.save_nodes(connection, [node])
    catalog_store.save_products(connection, [Product(sku=HOT, name="hot")])
    connection.commit()


def _stock(connection: db.Connection, node: str, units: int) -> None:
    """Put units on a shelf."""
    tx = Transaction(connection, NOON)
    apply_moves(tx, [Move(HOT, node, units, "supplier", "free", "received")])
    tx.flush_books()
    connection.commit()


def _reserve_in_batches(connection: db.Connection, scale: float) -> tuple[float, int, int]:
    """Rate, units granted and units asked for; the last 5 % find the shelf empty."""
    asked = max(2 * BATCH, round(RESERVATIONS * scale))
    _stock(connection, SHELF, asked - asked // 20)
    store.checkpoint(connection)
    granted = 0
    started = time.perf_counter()
    for first in range(0, asked, BATCH):
        numbers = range(first, min(first + BATCH, asked))
        granted += _reserve_batch(connection, [derive(NOON, "hot", str(n)) for n in numbers])
    return asked / (time.perf_counter() - started), granted, asked


def _reserve_batch(connection: db.Connection, orders: list[str]) -> int:
    """One unit for each order in one durable transaction: row, ledger, level and total."""
    tx = Transaction(connection, NOON)
    book = tx.book(ReservationBook)
    granted = reserve(tx, [Want(HOT, SHELF, 1, order_id, 1) for order_id in orders])
    for order_id, units in zip(orders, granted, strict=True):
        if units:
            book.add(
                tx, order_id, order_id, 1, checkout_id=None, fulfillment_id=None,
                promised_by=None, expires_at=None, picked_at=None, quantity=units, per_unit=1,
                priority=3, state=ALLOCATED, sku=HOT, node=SHELF, pickup_node=None, kit="",
                owner="", lot="", channel="web", method="ship",
            )  # fmt: skip
    tx.flush_books()
    connection.commit()
    return sum(granted)


def _oversold(connection: db.Connection) -> int:
    """Units promised of the hot SKU beyond those there are, rows against physical stock."""
    promised = hot_sku_store.promised(connection)
    return max(0, promised - hot_sku_store.there(connection))


def _update_rate(url: str, connection: db.Connection, connections: int, seconds: int) -> float:
    """Transactions per second of the conditional UPDATE, by pgbench on the same server."""
    _stock(connection, SHELF, 100_000_000)
    connection.commit()
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(ONE_ROW)
        script.flush()
        Path(script.name).chmod(0o644)
        command = [
            str(find_binaries().folder / "pgbench"), "--no-vacuum", "--protocol", "prepared",
            "--client", str(connections), "--jobs", "2" if connections > 1 else "1",
            "--time", str(seconds), "--file", script.name, url,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    assert found is not None, f"pgbench said nothing of its rate: {done.stdout}"
    return float(found[1])


def _whole_orders(seed: int, scale: float) -> tuple[float, float, int, int]:
    """Orders/s for many SKUs and for one, units of the one that were sold, units oversold."""
    orders = max(200, round(ORDERS * scale))
    with world.shop(world.make(seed, scale, 2 * orders, paid=True)) as shop:
        shelf = _make_shelf_of_a_center(shop.connection)
        taken = shop.take_in(orders)
        usual = pipeline.rate(pipeline.run_workers(shop.url, shop.now), taken)
        hot = [_only_hot(order) for order in shop.coming]
        wanted = sum(line.quantity for order in hot for line in order.lines)
        _stock(shop.connection, shelf, wanted - wanted // 20)
        taken = world.take_in(shop.connection, iter(hot), shop.now)
        rate = pipeline.rate(pipeline.run_workers(shop.url, shop.now), taken)
        return usual, rate, hot_sku_store.promised(shop.connection), _oversold(shop.connection)


def _make_shelf_of_a_center(connection: db.Connection) -> str:
    """The first distribution center, with room for any number of orders a day."""
    nodes = catalog_store.load_nodes(connection)
    center = next(node for node in nodes if node.kind is NodeKind.DC)
    free = msgspec.structs.replace(center, daily_capacity=None)
    catalog_store.save_nodes(connection, [free])
    catalog_store.save_products(connection, [Product(sku=HOT, name="hot", weight_grams=500)])
    connection.commit()
    return center.code


def _only_hot(order: OutsideOrder) -> OutsideOrder:
    """The same order with the one SKU on every line."""
    lines = tuple(msgspec.structs.replace(line, sku=HOT) for line in order.lines)
    return msgspec.structs.replace(order, lines=lines)
