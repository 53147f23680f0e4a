"""A history made of a few closed orders has every row of them, each order whole and on its own."""

from __future__ import annotations

from datetime import timedelta

from crossdock import db
from crossdock.bench import history_store, limit
from crossdock.bench.history import OPEN_WORK
from crossdock.invariants import check
from tests.integration.orders.shop import BOSTON, CARD, MONDAY, Shop

COPIES = 5
STEP = timedelta(days=20)
UNREPEATED = {"reserved_is_sum_of_live_reservations", "stock_level_is_fold_of_ledger"}
"""Stock is as it was before and after: only its ledger is repeated."""


def closed_orders(connection: db.Connection) -> tuple[Shop, set[str], list[str]]:
    shop = Shop(connection)
    shop.stock(BOSTON, mug=50, jug=50)
    before = history_store.tables_with_rows(connection)
    orders = [
        shop.place("1001", ("mug", 2), ("jug", 1)),
        shop.place("1002", ("mug", 3), tenders=[CARD]),
    ]
    for order in orders:
        shop.finish(order)
    assert {shop.stage(order) for order in orders} == {"closed"}
    return shop, before, orders


def test_each_copy_of_a_closed_order_is_whole_and_earlier(connection: db.Connection) -> None:
    shop, before, orders = closed_orders(connection)
    counts = {t: shop.rows(f"SELECT count(*) FROM {t}") for t in ("order_line", "event_log")}
    history_store.make_partitions(connection, MONDAY - COPIES * STEP, shop.clock.now())
    grown = history_store.tables_with_rows(connection) - before - limit.KEPT - OPEN_WORK
    assert grown >= {"sales_order", "order_line", "process", "shipment", "decision", "posting"}
    grown |= {"event_log", "stock_ledger", "dedupe"}
    stride = history_store.longest_log(connection)
    for pattern in history_store.make_patterns(connection, grown):
        numbers = range(1, COPIES + 1)
        history_store.repeat(connection, pattern, numbers, COPIES, STEP, stride)
    history_store.go_on_behind(connection, (COPIES + 1) * stride)
    for table, [(count,)] in counts.items():
        assert shop.rows(f"SELECT count(*) FROM {table}") == [(COPIES * count,)]
    ids = shop.rows("SELECT id, placed_at FROM sales_order ORDER BY id")
    assert len(ids) == COPIES * len(orders)
    assert [placed for _, placed in ids] == sorted(placed for _, placed in ids)
    assert ids[-1][1] == MONDAY - STEP
    broken = {violation.invariant for violation in check(connection)}
    assert broken <= UNREPEATED
    twice = "SELECT shard, number FROM event_log GROUP BY 1, 2 HAVING count(*) > 1"
    assert shop.rows(twice) == []


def test_orders_go_on_beside_their_history(connection: db.Connection) -> None:
    shop, before, _ = closed_orders(connection)
    grown = history_store.tables_with_rows(connection) - before - limit.KEPT - OPEN_WORK
    stride = history_store.longest_log(connection)
    for pattern in history_store.make_patterns(connection, grown - {"stock_ledger"}):
        history_store.repeat(connection, pattern, range(1, 3), 2, STEP, stride)
    history_store.go_on_behind(connection, 3 * stride)
    order = shop.place("2001", ("mug", 1))
    shop.finish(order)
    assert shop.stage(order) == "closed"
