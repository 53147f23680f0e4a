"""Orders that allow substitutes: sent where what was ordered is not there, named, and undone.

A jug, or else a tray, may stand in for a mug. The real engine, database and fakes; every invariant
is checked at the end of each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from crossdock import db
from crossdock.allocation.records import replay_decision
from crossdock.cli.main import app
from crossdock.engine.capability import Delivery
from crossdock.engine.process import Effect, State
from crossdock.events.publisher import publish
from crossdock.model.effects import Document, DocumentLine, Notice, SentInstead
from crossdock.model.events import FulfillmentOrderOpened, ShipmentLeft
from tests.integration.orders.checkouts import reserve
from tests.integration.orders.shop import BOSTON, CARD, DENVER, PROVIDENCE, Shop


class Asked:
    """What outside systems are asked for, as processes put it."""

    def __init__(self) -> None:
        self.payloads: list[msgspec.Struct] = []

    def __call__(
        self, delivery: Delivery, before: str, state: State, now: datetime, outputs: Sequence[Any]
    ) -> None:
        self.payloads += [output.payload for output in outputs if isinstance(output, Effect)]

    def documents(self) -> dict[str, tuple[DocumentLine, ...]]:
        return {one.kind: one.lines for one in self.payloads if isinstance(one, Document)}

    def notices(self) -> dict[str, tuple[SentInstead, ...]]:
        return {one.event: one.substitutes for one in self.payloads if isinstance(one, Notice)}


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def shop(connection: db.Connection, asked: Asked) -> Shop:
    shop = Shop(connection, asked)
    shop.sell("mug", "jug", "tray")
    return shop


def reserved(shop: Shop, order: str) -> list[tuple[Any, ...]]:
    """(state, SKU, quantity, node) of what is reserved for the order."""
    rows = shop.rows(
        "SELECT state, sku, quantity, node FROM reservation WHERE order_id = %s::uuid"
        " ORDER BY 1, 2, 4",
        order,
    )
    return [tuple(row) for row in rows]


def to_pick(shop: Shop, order: str) -> dict[str, str]:
    """By node, the substitute it is to pick for the first line."""
    return dict(
        shop.rows(
            "SELECT f.node, l.substitute FROM fulfillment_order f"
            " JOIN fulfillment_line l ON l.order_id = f.order_id AND l.fulfillment_id = f.id"
            " WHERE f.order_id = %s::uuid AND f.closed_at IS NULL AND l.line_number = 1",
            order,
        )
    )


def attempts(shop: Shop, order: str) -> int:
    """How often nodes were looked for."""
    [[count]] = shop.rows("SELECT count(*) FROM decision WHERE order_id = %s::uuid", order)
    return int(count)


def sent(shop: Shop, order: str) -> list[tuple[Any, ...]]:
    """(line, units, amount, substitute) of what left."""
    rows = shop.rows(
        "SELECT line_number, quantity, amount, substitute FROM shipment_line"
        " WHERE order_id = %s::uuid ORDER BY 1, 4",
        order,
    )
    return [tuple(row) for row in rows]


# The way it should go ----------------------------------------------------------------------------


def test_a_substitute_is_sent_at_the_agreed_price_for_what_no_node_has(
    shop: Shop, asked: Asked
) -> None:
    shop.stock(BOSTON, jug=5)

    order = shop.place("1", ("mug", 2), tenders=[CARD], substitutes_allowed=True)

    assert shop.units(order) == {"released": 2}
    assert reserved(shop, order) == [("allocated", "jug", 2, BOSTON)]
    assert to_pick(shop, order) == {BOSTON: "jug"}
    assert shop.told(order) == ["confirmed"], "nobody was told of a backorder"
    shop.assert_whole()
    work = shop.work(order)
    shop.accept(work)
    shop.pick(work)
    shop.pack(work)
    [tracking] = shop.ship(work)
    shop.deliver(work, tracking)

    assert shop.stage(order) == "closed"
    assert shop.units(order) == {"shipped": 2, "delivered": 2}
    assert sent(shop, order) == [(1, 2, 2500, "jug")]
    assert shop.tender(order)["captured"] == 2500
    assert shop.level("jug", BOSTON) == (3, 0)
    assert shop.rows("SELECT sku FROM order_line WHERE order_id = %s::uuid", order) == [("mug",)]
    assert asked.documents() == {
        "order": (DocumentLine(1, "mug", 2, 2500),),
        "delivery": (DocumentLine(1, "jug", 2, 2500, "mug"),),
        "invoice": (DocumentLine(1, "jug", 2, 2500, "mug"),),
    }
    assert asked.notices() == {
        "confirmed": (), "shipped": (SentInstead(1, "jug", 2, "mug"),), "delivered": (),
    }  # fmt: skip
    shop.assert_whole()


def test_only_the_line_that_lacks_its_product_is_substituted(shop: Shop, asked: Asked) -> None:
    shop.stock(BOSTON, tray=5)

    order = shop.place("1", ("mug", 1), ("tray", 1), substitutes_allowed=True)
    shop.finish(order)

    assert sent(shop, order) == [(1, 1, 1250, "tray"), (2, 1, 999, "")]
    assert asked.documents()["invoice"] == (
        DocumentLine(1, "tray", 1, 1250, "mug"),
        DocumentLine(2, "tray", 1, 999),
    )
    assert shop.level("tray", BOSTON) == (3, 0)
    shop.assert_whole()


def test_what_was_ordered_goes_before_its_substitute(shop: Shop) -> None:
    shop.stock(BOSTON, jug=5)
    shop.stock(PROVIDENCE, mug=5)

    order = shop.place("1", ("mug", 2), substitutes_allowed=True)

    assert to_pick(shop, order) == {PROVIDENCE: ""}
    shop.assert_whole()


def test_published_events_name_the_substitute(shop: Shop) -> None:
    shop.stock(BOSTON, jug=5)
    order = shop.place("1", ("mug", 1), substitutes_allowed=True)
    shop.finish(order)

    while publish(shop.connection):
        pass
    published = dict(shop.rows("SELECT type, data FROM published_event"))
    for event in (FulfillmentOrderOpened, ShipmentLeft):
        told = msgspec.json.decode(published[event.message_type])
        assert told["substitutes"] == [[1, "jug"]]


def test_a_decision_explains_which_substitute_it_took_for_what(
    shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSDOCK_DATABASE_URL", database_url)
    shop.sell("pair", jug=2)
    shop.sell("vase", "pair")
    shop.stock(BOSTON, jug=5, tray=1)
    shop.place("1", ("mug", 2), ("vase", 1), ("tray", 1), substitutes_allowed=True)

    shown = CliRunner().invoke(app, ["explain", "1", "--replay", "--nodes"], env={"COLUMNS": "200"})

    assert shown.exit_code == 0, shown.output
    sends = "2 x jug instead of mug, 1 x pair instead of vase as 2 jug, 1 x tray"
    assert re.search(rf"^    sends +{sends} *$", shown.output, re.MULTILINE), shown.output
    assert "the same plan" in shown.output


# Orders that wait --------------------------------------------------------------------------------


def test_an_order_that_does_not_allow_substitutes_waits_for_what_it_ordered(shop: Shop) -> None:
    shop.stock(BOSTON, jug=5)

    order = shop.place("1", ("mug", 2))

    assert shop.units(order) == {"backordered": 2}
    assert shop.level("jug", BOSTON) == (5, 0)
    shop.stock(BOSTON, jug=1)
    assert shop.units(order) == {"backordered": 2}
    shop.assert_whole()


def test_an_order_waits_where_neither_the_product_nor_a_substitute_is_there(shop: Shop) -> None:
    order = shop.place("1", ("mug", 2), tenders=[CARD], substitutes_allowed=True)

    assert shop.units(order) == {"backordered": 2}
    assert reserved(shop, order) == [("backordered", "mug", 2, None)]
    assert shop.told(order) == ["confirmed", "backordered"]
    shop.assert_whole()
    shop.stock(BOSTON, mug=2)
    assert to_pick(shop, order) == {BOSTON: ""}
    shop.finish(order)
    assert sent(shop, order) == [(1, 2, 2500, "")]
    shop.assert_whole()


def test_a_substitute_that_arrives_is_sent_to_who_waits_and_allows_it(shop: Shop) -> None:
    refuses = shop.place("1", ("mug", 2))
    allows = shop.place("2", ("mug", 2), substitutes_allowed=True)

    before = attempts(shop, allows)
    shop.stock(BOSTON, jug=1)
    shop.stock(PROVIDENCE, jug=1)
    assert attempts(shop, allows) == before, "a line is substituted whole, from one node"
    shop.stock(BOSTON, jug=1)

    assert shop.units(allows) == {"released": 2}
    assert to_pick(shop, allows) == {BOSTON: "jug"}
    assert shop.units(refuses) == {"backordered": 2}
    shop.assert_whole()


def test_who_ordered_it_is_served_before_those_to_whom_it_may_be_sent(shop: Shop) -> None:
    instead = shop.place("1", ("mug", 1), substitutes_allowed=True)
    ordered = shop.place("2", ("jug", 1))

    before = attempts(shop, instead)
    shop.stock(BOSTON, jug=1)

    assert shop.units(ordered) == {"released": 1}
    assert attempts(shop, instead) == before
    shop.stock(BOSTON, jug=1)
    assert shop.units(instead) == {"released": 1}
    shop.assert_whole()


# The ways it may go otherwise --------------------------------------------------------------------


def test_a_short_pick_of_the_substitute_is_sourced_as_what_was_ordered(shop: Shop) -> None:
    shop.stock(BOSTON, jug=2)
    order = shop.place("1", ("mug", 2), substitutes_allowed=True)
    shop.stock(PROVIDENCE, mug=5)

    shop.pick(shop.work(order), short={1: 1})

    assert to_pick(shop, order) == {BOSTON: "jug", PROVIDENCE: ""}
    assert reserved(shop, order) == [
        ("allocated", "mug", 1, PROVIDENCE), ("picked", "jug", 1, BOSTON),
    ]  # fmt: skip
    shop.assert_whole()
    shop.finish(order)
    assert sent(shop, order) == [(1, 1, 1250, ""), (1, 1, 1250, "jug")]
    assert shop.level("jug", BOSTON) == (0, 0)
    shop.assert_whole()


def test_a_short_pick_of_the_substitute_is_sourced_as_another_one(shop: Shop) -> None:
    shop.stock(BOSTON, jug=2)
    shop.stock(PROVIDENCE, tray=2)
    order = shop.place("1", ("mug", 2), substitutes_allowed=True)

    shop.pick(shop.work(order), short={1: 2})

    assert to_pick(shop, order) == {PROVIDENCE: "tray"}
    shop.finish(order)
    assert sent(shop, order) == [(1, 2, 2500, "tray")]
    shop.assert_whole()


def test_a_declined_substitute_that_nobody_else_has_waits_for_what_was_ordered(
    shop: Shop,
) -> None:
    shop.stock(BOSTON, jug=2)
    order = shop.place("1", ("mug", 2), substitutes_allowed=True)

    shop.decline(shop.work(order))

    assert reserved(shop, order) == [("backordered", "mug", 2, None)]
    assert shop.level("jug", BOSTON) == (2, 0)
    shop.assert_whole()
    shop.stock(PROVIDENCE, mug=2)
    assert to_pick(shop, order) == {PROVIDENCE: ""}
    shop.assert_whole()


def test_a_count_that_takes_the_substitute_away_makes_the_order_look_elsewhere(
    shop: Shop,
) -> None:
    shop.stock(BOSTON, jug=2)
    shop.stock(PROVIDENCE, jug=2)
    order = shop.place("1", ("mug", 2), substitutes_allowed=True)
    shop.wait(minutes=5)

    shop.count(BOSTON, jug=0)

    assert to_pick(shop, order) == {PROVIDENCE: "jug"}
    shop.finish(order)
    assert sent(shop, order) == [(1, 2, 2500, "jug")]
    shop.assert_whole()


@pytest.mark.parametrize("picked", [False, True])
def test_a_substituted_unit_can_be_canceled(shop: Shop, asked: Asked, picked: bool) -> None:
    shop.stock(BOSTON, jug=2)
    order = shop.place("1", ("mug", 2), tenders=[CARD], substitutes_allowed=True)
    work = shop.work(order)
    if picked:
        shop.pick(work)

    shop.cancel(order, (1, 1))
    shop.answer_recalls(work)

    assert shop.units(order)["canceled"] == 1
    assert shop.level("jug", BOSTON) == (2, 1)
    assert asked.documents()["cancellation"] == (DocumentLine(1, "mug", 1, 1250),)
    shop.finish(order)
    assert shop.stage(order) == "closed"
    assert sent(shop, order) == [(1, 1, 1250, "jug")]
    shop.assert_whole()


def test_a_credit_memo_names_the_substitute_that_did_not_arrive(shop: Shop, asked: Asked) -> None:
    shop.stock(BOSTON, jug=1)
    order = shop.place("1", ("mug", 1), tenders=[CARD], substitutes_allowed=True)
    work = shop.work(order)
    shop.ship(work)

    shop.cancel(order)

    assert asked.documents()["credit_memo"] == (DocumentLine(1, "jug", 1, 1250, "mug"),)
    shop.assert_whole()


def test_a_lost_substitute_is_sent_again_as_what_is_there_then(shop: Shop) -> None:
    shop.stock(BOSTON, jug=1)
    order = shop.place("1", ("mug", 1), tenders=[CARD], substitutes_allowed=True)
    work = shop.work(order)
    [tracking] = shop.ship(work)
    shop.stock(BOSTON, mug=1)

    shop.lose(work, tracking)
    shop.finish(order)

    assert sent(shop, order) == [(1, 1, 0, ""), (1, 1, 1250, "jug")]
    assert shop.tender(order)["captured"] == 1250
    shop.assert_whole()


def test_an_order_from_a_checkout_gets_a_substitute_for_what_the_checkout_lost(
    shop: Shop,
) -> None:
    shop.stock(BOSTON, mug=1)
    checkout = reserve(shop, "c1", ("mug", 1))
    shop.stock(BOSTON, jug=1)
    shop.count(BOSTON, mug=0, jug=1)

    order = shop.place("1", ("mug", 1), checkout_id=checkout, substitutes_allowed=True)

    assert to_pick(shop, order) == {BOSTON: "jug"}
    shop.assert_whole()


def test_a_nearer_zone_sends_a_substitute_before_a_farther_one_is_asked(shop: Shop) -> None:
    shop.stock(BOSTON, jug=1)
    shop.stock(DENVER, mug=1)

    order = shop.place("1", ("mug", 1), substitutes_allowed=True)

    assert to_pick(shop, order) == {BOSTON: "jug"}
    shop.assert_whole()


def test_a_substitute_that_a_product_no_longer_has_is_sent_where_it_was_promised(
    shop: Shop,
) -> None:
    shop.stock(BOSTON, jug=1)
    order = shop.place("1", ("mug", 1), substitutes_allowed=True)

    shop.sell("mug")

    shop.assert_whole()
    shop.finish(order)
    assert sent(shop, order) == [(1, 1, 1250, "jug")]
    shop.assert_whole()


# Kits --------------------------------------------------------------------------------------------


def test_a_product_stands_in_for_a_kit(shop: Shop) -> None:
    shop.sell("set", "tray", mug=2, jug=1)
    shop.stock(BOSTON, tray=2, jug=1)

    order = shop.place("1", ("set", 1), substitutes_allowed=True)

    assert reserved(shop, order) == [("allocated", "tray", 1, BOSTON)]
    assert to_pick(shop, order) == {BOSTON: "tray"}
    shop.assert_whole()
    shop.decline(shop.work(order))
    assert reserved(shop, order) == [
        ("backordered", "jug", 1, None), ("backordered", "mug", 2, None),
    ]  # fmt: skip
    shop.assert_whole()
    shop.count(BOSTON, tray=0, jug=0)
    shop.stock(PROVIDENCE, mug=2, jug=1)
    assert to_pick(shop, order) == {PROVIDENCE: ""}
    shop.finish(order)
    assert shop.level("mug", PROVIDENCE) == (0, 0)
    shop.assert_whole()


def test_a_kit_s_own_component_may_stand_in_for_it(shop: Shop) -> None:
    shop.sell("set", "jug", mug=2, jug=1)
    shop.stock(BOSTON, jug=3)

    order = shop.place("1", ("set", 2), substitutes_allowed=True)

    assert reserved(shop, order) == [("allocated", "jug", 2, BOSTON)]
    shop.finish(order)
    assert sent(shop, order) == [(1, 2, 1000, "jug")]
    assert shop.level("jug", BOSTON) == (1, 0)
    shop.assert_whole()


def test_a_kit_stands_in_for_a_product(shop: Shop) -> None:
    shop.sell("pair", mug=2, tray=1)
    shop.sell("vase", "pair")
    shop.stock(BOSTON, mug=5, tray=3)

    order = shop.place("1", ("vase", 2), substitutes_allowed=True)

    assert reserved(shop, order) == [
        ("allocated", "mug", 4, BOSTON), ("allocated", "tray", 2, BOSTON),
    ]  # fmt: skip
    assert to_pick(shop, order) == {BOSTON: "pair"}
    shop.assert_whole()
    shop.pick(shop.work(order), short={1: 1})
    assert sorted(reserved(shop, order)) == [
        ("backordered", "vase", 1, None), ("picked", "mug", 2, BOSTON),
        ("picked", "tray", 1, BOSTON),
    ]  # fmt: skip
    shop.assert_whole()
    shop.stock(PROVIDENCE, vase=1)
    shop.finish(order)
    assert sent(shop, order) == [(1, 1, 500, ""), (1, 1, 500, "pair")]
    assert shop.level("mug", BOSTON) == (3, 0)
    assert all(one.is_identical for one in replay_decision(shop.connection, order))
    shop.assert_whole()
