"""What a customer can be promised: the ways that are open, the dates that can be kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from crossdock import db
from crossdock.catalog import store as catalog
from crossdock.catalog.model import (
    Channel,
    Component,
    CutOff,
    Node,
    NodeKind,
    Opening,
    Product,
    ProductKind,
    Zone,
)
from crossdock.engine import store as engine_store
from crossdock.engine.transaction import Transaction
from crossdock.inventory.upkeep import Opening as OpeningStock
from crossdock.inventory.upkeep import load_opening_stock
from crossdock.kernel.ids import derive
from crossdock.model.orders import Method
from crossdock.promising.model import Closed, Inquiry, Obstacle, Option, Place, Source, WantedLine
from crossdock.promising.promiser import Promiser
from crossdock.promising.rules import end_of_day
from crossdock.sourcing.orders import promised_day

MONDAY = datetime(2026, 11, 2, 15, tzinfo=UTC)
BOSTON, PROVIDENCE, DENVER = "boston", "providence", "denver"
ADA = Place("US", "02110", 42.35, -71.05)
EVERY = (Method.SHIP, Method.PICKUP, Method.SHIP_TO_STORE, Method.LOCAL_DELIVERY)
WEEK = tuple(Opening(weekday=day, opens=time(9), closes=time(18)) for day in range(1, 6))


def node(code: str, zone: str, latitude: float, longitude: float) -> Node:
    """A store open on weekdays from nine to six, with a carrier's pickup at four."""
    return Node(
        code=code,
        kind=NodeKind.STORE,
        name=code,
        allocation_zone=zone,
        country="US",
        latitude=latitude,
        longitude=longitude,
        time_zone="UTC",
        methods=EVERY,
        capabilities=("pickup", "ship_to_store", "local_delivery"),
        openings=WEEK,
        cut_offs=(CutOff(service="standard", at=time(16)),),
    )


class Market:
    """Three stores in two zones, and a shop that asks."""

    def __init__(self, connection: db.Connection) -> None:
        self.connection = connection
        self.now = MONDAY
        self.promiser = Promiser()
        catalog.save_zones(connection, [Zone(code=z, name=z) for z in ("east", "west")])
        nodes = [
            node(BOSTON, "east", 42.36, -71.06),
            node(PROVIDENCE, "east", 41.82, -71.41),
            node(DENVER, "west", 39.74, -104.99),
        ]
        catalog.save_nodes(connection, nodes)
        goods = [
            Product(sku=sku, name=sku, weight_grams=400, currency="USD", price=5000, cost=800)
            for sku in ("mug", "jug")
        ]
        kit = Product(
            sku="set",
            name="set",
            kind=ProductKind.KIT,
            weight_grams=800,
            currency="USD",
            price=9000,
            components=(Component(sku="mug", quantity=1), Component(sku="jug", quantity=1)),
        )
        catalog.save_products(connection, [*goods, kit])
        catalog.save_channels(connection, [Channel(code="web", name="web", methods=EVERY)])
        engine_store.ensure_zone_shards(connection, ("east", "west"))
        connection.commit()

    def stock(self, sku: str, **units: int) -> None:
        tx = Transaction(self.connection, self.now)
        load_opening_stock(tx, [OpeningStock(sku, n, sellable=u) for n, u in units.items()])
        self.connection.commit()

    def expect(self, sku: str, at: str, units: int, when: datetime, sure: float = 0.9) -> None:
        self.run(
            "INSERT INTO supply (id, kind, document, line, sku, node, quantity, expected_at,"
            " confidence) VALUES (%s, 'purchase', %s, 1, %s, %s, %s, %s, %s)",
            derive(when, sku, at),
            f"PO-{sku}-{at}-{when}",
            sku,
            at,
            units,
            when,
            sure,
        )

    def queue(self, sku: str, units: int, store: str | None = None) -> None:
        """Somebody's accepted order that no node has yet."""
        self.run(
            "INSERT INTO reservation (id, order_id, created_at, line_number, quantity, priority,"
            " state, sku, channel, method, pickup_node)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), now(), 1, %s, 3, 'soft', %s, 'web',"
            " %s, %s)",
            units,
            sku,
            "pickup" if store else "ship",
            store,
        )

    def run(self, statement: str, *parameters: Any) -> None:
        self.connection.execute(statement.encode(), parameters)
        self.connection.commit()

    def ask(
        self, *lines: tuple[str, int], methods: Sequence[str] = ("ship",), **more: Any
    ) -> tuple[list[Option], list[Closed]]:
        asked = Inquiry(
            channel="web",
            lines=tuple(WantedLine(*line) for line in lines),
            methods=tuple(methods),
            **{"place": ADA, "services": ("standard",), **more},
        )
        answer = self.promiser.answer(Transaction(self.connection, self.now), asked)
        self.connection.commit()
        return list(answer.options), list(answer.closed)


@pytest.fixture
def market(connection: db.Connection) -> Iterator[Market]:
    yield Market(connection)


def test_what_is_near_is_promised_from_there(market: Market) -> None:
    market.stock("mug", boston=2, denver=2)
    [option], closed = market.ask(("mug", 2))
    assert closed == []
    assert [share.node for share in option.nodes] == [BOSTON]
    assert option.leave_by == MONDAY.replace(hour=16)
    assert option.arrive_on == date(2026, 11, 3) and option.source is Source.STOCK
    assert option.cost > 0 and option.currency == "USD"


def test_after_the_cut_off_it_leaves_the_next_open_day(market: Market) -> None:
    market.stock("mug", boston=1)
    market.now = datetime(2026, 11, 6, 16, 1, tzinfo=UTC)  # Friday
    [option], _ = market.ask(("mug", 1))
    assert option.leave_by == datetime(2026, 11, 9, 16, tzinfo=UTC)
    assert option.arrive_on == date(2026, 11, 10)


def test_a_faster_service_costs_more_and_comes_first(market: Market) -> None:
    market.stock("mug", denver=1)
    options, _ = market.ask(("mug", 1), services=())
    by_service = {option.service: option for option in options}
    assert by_service["express"].arrive_on < by_service["standard"].arrive_on
    assert by_service["express"].cost > by_service["standard"].cost
    assert options[0].arrive_by == min(option.arrive_by for option in options)


def test_another_zone_is_asked_when_the_near_one_lacks_it(market: Market) -> None:
    market.stock("mug", boston=1, denver=3)
    [option], _ = market.ask(("mug", 3))
    assert [share.node for share in option.nodes] == [DENVER]


def test_what_others_are_queued_for_is_promised_to_nobody_else(market: Market) -> None:
    market.stock("mug", boston=2)
    market.queue("mug", 1)
    assert market.ask(("mug", 1))[1] == []
    assert market.ask(("mug", 2)) == (
        [],
        [Closed(method=Method.SHIP, obstacle=Obstacle.OUT_OF_STOCK, skus=("mug",))],
    )


def test_safety_stock_is_not_promised(market: Market) -> None:
    market.run("UPDATE node SET safety_stock = 1 WHERE code = 'boston'")
    market.stock("mug", boston=2)
    assert market.ask(("mug", 1))[1] == []
    assert market.ask(("mug", 2))[1][0].obstacle is Obstacle.OUT_OF_STOCK


def test_expected_goods_are_promised_for_when_they_come(market: Market) -> None:
    market.stock("mug", boston=1)
    market.expect("mug", BOSTON, 5, MONDAY + timedelta(days=7))
    [option], closed = market.ask(("mug", 3))
    assert closed == [] and option.source is Source.SUPPLY
    assert option.leave_by == datetime(2026, 11, 9, 16, tzinfo=UTC)


def test_who_waits_already_is_served_from_it_first(market: Market) -> None:
    market.queue("mug", 4)
    market.expect("mug", BOSTON, 5, MONDAY + timedelta(days=7))
    market.expect("mug", PROVIDENCE, 5, MONDAY + timedelta(days=14))
    [option], _ = market.ask(("mug", 2))
    assert option.arrive_on > date(2026, 11, 16)


def test_goods_that_may_not_come_are_promised_to_nobody(market: Market) -> None:
    market.expect("mug", BOSTON, 5, MONDAY + timedelta(days=7), sure=0.3)
    assert market.ask(("mug", 1))[1][0].obstacle is Obstacle.OUT_OF_STOCK


def test_a_pickup_is_ready_where_the_store_has_it_all(market: Market) -> None:
    market.stock("mug", boston=1, providence=1)
    market.queue("mug", 1, store=PROVIDENCE)
    options, closed = market.ask(("mug", 1), methods=("pickup",))
    assert [(option.store, option.service) for option in options] == [(BOSTON, "")]
    assert {one.store for one in closed} == {PROVIDENCE, DENVER}
    assert options[0].leave_by == MONDAY.replace(hour=16)
    assert options[0].arrive_on == MONDAY.date()


def test_a_named_store_is_the_only_one_looked_at(market: Market) -> None:
    market.stock("mug", boston=1)
    options, closed = market.ask(("mug", 1), methods=("pickup",), stores=(PROVIDENCE,))
    assert options == [] and [one.store for one in closed] == [PROVIDENCE]


def test_goods_travel_to_a_store_that_does_not_have_them(market: Market) -> None:
    market.stock("mug", boston=1)
    options, _ = market.ask(("mug", 1), methods=("ship_to_store",), stores=(DENVER,))
    assert [(o.store, o.nodes[0].node) for o in options] == [(DENVER, BOSTON)]
    assert options[0].arrive_on > MONDAY.date()


def test_local_delivery_is_for_those_who_live_near(market: Market) -> None:
    market.stock("mug", boston=1)
    assert len(market.ask(("mug", 1), methods=("local_delivery",))[0]) == 1
    far = Place("US", "80202", 39.75, -104.99)
    options, [closed] = market.ask(("mug", 1), methods=("local_delivery",), place=far)
    assert options == [] and closed.obstacle is Obstacle.NO_NODE


def test_a_kit_needs_all_its_parts_at_one_node(market: Market) -> None:
    market.stock("mug", boston=1, providence=1)
    market.stock("jug", boston=1)
    [option], _ = market.ask(("set", 1))
    assert [(share.node, share.skus) for share in option.nodes] == [(BOSTON, ("set",))]
    assert market.ask(("set", 2))[1][0].obstacle is Obstacle.OUT_OF_STOCK
    options, closed = market.ask(("set", 1), methods=("pickup",))
    assert [o.store for o in options] == [BOSTON]
    assert PROVIDENCE in {one.store for one in closed}


@pytest.mark.parametrize(
    ("statement", "obstacle"),
    [
        ("UPDATE channel SET enabled = false", Obstacle.CHANNEL_OFF),
        ("UPDATE channel SET methods = '{pickup}'", Obstacle.CHANNEL_OFF),
        ("UPDATE product SET enabled = false WHERE sku = 'mug'", Obstacle.NOT_SOLD),
        ("DELETE FROM product WHERE sku = 'mug'", Obstacle.NOT_SOLD),
    ],
)
def test_what_is_switched_off_is_closed_and_says_why(
    market: Market, statement: str, obstacle: Obstacle
) -> None:
    market.stock("mug", boston=1)
    if statement.startswith("DELETE"):
        market.run("DELETE FROM kit_component")
    market.run(statement)
    options, [closed] = market.ask(("mug", 1))
    assert options == [] and closed.obstacle is obstacle


@pytest.mark.parametrize("longitude", [-157.8, -71.05, 0.0, 139.7, None])
def test_the_time_promised_is_understood_as_the_day_promised(longitude: float | None) -> None:
    day = date(2026, 11, 5)
    assert promised_day(end_of_day(day, longitude), longitude) == day.toordinal()
