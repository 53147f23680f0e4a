"""Goods that expire are sent from lots that live long enough, the shortest-lived first."""

from __future__ import annotations

from datetime import date

from crossdock.allocation.records import explained, replay_decision
from crossdock.inventory.model import PickStock
from crossdock.model.messages import LineQuantity, ShortLine
from crossdock.sourcing.model import Reason
from tests.allocation.market import BOSTON, PROVIDENCE, Market, order, request

# Tea owes ten days of life on arrival; what is ordered on 2 November arrives some days later.
TOO_SOON, SOON, LATE = date(2026, 11, 12), date(2026, 12, 1), date(2027, 6, 1)


def stock(market: Market) -> None:
    """Three units in each of three lots."""
    market.receive_lot("late", "tea", 3, BOSTON, LATE)
    market.receive_lot("soon", "tea", 3, BOSTON, SOON)
    market.receive_lot("too-soon", "tea", 3, BOSTON, TOO_SOON)


def test_the_shortest_lived_lot_that_is_good_enough_goes_first(market: Market) -> None:
    stock(market)
    wanted = request(1, ("tea", 4))
    market.accept(wanted)
    market.allocate("east", wanted)
    assert market.lots(1) == {(BOSTON, "soon"): 3, (BOSTON, "late"): 1}
    assert market.broken_rules() == []


def test_what_would_not_live_long_enough_is_not_sent(market: Market) -> None:
    """Nine units lie there and six are good enough: the seventh is no candidate, and says why."""
    stock(market)
    first, second = request(1, ("tea", 6)), request(2, ("tea", 1), final=True)
    market.accept(first, second)
    market.allocate("east", first)
    (answer,) = market.allocate("east", second)
    assert [line.reason for line in answer.unsourced] == [Reason.SHELF_LIFE]
    assert market.lots(1) == {(BOSTON, "soon"): 3, (BOSTON, "late"): 3} and market.lots(2) == {}
    assert market.broken_rules() == []


def test_orders_of_one_batch_share_the_lots(market: Market) -> None:
    stock(market)
    wanted = [request(number, ("tea", 2)) for number in (1, 2, 3)]
    market.accept(*wanted)
    answers = market.allocate("east", *wanted)
    assert all(answer.unsourced == () for answer in answers)
    held = [market.lots(number) for number in (1, 2, 3)]
    assert sum(units.get((BOSTON, "soon"), 0) for units in held) == 3
    assert sum(units.get((BOSTON, "late"), 0) for units in held) == 3
    assert market.broken_rules() == []


def test_units_of_no_known_lot_go_when_the_dated_ones_have_gone(market: Market) -> None:
    stock(market)
    market.receive("tea", 2, BOSTON)
    wanted = request(1, ("tea", 7))
    market.accept(wanted)
    market.allocate("east", wanted)
    assert market.lots(1) == {(BOSTON, "soon"): 3, (BOSTON, "late"): 3, (BOSTON, ""): 1}


def test_a_lot_that_was_sold_meanwhile_is_made_up_for_by_another_node(market: Market) -> None:
    stock(market)
    market.receive_lot("late", "tea", 5, PROVIDENCE, LATE)
    wanted = request(1, ("tea", 5))
    market.accept(wanted)
    (answer,) = market.allocate_ahead(
        "east", wanted, meanwhile=lambda: market.lose("tea", 5, BOSTON)
    )
    assert answer.unsourced == () and market.lots(1) == {(PROVIDENCE, "late"): 5}
    assert market.broken_rules() == []


def test_a_short_pick_takes_from_its_own_lot(market: Market) -> None:
    stock(market)
    wanted = request(1, ("tea", 3))
    market.accept(wanted)
    market.allocate("east", wanted)
    market.ask(
        PickStock(
            order_id=order(1),
            fulfillment_id=order(101),
            node=BOSTON,
            picked=(LineQuantity(1, 1),),
            short=(ShortLine(1, 2, "not_in_stock"),),
        )
    )
    assert market.lots(1) == {(BOSTON, "soon"): 1}
    assert market.level("tea", BOSTON) == (7, 1)
    assert market.broken_rules() == []


def test_a_choice_of_lots_is_made_again_the_same(market: Market) -> None:
    stock(market)
    wanted = request(1, ("tea", 4))
    market.accept(wanted)
    market.allocate("east", wanted)
    market.receive_lot("soon", "tea", 9, BOSTON, LATE)
    (again,) = replay_decision(market.connection, order(1))
    assert again.is_identical and len(explained(market.connection, order(1))) == 1
