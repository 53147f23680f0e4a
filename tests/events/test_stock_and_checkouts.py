"""What happens to stock and to checkouts is told too, and costs whoever orders nothing."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest

from crossdock import db
from crossdock.api.stock.correcting import Asked, write_corrections
from crossdock.api.stock.model import CorrectionAsked
from crossdock.events import stock, stock_store, store
from crossdock.events.model import Interest
from crossdock.events.stock import StockTeller, publish_stock
from tests.events.test_publisher import publish_all
from tests.integration.orders.checkouts import drop, extend, reserve
from tests.integration.orders.shop import BOSTON, PROVIDENCE, Shop

LEVELS = "crossdock.stock_level.*"
CHECKOUTS = "crossdock.checkout_reservation.*"


@pytest.fixture
def shop(connection: db.Connection) -> Shop:
    shop = Shop(connection)
    tell_stock(shop)  # The first look begins with what happens next.
    shop.wait(minutes=1)
    return shop


def tell_stock(shop: Shop, **limits: int) -> list[dict[str, Any]]:
    """What is published of levels once nobody writes any more, and all that was before."""
    while not publish_stock(shop.connection, shop.clock.now() + stock.LAG, **limits):
        pass
    return told(shop, LEVELS)


def told(shop: Shop, types: str, **interest: Any) -> list[dict[str, Any]]:
    rows = store.events_between(
        shop.connection, 0, 1_000_000, Interest(types=(types,), **interest), 1_000
    )
    shop.connection.rollback()
    return [{"type": row.type[10:-3], **json.loads(row.data)} for row in rows]


def test_a_move_is_told_with_what_the_level_holds_now(shop: Shop) -> None:
    shop.stock(BOSTON, mug=20)

    [event] = tell_stock(shop)

    assert (event["sku"], event["node"]) == ("mug", BOSTON)
    assert (event["sellable"], event["reserved"], event["available"]) == (20, 0, 20)
    [move] = event["moves"]
    assert (move["quantity"], move["from_bucket"], move["to_bucket"]) == (
        20,
        "supplier",
        "sellable",
    )
    assert (move["reason"], move["source"]) == ("receipt", "wms") and move["move_id"]
    assert "moves_left_out" not in event
    assert tell_stock(shop) == [event], "nothing is told twice"


def test_a_snapshot_is_told_where_it_changed_something_and_nowhere_else(shop: Shop) -> None:
    shop.stock(BOSTON, mug=20, jug=5)
    tell_stock(shop)
    shop.wait(minutes=5)
    shop.count(BOSTON, mug=18, jug=5)

    [event] = tell_stock(shop)[2:]

    assert (event["sku"], event["sellable"]) == ("mug", 18)
    [move] = event["moves"]
    assert (move["reason"], move["quantity"], move["from_bucket"]) == ("count", 2, "sellable")


def test_a_correction_is_told_under_its_id(shop: Shop) -> None:
    shop.stock(BOSTON, mug=20)
    tell_stock(shop)
    shop.wait(minutes=5)
    asked = CorrectionAsked(
        sku="mug", node=BOSTON, expected_quantity=20, quantity=19, reason="stolen"
    )
    [decided] = write_corrections(
        shop.connection, [Asked(("tests", "1"), asked, "ada")], shop.clock.now()
    )
    shop.connection.commit()

    [event] = tell_stock(shop)[1:]

    [move] = event["moves"]
    assert (move["reason"], move["move_id"]) == ("correction", decided.stored.id)
    assert event["sellable"] == 19


def test_reserving_and_shipping_change_the_level_and_are_told_as_one(shop: Shop) -> None:
    shop.stock(BOSTON, mug=20)
    tell_stock(shop)
    shop.wait(minutes=5)
    orders = [shop.place(str(number), ("mug", 2)) for number in range(3)]

    [event] = tell_stock(shop)[1:]
    assert (event["sellable"], event["reserved"], event["available"]) == (20, 6, 14)
    assert event["moves"] == []

    shop.wait(minutes=5)
    shop.finish(orders[0])
    [event] = tell_stock(shop)[2:]
    assert (event["sellable"], event["reserved"], event["available"]) == (18, 4, 14)
    [move] = event["moves"]
    assert (move["reason"], move["to_bucket"], move["order_id"]) == (
        "shipped", "customer", orders[0],
    )  # fmt: skip


def test_a_promise_that_came_and_went_is_not_told(shop: Shop) -> None:
    shop.stock(BOSTON, mug=20)
    tell_stock(shop)
    shop.wait(minutes=5)
    order = shop.place("1", ("mug", 2))
    shop.cancel(order)
    shop.answer_recalls(shop.work(order))

    assert len(tell_stock(shop)) == 1


def test_ordering_writes_nothing_for_it(shop: Shop) -> None:
    shop.stock(BOSTON, mug=20)
    shop.place("1", ("mug", 2))
    publish_all(shop.connection)

    assert told(shop, LEVELS) == []
    rows = shop.rows("SELECT told FROM event_log WHERE process NOT LIKE '%%order%%'")
    assert all(row is None or b"stock_level" not in row for (row,) in rows)


def test_only_the_latest_moves_are_shown_and_the_rest_counted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock, "MOST_MOVES", 2)
    shop.wait(seconds=1)
    for units in (1, 2, 3):
        shop.stock(BOSTON, mug=units)
        shop.wait(seconds=1)

    [event] = tell_stock(shop)

    assert [move["quantity"] for move in event["moves"]] == [3, 2]
    assert event["moves_left_out"] == 1 and event["sellable"] == 6


def test_much_is_told_in_steps_and_nothing_is_lost_between_them(shop: Shop) -> None:
    for node in (BOSTON, PROVIDENCE):
        for sku in ("mug", "jug", "tray"):
            shop.stock(node, **{sku: 5})
            shop.wait(seconds=40)

    events = tell_stock(shop, most_rows=1)

    assert sorted((event["node"], event["sku"]) for event in events) == sorted(
        (node, sku) for node in (BOSTON, PROVIDENCE) for sku in ("mug", "jug", "tray")
    )


def test_what_a_transaction_that_still_runs_wrote_is_told_when_it_has_ended(
    shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.stock(BOSTON, mug=20)
    with contextlib.closing(db.connect(database_url)) as other:
        other.execute("UPDATE shard SET last_entry = last_entry WHERE number = 0")
        begun = stock_store.oldest_writer(shop.connection)
        shop.connection.rollback()
        assert begun is not None
        # As if the clock of the shop were that of the server.
        began_at = shop.clock.now()
        with monkeypatch.context() as patched:
            patched.setattr(stock_store, "oldest_writer", lambda connection: began_at)
            assert tell_stock(shop) == []
        other.rollback()

    assert len(tell_stock(shop)) == 1


def test_what_another_clock_may_still_date_back_is_waited_for(shop: Shop) -> None:
    shop.stock(BOSTON, mug=20)

    publish_stock(shop.connection, shop.clock.now() + stock.LAG - timedelta(seconds=1))
    assert told(shop, LEVELS) == []

    publish_stock(shop.connection, shop.clock.now() + stock.LAG)
    assert len(told(shop, LEVELS)) == 1


def test_a_teller_looks_every_so_many_seconds_or_never(shop: Shop) -> None:
    shop.stock(BOSTON, mug=20)
    shop.wait(minutes=1)
    StockTeller(shop.clock, 0)(shop.connection)
    assert told(shop, LEVELS) == []

    teller = StockTeller(shop.clock, 3600)
    for _ in range(5):  # It looks on at once while it is behind.
        teller(shop.connection)
    assert len(told(shop, LEVELS)) == 1

    shop.stock(BOSTON, mug=1)
    shop.wait(minutes=1)
    teller(shop.connection)
    assert len(told(shop, LEVELS)) == 1


def test_readers_of_one_node_or_channel_see_what_is_theirs(shop: Shop) -> None:
    shop.stock(BOSTON, mug=5)
    shop.stock(PROVIDENCE, mug=5)
    reserve(shop, "ada", ("mug", 1))
    tell_stock(shop)
    publish_all(shop.connection)

    assert {e["node"] for e in told(shop, LEVELS, nodes=frozenset({BOSTON}))} == {BOSTON}
    assert told(shop, LEVELS, channels=frozenset({"web"})) == []
    assert len(told(shop, CHECKOUTS, channels=frozenset({"web"}))) == 1
    assert told(shop, CHECKOUTS, channels=frozenset({"pos"})) == []


def test_the_life_of_a_checkout_is_told(shop: Shop) -> None:
    shop.stock(BOSTON, mug=3)
    bought = reserve(shop, "ada", ("mug", 2))
    extend(shop, bought, 1200)
    order = shop.place("1", ("mug", 2), checkout_id=bought)
    left = reserve(shop, "bob", ("mug", 5))
    drop(shop, left)
    late = reserve(shop, "eve", ("mug", 1))
    shop.wait(seconds=600)
    publish_all(shop.connection)

    def of(checkout: str) -> list[str]:
        events = [e for e in told(shop, CHECKOUTS) if e["checkout_id"] == checkout]
        return [event["type"].partition(".")[2] for event in events]

    assert of(bought) == ["made", "extended", "confirmed"]
    assert (of(left), of(late)) == (["made", "dropped"], ["made", "expired"])
    events = told(shop, CHECKOUTS)
    made = {e["checkout_id"]: e for e in events if e["type"].endswith("made")}
    assert made[left]["lines"] == [[1, "mug", 5, 1]]
    [confirmed] = [e for e in events if e["type"].endswith("confirmed")]
    assert (confirmed["order_id"], confirmed["channel"]) == (order, "web")
    [extended] = [e for e in events if e["type"].endswith("extended")]
    assert extended["expires_at"] > made[bought]["expires_at"]


def test_an_order_that_comes_to_nothing_drops_its_checkout(shop: Shop) -> None:
    shop.stock(BOSTON, mug=3)
    found = reserve(shop, "ada", ("mug", 2))
    order = shop.place("1", ("mug", 2), checkout_id=found, tenders=[])
    shop.cancel(order)
    publish_all(shop.connection)

    kinds = [event["type"].partition(".")[2] for event in told(shop, CHECKOUTS)]
    assert kinds[0] == "made" and len(kinds) == 2


def test_events_of_a_checkout_and_of_a_level_carry_the_key_of_their_order(shop: Shop) -> None:
    shop.stock(BOSTON, mug=3)
    found = reserve(shop, "ada", ("mug", 2))
    drop(shop, found)
    tell_stock(shop)
    shop.wait(minutes=1)
    shop.stock(BOSTON, mug=1)
    tell_stock(shop)
    publish_all(shop.connection)

    rows = shop.rows("SELECT type, order_id, subject FROM published_event ORDER BY sequence")
    levels = {(key, subject) for kind, key, subject in rows if "stock_level" in kind}
    assert {subject for _, subject in levels} == {f"{BOSTON}:mug"} and len(levels) == 1
    checkouts = {(key, subject) for kind, key, subject in rows if "checkout" in kind}
    assert checkouts == {(found, f"web:{found}")}


def test_what_was_before_the_first_look_is_not_told(connection: db.Connection) -> None:
    shop = Shop(connection)
    shop.stock(BOSTON, mug=20)
    shop.wait(minutes=1)
    assert tell_stock(shop) == []

    shop.clock.move_to(shop.clock.now() + timedelta(minutes=1))
    shop.stock(BOSTON, mug=1)
    assert [event["sellable"] for event in tell_stock(shop)] == [21]
