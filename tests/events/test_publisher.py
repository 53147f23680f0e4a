"""Each fact of an order is published once, in one order, whoever publishes, whenever it stops."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from crossdock import db
from crossdock.app import registry
from crossdock.engine.runner import Runner
from crossdock.events import publisher, store
from crossdock.events.model import Interest, public
from crossdock.kernel.clock import VirtualClock
from tests.integration.orders.shop import BOSTON, CARD, PROVIDENCE, Shop


@pytest.fixture
def shop(connection: db.Connection) -> Shop:
    shop = Shop(connection)
    shop.stock(BOSTON, mug=20, jug=20)
    shop.stock(PROVIDENCE, mug=9)
    return shop


def published(connection: db.Connection, **interest: Any) -> list[tuple[str, dict[str, Any]]]:
    """Type without prefix and version, and data, of all events of interest."""
    rows = store.events_between(connection, 0, 1_000_000, Interest(**interest), 1_000)
    connection.rollback()
    return [(row.type[10:-3], json.loads(row.data)) for row in rows]


def publish_all(connection: db.Connection, per_shard: int = 200) -> None:
    while publisher.publish(connection, per_shard):
        pass


def live_through(shop: Shop, number: str = "1") -> str:
    """An order that goes the way it should."""
    order = shop.place(number, ("mug", 2), ("jug", 1), tenders=[CARD])
    work = shop.work(order)
    shop.accept(work)
    shop.pick(work)
    shop.pack(work)
    [tracking] = shop.ship(work)
    shop.deliver(work, tracking)
    return order


SMOOTH = [
    "sales_order.placed",
    "tender.authorized",
    "sales_order.accepted",
    "fulfillment_order.opened",
    "fulfillment_order.accepted",
    "fulfillment_order.picked",
    "fulfillment_order.packed",
    "shipment.left",
    "tender.captured",
    "package.delivered",
    "fulfillment_order.closed",
    "sales_order.closed",
]


def test_the_life_of_an_order_is_told_in_the_order_it_happened(shop: Shop) -> None:
    order = live_through(shop)

    publish_all(shop.connection)

    events = published(shop.connection)
    kinds = [kind for kind, _ in events]
    assert sorted(kinds) == sorted(SMOOTH)
    steps = ["sales_order.placed", "sales_order.accepted", "fulfillment_order.opened"]
    steps += ["shipment.left", "package.delivered", "sales_order.closed"]
    assert [kind for kind in kinds if kind in steps] == steps
    assert all(data["order_id"] == order for _, data in events)
    told = dict(events)
    assert told["sales_order.placed"]["lines"] == [[1, "mug", 2], [2, "jug", 1]]
    assert told["shipment.left"]["packages"][0]["lines"] == [[1, 2], [2, 1]]
    assert told["sales_order.closed"]["lines"][0]["delivered"] == 2


@pytest.mark.parametrize("per_shard", [200, 2])
def test_events_of_an_order_keep_their_order_when_the_clocks_of_workers_differ(
    shop: Shop, per_shard: int
) -> None:
    order = shop.place("1", ("mug", 2), ("jug", 1), tenders=[CARD])
    work = shop.work(order)
    slow = VirtualClock(shop.clock.now() - timedelta(seconds=3))
    shop.runner = Runner(registry(), shop.connection, slow)
    shop.runner.start()
    shop.accept(work)
    shop.pick(work)

    publish_all(shop.connection, per_shard)

    kinds = [kind for kind, _ in published(shop.connection)]
    assert kinds == SMOOTH[:6]


def test_an_event_is_a_cloudevent_that_names_its_order_and_its_place(shop: Shop) -> None:
    order = live_through(shop, "W-7")
    publish_all(shop.connection)

    rows = store.events_between(shop.connection, 0, 99, Interest(), 99)

    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    event = public(rows[0])
    assert (event.specversion, event.source, event.subject) == ("1.0", "/crossdock", "web:W-7")
    assert event.partitionkey == event.correlationid == order
    assert event.type == "crossdock.sales_order.placed.v1" and event.sequence == "1"
    assert len({row.id for row in rows}) == len(rows)


def test_what_went_otherwise_is_told_too(shop: Shop) -> None:
    order = shop.place("1", ("mug", 3))
    shop.pick(shop.work(order), short={1: 1})
    shop.cancel(order, (1, 1))
    for work in shop.works(order):
        shop.answer_recalls(work)
    shop.finish(order)

    publish_all(shop.connection)

    told = dict(published(shop.connection))
    assert told["fulfillment_order.picked"]["short"] == [[1, 1, "not_in_stock"]]
    assert told["sales_order.canceled"]["lines"] == [[1, 1]]
    counted = told["sales_order.closed"]["lines"][0]
    assert (counted["quantity"], counted["delivered"], counted["canceled"]) == (3, 2, 1)


def test_publishing_in_small_steps_and_by_two_in_turn_loses_and_doubles_nothing(
    shop: Shop, database_url: str
) -> None:
    for number in range(6):
        live_through(shop, str(number))
    with contextlib.closing(db.connect(database_url)) as other:
        for _ in range(500):
            if not publisher.publish(shop.connection, 3) and not publisher.publish(other, 3):
                break

    events = published(shop.connection)
    assert Counter(kind for kind, _ in events) == dict.fromkeys(SMOOTH, 6)
    row = shop.connection.execute(
        "SELECT count(DISTINCT sequence), max(sequence) FROM published_event"
    ).fetchone()
    assert row == (len(events), len(events))


def test_while_one_publishes_another_waits_for_its_turn(shop: Shop, database_url: str) -> None:
    live_through(shop)
    with contextlib.closing(db.connect(database_url)) as other:
        assert store.lock_publisher(other) == 0

        assert publisher.publish(shop.connection) == 0
        other.rollback()
        assert publisher.publish(shop.connection) > 0


def test_a_publisher_that_dies_before_its_commit_leaves_everything_to_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_through(shop)
    with monkeypatch.context() as patched:
        patched.setattr(store, "save_places", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            publisher.publish(shop.connection)
        shop.connection.rollback()
    assert published(shop.connection) == []

    publish_all(shop.connection)

    assert len(published(shop.connection)) == len(SMOOTH)


def test_readers_narrow_by_type_channel_node_and_order(shop: Shop) -> None:
    first, second = live_through(shop, "1"), live_through(shop, "2")
    publish_all(shop.connection)
    read = shop.connection

    assert {k for k, _ in published(read, types=("crossdock.fulfillment_order.*",))} == {
        kind for kind in SMOOTH if kind.startswith("fulfillment_order")
    }
    assert len(published(read, types=("crossdock.package.delivered.v1",))) == 2
    assert published(read, types=("crossdock.package%",)) == []
    assert len(published(read, order_id=first)) == len(SMOOTH)
    assert {d["order_id"] for _, d in published(read, order_id=second)} == {second}
    assert published(read, channels=frozenset({"amazon"})) == []
    assert all("node" in data for _, data in published(read, nodes=frozenset({BOSTON})))
    assert published(read, nodes=frozenset({PROVIDENCE})) == []


def test_the_partitions_of_the_next_months_are_made_ahead(shop: Shop) -> None:
    publisher.keep_up(shop.connection, shop.clock.now())
    live_through(shop)
    publish_all(shop.connection)

    row = shop.connection.execute("SELECT count(*) FROM published_event_2026_11").fetchone()
    assert row == (len(SMOOTH),)
