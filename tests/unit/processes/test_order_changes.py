"""What changes about an order on its way: who wanted units back, how long they waited, what the
customer was told of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.processes.test_order_process import (
    a_world,
    about,
    asked,
    authorized,
    paid,
    ship,
    units,
)
from tests.unit.processes.world import MONDAY, ORDER, World, an_order

from crossdock.allocation.model import Action
from crossdock.inventory.model import AcceptDemand, DemandAccepted, StockArrived
from crossdock.model.effects import AuthorizationRefused, PaymentCaptured
from crossdock.model.messages import CancelRequested, HoldLifted, LineQuantity
from crossdock.ordering.model import ClaimReturn
from crossdock.ordering.policy import OrderPolicy


def told(world: World) -> list[str]:
    """What the customer was told, in order."""
    return [about(effect).event for effect in asked(world, "notification")]


def half_shipped(world: World) -> None:
    """The first line has left boston and is paid for."""
    [work] = [w for w in world.works() if w.node == "boston"]
    ship(world, work.id, [(1, 1)])
    for capture in asked(world, "payment"):
        amount = about(capture).amount
        world.answer(capture, PaymentCaptured(key=capture.key, tender=1, amount=amount))


@pytest.mark.parametrize("at_once", [True, False])
def test_what_has_left_is_not_called_back_because_the_rest_cannot_be_paid(at_once: bool) -> None:
    policy = OrderPolicy(
        acknowledgement_hours=0, on_payment_refused="cancel" if at_once else "hold"
    )
    world = World(policy, {"boston": {1: 1}, "salem": {2: 1}})
    world.place(an_order(1, 1))
    [authorize] = asked(world, "payment")
    expires = world.now + timedelta(days=3)
    world.answer(authorize, authorized(authorize, expires_at=expires))
    half_shipped(world)
    world.wait(hours=49)
    [renewal] = asked(world, "payment")
    world.answer(
        renewal,
        AuthorizationRefused(key=renewal.key, tender=1, amount=1000, reason="no funds"),
    )
    world.wait(hours=100)

    assert asked(world, "carrier") == []
    [salem] = world.works()[1:]
    assert [(recall.line, recall.quantity) for recall in salem.recalls] == [(2, 1)]


def test_what_is_given_up_twice_is_wanted_once() -> None:
    world = World(OrderPolicy(acknowledgement_hours=0), {"boston": {1: 2}})
    world.place(an_order(2))
    [authorize] = asked(world, "payment")
    world.answer(authorize, authorized(authorize, expires_at=world.now + timedelta(days=3)))
    half_shipped(world)
    world.wait(hours=49)
    [renewal] = asked(world, "payment")
    world.answer(
        renewal,
        AuthorizationRefused(key=renewal.key, tender=1, amount=1000, reason="no funds"),
    )
    world.wait(hours=73)

    world.tell(HoldLifted(order_id=ORDER, hold="payment", approved=False))

    assert world.order.line(1).wanted_back == 1


@pytest.mark.parametrize("intercept", [True, False])
def test_a_person_who_gives_up_the_rest_leaves_alone_what_has_left(intercept: bool) -> None:
    world = World(OrderPolicy(intercept=intercept), {"boston": {1: 1}})
    world.unavailable = Action.HOLD
    world.place(paid(1, 1))
    half_shipped(world)

    world.tell(HoldLifted(order_id=ORDER, hold="sourcing", approved=False))

    assert units(world, 2) == {"canceled": 1}
    assert asked(world, "carrier") == []
    assert "cancel_refused" not in told(world)
    assert not [output for output in world.outputs if isinstance(output, ClaimReturn)]


def test_units_still_at_a_node_are_asked_for_before_those_on_their_way() -> None:
    world = World(OrderPolicy(), {"boston": {1: 1}, "salem": {1: 1}})
    world.place(paid(2))
    half_shipped(world)

    world.tell(CancelRequested(order_id=ORDER, request_id="r1", lines=(LineQuantity(1, 1),)))

    assert asked(world, "carrier") == []
    recalled = {w.node: sum(recall.quantity for recall in w.recalls) for w in world.works()}
    assert recalled == {"boston": 0, "salem": 1}


def test_a_policy_may_leave_alone_what_a_node_sent_although_it_was_wanted_back() -> None:
    world = a_world(intercept=False)
    world.place(paid(1))
    [work] = world.works()
    world.tell(CancelRequested(order_id=ORDER, request_id="r1"))

    ship(world, work.id, [(1, 1)])

    assert asked(world, "carrier") == []
    assert told(world)[-1] == "cancel_refused"


def test_nobody_waits_longer_because_stock_came_that_others_took() -> None:
    world = World(OrderPolicy(backorder_days=14), {})
    world.place(paid(1))
    for _ in range(3):
        world.wait(days=4)
        world.reserved[1, "backordered", None] -= 1
        world.reserved[1, "soft", None] += 1
        world.tell(StockArrived(order_id=ORDER, lines=(LineQuantity(1, 1),)))
        assert units(world) == {"backordered": 1}
    world.wait(days=2)

    assert world.now == MONDAY + timedelta(days=14)
    assert units(world) == {"canceled": 1}
    assert told(world).count("backordered") == 1


def test_a_line_that_was_served_may_wait_anew() -> None:
    world = World(OrderPolicy(backorder_days=14), {})
    world.place(paid(1))
    world.wait(days=10)
    world.stock = {"boston": {1: 1}}
    world.reserved[1, "backordered", None] -= 1
    world.reserved[1, "soft", None] += 1
    world.tell(StockArrived(order_id=ORDER, lines=(LineQuantity(1, 1),)))

    assert units(world) == {"released": 1}
    assert world.order.line(1).wait_until is None
    assert (ORDER, "backorder-1") not in world.timers


def test_several_lines_that_nobody_has_are_told_of_once() -> None:
    world = World(OrderPolicy(), {})
    world.place(paid(1, 1))

    assert told(world).count("backordered") == 1
    keys = [effect.key for _, effect in world.effects]
    assert len(set(keys)) == len(keys)


class Refusing(World):
    """Takes no more than so many units of each line."""

    taken = 0

    def _accept(self, command: AcceptDemand) -> DemandAccepted:
        soft = [LineQuantity(x.line, self.taken) for x in command.lines if self.taken]
        refused = [LineQuantity(x.line, x.quantity - self.taken) for x in command.lines]
        for one in soft:
            self.reserved[one.line, "soft", None] += one.quantity
        return DemandAccepted(order_id=command.order_id, soft=tuple(soft), refused=tuple(refused))


def test_an_order_of_which_nothing_is_taken_is_not_confirmed_first() -> None:
    world = Refusing(OrderPolicy(), {})
    world.place(paid(1, 1))

    assert told(world) == ["canceled"]
    assert asked(world, "erp") == []


def test_an_order_of_which_a_part_is_taken_is_confirmed_for_that_part() -> None:
    world = Refusing(OrderPolicy(), {"boston": {1: 9}})
    world.taken = 1
    world.place(paid(3))

    assert told(world) == ["canceled", "confirmed"]
    documents: list[Any] = [about(effect) for effect in asked(world, "erp")]
    assert [(one.kind, one.amount) for one in documents] == [("order", 1000)]
