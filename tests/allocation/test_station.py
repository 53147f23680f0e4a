"""What a zone answers, and what is reserved then."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from msgspec.structs import replace

from crossdock.allocation import policies, store
from crossdock.allocation.answers import NOT_OPEN
from crossdock.allocation.model import Action, OrderAllocated
from crossdock.inventory.model import (
    FreeLine,
    FreeReservations,
    PickStock,
    ShipStock,
    ShortageFound,
    StockArrived,
)
from crossdock.model.messages import LineQuantity, ShortLine
from crossdock.sourcing.policy_files import shipped_policy_text
from tests.allocation.market import (
    AT_BOSTON,
    BOSTON,
    DENVER,
    MONDAY,
    PROVIDENCE,
    Market,
    accepted,
    order,
    request,
)


def nodes_of(answer: OrderAllocated) -> dict[str, tuple[LineQuantity, ...]]:
    return {planned.node: planned.lines for planned in answer.fulfillments}


def test_the_near_shop_gets_the_work_and_holds_the_units(market: Market) -> None:
    market.receive("mug", 5, BOSTON)
    market.receive("mug", 5, PROVIDENCE)
    wanted = request(1, ("mug", 2))
    market.accept(wanted)
    (answer,) = market.allocate("east", wanted)
    assert nodes_of(answer) == {BOSTON: (LineQuantity(1, 2),)}
    assert answer.unsourced == () and answer.attempt == 1 and answer.zone == "east"
    assert answer.fulfillments[0].estimated_cost_minor > 0
    assert answer.fulfillments[0].ship_by is not None
    assert market.level("mug", BOSTON) == (5, 2)
    assert market.reservations(1) == [("allocated", "mug", 2, BOSTON)]
    assert market.broken_rules() == []


def test_accepting_and_allocating_in_one_batch_writes_each_reservation_once(
    market: Market,
) -> None:
    market.receive("mug", 5, BOSTON)
    wanted = request(1, ("mug", 2))
    tx = market.transaction()
    market._reservations.handle([market.issued(accepted(wanted))], tx)
    market.receive_requests(tx, "east", [wanted])
    assert market.connection.execute("SELECT count(*) FROM reservation").fetchone() == (0,)
    market.commit(tx)
    assert market.reservations(1) == [("allocated", "mug", 2, BOSTON)]
    assert market.broken_rules() == []


def test_orders_of_a_batch_share_what_is_there(market: Market) -> None:
    market.receive("mug", 3, BOSTON)
    wanted = [request(i, ("mug", 1)) for i in range(1, 6)]
    market.accept(*wanted)
    answers = market.allocate("east", *wanted)
    assert sum(len(answer.fulfillments) for answer in answers) == 3
    assert market.level("mug", BOSTON) == (3, 3)
    assert market.broken_rules() == []


def test_the_urgent_order_is_served_first(market: Market) -> None:
    market.receive("mug", 1, BOSTON)
    wanted = [request(1, ("mug", 1), priority=4), request(2, ("mug", 1), priority=1)]
    market.accept(*wanted)
    calm, urgent = market.allocate("east", *wanted)
    assert urgent.fulfillments and not calm.fulfillments


def test_what_the_zone_lacks_is_asked_of_the_next_one(market: Market) -> None:
    market.receive("mug", 1, DENVER)
    wanted = request(1, ("mug", 1))
    market.accept(wanted)
    (answer,) = market.allocate("east", wanted)
    assert [line.action for line in answer.unsourced] == [Action.NEXT_ZONE]
    assert market.reservations(1) == [("soft", "mug", 1, None)]
    (answer,) = market.allocate("west", request(1, ("mug", 1), attempt=2, tried=("east",)))
    assert nodes_of(answer) == {DENVER: (LineQuantity(1, 1),)}
    assert market.broken_rules() == []


def test_what_no_zone_has_is_backordered_in_sight(market: Market) -> None:
    wanted = request(1, ("mug", 2), tried=("west",))
    market.accept(wanted)
    (answer,) = market.allocate("east", wanted)
    (line,) = answer.unsourced
    assert (line.line, line.quantity, line.action) == (1, 2, Action.BACKORDER)
    assert line.until is not None and line.until > MONDAY
    assert market.reservations(1) == [("backordered", "mug", 2, None)]


def test_what_a_fact_took_after_acceptance_is_backordered_too(market: Market) -> None:
    market.receive("mug", 3, BOSTON)
    wanted = request(1, ("mug", 3), final=True)
    market.accept(wanted)
    market.lose("mug", 1, BOSTON)
    (answer,) = market.allocate("east", wanted)
    assert nodes_of(answer) == {BOSTON: (LineQuantity(1, 2),)}
    assert [(line.quantity, line.action) for line in answer.unsourced] == [(1, Action.BACKORDER)]
    assert market.reservations(1) == [
        ("allocated", "mug", 2, BOSTON),
        ("backordered", "mug", 1, None),
    ]
    assert market.broken_rules() == []


def test_a_final_request_is_not_sent_on(market: Market) -> None:
    wanted = request(1, ("mug", 1), final=True)
    market.accept(wanted)
    (answer,) = market.allocate("east", wanted)
    assert [line.action for line in answer.unsourced] == [Action.BACKORDER]


def test_a_zone_without_nodes_answers_too(market: Market) -> None:
    wanted = request(1, ("mug", 1), final=True)
    market.accept(wanted)
    (answer,) = market.allocate("nowhere", wanted)
    assert [line.quantity for line in answer.unsourced] == [1]


def test_units_canceled_meanwhile_are_not_reserved(market: Market) -> None:
    market.receive("mug", 5, BOSTON)
    wanted = request(1, ("mug", 3))
    market.accept(wanted)
    market.ask(FreeReservations(order_id=order(1), lines=(FreeLine(1, 2),), reason="customer"))
    (answer,) = market.allocate("east", wanted)
    assert nodes_of(answer) == {BOSTON: (LineQuantity(1, 1),)}
    assert [(line.quantity, line.reason) for line in answer.unsourced] == [(2, NOT_OPEN)]
    assert market.level("mug", BOSTON) == (5, 1)


def test_a_request_told_twice_reserves_once(market: Market) -> None:
    market.receive("mug", 5, BOSTON)
    wanted = request(1, ("mug", 2))
    market.accept(wanted)
    first, second = market.allocate("east", wanted, wanted)
    (third,) = market.allocate("east", wanted)
    assert len(first.fulfillments) == 1
    assert not second.fulfillments and not third.fulfillments
    assert market.level("mug", BOSTON) == (5, 2)


def test_a_failed_pick_is_sourced_again_elsewhere(market: Market) -> None:
    market.receive("mug", 5, BOSTON)
    market.receive("mug", 5, PROVIDENCE)
    wanted = request(1, ("mug", 3))
    market.accept(wanted)
    market.allocate("east", wanted)
    market.ask(
        PickStock(
            order_id=order(1),
            fulfillment_id=order(700),
            node=BOSTON,
            picked=(LineQuantity(1, 1),),
            short=(ShortLine(1, 2, "not_in_stock"),),
        )
    )
    (answer,) = market.allocate("east", request(1, ("mug", 2), attempt=2, excluded=(BOSTON,)))
    assert nodes_of(answer) == {PROVIDENCE: (LineQuantity(1, 2),)}
    assert market.reservations(1) == [
        ("allocated", "mug", 2, PROVIDENCE),
        ("picked", "mug", 1, BOSTON),
    ]
    assert market.broken_rules() == []


def test_stock_that_arrives_serves_the_oldest_promise_first(market: Market) -> None:
    late, early = request(1, ("mug", 1), final=True), request(2, ("mug", 1), final=True)
    group = late.groups[0]
    later = replace(group, promised_by=MONDAY + timedelta(days=9))
    late = replace(late, groups=(later,))
    market.accept(late, early)
    market.allocate("east", late, early)
    told = market.receive("mug", 1, BOSTON)
    assert [m.order_id for m in told if isinstance(m, StockArrived)] == [order(2)]
    (answer,) = market.allocate("east", request(2, ("mug", 1), attempt=2))
    assert nodes_of(answer) == {BOSTON: (LineQuantity(1, 1),)}
    assert market.reservations(1) == [("backordered", "mug", 1, None)]
    assert market.broken_rules() == []


def test_a_kit_is_reserved_by_its_components_and_shipped_as_one(market: Market) -> None:
    market.receive("jug", 3, BOSTON)
    market.receive("mug", 9, BOSTON)
    wanted = request(1, ("tea-set", 2))
    market.accept(wanted)
    (answer,) = market.allocate("east", wanted)
    assert nodes_of(answer) == {BOSTON: (LineQuantity(1, 2),)}
    assert market.level("jug", BOSTON) == (3, 2) and market.level("mug", BOSTON) == (9, 8)
    ship = ShipStock(
        order_id=order(1),
        fulfillment_id=order(700),
        node=BOSTON,
        shipment_id=order(701),
        lines=(LineQuantity(1, 1),),
    )
    market.ask(ship)
    assert market.level("jug", BOSTON) == (2, 1) and market.level("mug", BOSTON) == (5, 4)
    assert market.broken_rules() == []


def test_a_kit_is_promised_as_often_as_its_components_lie_together(market: Market) -> None:
    market.receive("jug", 2, BOSTON)
    market.receive("mug", 5, BOSTON)
    market.receive("mug", 3, PROVIDENCE)
    wanted = [request(1, ("tea-set", 1)), request(2, ("tea-set", 1), final=True)]
    market.accept(*wanted)
    assert market.reservations(1) == [("soft", "jug", 1, None), ("soft", "mug", 4, None)]
    assert market.reservations(2) == [
        ("backordered", "jug", 1, None),
        ("backordered", "mug", 4, None),
    ]
    first, second = market.allocate("east", *wanted)
    assert nodes_of(first) == {BOSTON: (LineQuantity(1, 1),)}
    assert [line.action for line in second.unsourced] == [Action.BACKORDER]
    assert market.broken_rules() == []


def test_a_kit_breaks_whole_though_its_components_lie_in_several_lots(market: Market) -> None:
    market.receive("mug", 7, BOSTON)
    market.receive_lot("A", "mug", 5, BOSTON)
    hold_three_kits(market)
    told = market.lose("jug", 2, BOSTON)
    assert [(m.quantity, m.node) for m in told if isinstance(m, ShortageFound)] == [(2, BOSTON)]
    assert _units(market, "allocated") == {"jug": 1, "mug": 4}
    assert _units(market, "soft") == {"jug": 2, "mug": 8}
    assert market.broken_rules() == []


def test_a_kit_short_of_two_components_breaks_once(market: Market) -> None:
    market.receive("mug", 12, BOSTON)
    hold_three_kits(market)
    told = market.lose_together(BOSTON, jug=1, mug=3)
    assert [m.quantity for m in told if isinstance(m, ShortageFound)] == [1]
    assert _units(market, "allocated") == {"jug": 2, "mug": 8}
    assert market.broken_rules() == []


def hold_three_kits(market: Market) -> None:
    """Three jugs come; with twelve mugs that are there they are the kits of the first order."""
    market.receive("jug", 3, BOSTON)
    wanted = request(1, ("tea-set", 3))
    market.accept(wanted)
    market.allocate("east", wanted)
    assert _units(market, "allocated") == {"jug": 3, "mug": 12}


def _units(market: Market, state: str) -> dict[str, int]:
    """Units of the first order in a state, by SKU."""
    units: Counter[str] = Counter()
    for its_state, sku, quantity, _ in market.reservations(1):
        if its_state == state:
            units[sku] += quantity
    return dict(units)


def test_a_queued_kit_leaves_its_components_to_nobody_else(market: Market) -> None:
    market.receive("jug", 1, BOSTON)
    market.receive("mug", 4, BOSTON)
    market.accept(request(1, ("tea-set", 1)))
    market.accept(request(2, ("mug", 1)))
    assert market.reservations(2) == [("backordered", "mug", 1, None)]
    free = FreeReservations(order_id=order(1), lines=(FreeLine(1, 1),), reason="customer")
    told = market.ask(free)
    assert [m.order_id for m in told if isinstance(m, StockArrived)] == [order(2)]
    assert market.reservations(1) == []


def test_stock_of_several_owners_is_taken_level_by_level(market: Market) -> None:
    market.receive("mug", 2, BOSTON)
    market.connection.execute(
        "INSERT INTO stock_level (sku, node, owner, zone, sellable) VALUES"
        " ('mug', 'boston', 'maker', 'east', 3)"
    )
    market.connection.execute(
        "INSERT INTO stock_balance (sku, node, owner, sellable, reserved, picked, damaged,"
        " quality_control, in_transit) VALUES ('mug', 'boston', 'maker', 3, 0, 0, 0, 0, 0)"
    )
    wanted = request(1, ("mug", 4))
    market.accept(wanted)
    (answer,) = market.allocate("east", wanted)
    assert nodes_of(answer) == {BOSTON: (LineQuantity(1, 4),)}
    assert market.level("mug", BOSTON) == (5, 4)
    assert sorted(row[2] for row in market.reservations(1)) == [2, 2]


def test_capacity_of_a_day_is_used_up_and_remembered(market: Market) -> None:
    market.open(capacity=1)
    for node in (BOSTON, PROVIDENCE):
        market.receive("mug", 5, node)
    wanted = [request(i, ("mug", 1)) for i in range(1, 5)]
    market.accept(*wanted)
    answers = market.allocate("east", *wanted[:2]) + market.allocate("east", *wanted[2:])
    days = market.connection.execute("SELECT node, day, used FROM node_capacity").fetchall()
    assert sum(len(answer.fulfillments) for answer in answers) == 4
    assert len(days) == 4 and all(used == 1 for _, _, used in days)


def test_a_channels_own_policy_decides_for_it(market: Market) -> None:
    text = shipped_policy_text("default").replace('outcome = "backorder"', 'outcome = "hold"')
    policy = policies.load_version(market.connection, text, "careful.toml", MONDAY)
    policies.activate(market.connection, policy.version, MONDAY, channel="tv")
    wanted = [request(1, ("mug", 1), final=True), request(2, ("mug", 1), final=True, channel="tv")]
    market.accept(*wanted)
    web, tv = market.allocate("east", *wanted)
    assert [line.action for line in web.unsourced] == [Action.BACKORDER]
    assert [line.action for line in tv.unsourced] == [Action.HOLD]
    assert market.reservations(2) == [("backordered", "mug", 1, None)]
    assert len(store.active_policies(market.connection)) == 2


def test_where_no_policy_was_chosen_the_shipped_one_is_in_the_currency_of_the_rates(
    market: Market,
) -> None:
    market.connection.execute("UPDATE node SET cost_currency = 'EUR', cost_per_order = 150")
    market.connection.commit()
    market.receive("mug", 5, BOSTON)
    wanted = request(1, ("mug", 2))
    market.accept(wanted)
    (answer,) = market.allocate("east", wanted)
    assert nodes_of(answer) == {BOSTON: (LineQuantity(1, 2),)}
    (version,) = store.active_policies(market.connection).values()
    assert policies.PolicyShelf().version(market.connection, version).currency == "EUR"


def test_an_order_without_a_place_looks_at_every_node(market: Market) -> None:
    market.receive("mug", 1, PROVIDENCE)
    wanted = request(1, ("mug", 1), place=AT_BOSTON)
    nowhere = replace(wanted.groups[0], latitude=None, longitude=None)
    wanted = replace(wanted, groups=(nowhere,))
    market.accept(wanted)
    (answer,) = market.allocate("east", wanted)
    assert nodes_of(answer) == {PROVIDENCE: (LineQuantity(1, 1),)}
