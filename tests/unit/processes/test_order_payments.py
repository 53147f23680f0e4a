"""What an order asks of payment providers, whatever they answer and when: nobody pays for what did
not arrive, and nothing is held that is not needed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.processes.test_order_process import (
    a_world,
    about,
    asked,
    authorized,
    ship,
    tell_work,
)
from tests.unit.processes.world import ORDER, World, an_order

from crossdock.engine.process import Effect
from crossdock.kernel.messages import Message
from crossdock.model.effects import (
    CaptureRefused,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentRefunded,
    PaymentVoided,
)
from crossdock.model.messages import CancelRequested, InterceptAnswered, ShipmentLost
from crossdock.ordering.policy import OrderPolicy

ANSWERS: dict[str, type[Message]] = {
    "capture": PaymentCaptured,
    "void": PaymentVoided,
    "refund": PaymentRefunded,
}


def payments(world: World, operation: str) -> list[Effect]:
    return [effect for effect in asked(world, "payment") if effect.operation == operation]


def done(world: World, effect: Effect) -> None:
    asked_for = about(effect)
    answer: Any = ANSWERS[effect.operation]
    answered = answer(key=effect.key, tender=asked_for.tender, amount=asked_for.amount)
    world.answer(effect, answered)


def refuse(world: World, effect: Effect) -> None:
    answer = CaptureRefused(key=effect.key, tender=1, amount=about(effect).amount, reason="no")
    world.answer(effect, answer)


def a_shipped_order(**policy: Any) -> tuple[World, Effect]:
    """Authorized and shipped as one parcel; the capture is not answered."""
    world = a_world(**policy)
    world.place(an_order(1))
    [authorize] = payments(world, "authorize")
    world.answer(authorize, authorized(authorize))
    [work] = world.works()
    ship(world, work.id, [(1, 1)])
    [capture] = payments(world, "capture")
    return world, capture


def lose(world: World, shipment: str = "s1") -> None:
    work = next(w for w in world.works() if any(p.reference == shipment for p in w.packages))
    lost = ShipmentLost(
        order_id=ORDER, fulfillment_id=work.id, shipment_id=shipment, tracking=f"{shipment}-0"
    )
    tell_work(world, lost)


def stop(world: World) -> None:
    """The customer does not want it, and the carrier brings it back."""
    [work] = world.works()
    world.tell(CancelRequested(order_id=ORDER, request_id="r1"))
    [intercept] = asked(world, "carrier")
    stopped = InterceptAnswered(
        order_id=ORDER, fulfillment_id=work.id, shipment_id="s1", tracking="s1-0",
        request_id=intercept.key, stopped=True,
    )  # fmt: skip
    world.answer(intercept, stopped)


def told(world: World) -> list[str]:
    """The customer, of what."""
    return [about(effect).event for effect in asked(world, "notification")]


@pytest.mark.parametrize("end", [lose, stop])
def test_a_capture_that_succeeds_after_its_parcel_was_lost_or_stopped_is_paid_back(
    end: Any,
) -> None:
    world, capture = a_shipped_order(on_lost_parcel="refund")
    end(world)
    assert payments(world, "refund") == []

    done(world, capture)

    [refund] = payments(world, "refund")
    assert about(refund).amount == 1000
    done(world, refund)
    assert world.order.stage == "closed"
    assert world.cases == []


@pytest.mark.parametrize("end", [lose, stop])
def test_a_capture_that_is_refused_after_its_parcel_was_lost_or_stopped_leaves_no_debt(
    end: Any,
) -> None:
    world, capture = a_shipped_order(on_lost_parcel="refund")
    end(world)

    refuse(world, capture)

    assert payments(world, "refund") == []
    [void] = payments(world, "void")
    assert about(void).amount == 1000
    done(world, void)
    assert world.order.tenders[0].debt == 0
    assert world.order.stage == "closed"
    assert "payment_due" not in told(world)
    assert world.cases == []


def test_a_debt_collected_while_its_parcel_is_lost_is_paid_back() -> None:
    world, capture = a_shipped_order(on_lost_parcel="refund")
    refuse(world, capture)
    world.wait(hours=25)
    [again] = payments(world, "capture")
    lose(world)
    assert asked(world, "payment") == [again]

    done(world, again)

    [refund] = payments(world, "refund")
    assert about(refund).amount == 1000
    done(world, refund)
    assert world.order.stage == "closed"


def test_a_debt_that_is_not_due_any_longer_is_not_tried_again() -> None:
    world, capture = a_shipped_order(on_lost_parcel="refund")
    refuse(world, capture)
    world.wait(hours=25)
    [again] = payments(world, "capture")
    lose(world)

    refuse(world, again)

    [void] = payments(world, "void")
    assert about(void).amount == 1000
    done(world, void)
    assert world.order.stage == "closed"
    assert world.cases == []


def test_two_debts_are_not_collected_for_more_than_is_due() -> None:
    world = a_world(on_lost_parcel="refund")
    world.place(an_order(2))
    [authorize] = payments(world, "authorize")
    world.answer(authorize, authorized(authorize))
    [work] = world.works()
    for name in ("s1", "s2"):
        ship(world, work.id, [(1, 1)], name=name)
    for capture in payments(world, "capture"):
        refuse(world, capture)
    assert world.order.tenders[0].debt == 2000
    lose(world, "s2")
    assert world.order.tenders[0].debt == 1000

    world.wait(hours=25)

    [again] = payments(world, "capture")
    assert about(again).amount == 1000


def an_order_being_renewed() -> tuple[World, Effect]:
    """Two lines at two nodes; the provider is asked to hold their money for longer."""
    world = World(
        OrderPolicy(acknowledgement_hours=0, on_lost_parcel="refund"),
        {"boston": {1: 1}, "salem": {2: 1}},
    )
    world.place(an_order(1, 1))
    [authorize] = payments(world, "authorize")
    world.answer(authorize, authorized(authorize, expires_at=world.now + timedelta(days=3)))
    world.wait(hours=49)
    [renewal] = payments(world, "authorize")
    return world, renewal


def renew(world: World, renewal: Effect) -> None:
    held = about(renewal).amount
    world.answer(
        renewal, PaymentAuthorized(key=renewal.key, tender=1, amount=held, authorization="A-2")
    )


def ship_from(world: World, node: str, line: int, name: str) -> Effect:
    [work] = [work for work in world.works() if work.node == node]
    ship(world, work.id, [(line, 1)], name=name)
    return payments(world, "capture")[-1]


def on(effects: list[Effect]) -> list[tuple[str, int]]:
    """The authorization and amount of each."""
    return [(about(effect).authorization, about(effect).amount) for effect in effects]


def test_what_a_replaced_authorization_holds_is_let_go() -> None:
    world, renewal = an_order_being_renewed()

    renew(world, renewal)

    assert on(payments(world, "void")) == [("A-1", 2000)]


def test_what_is_shipped_while_an_authorization_is_renewed_is_held_on_neither_of_them() -> None:
    world, renewal = an_order_being_renewed()
    first = ship_from(world, "boston", 1, "s1")
    renew(world, renewal)
    assert on(payments(world, "void")) == [("A-1", 1000)]
    done(world, first)
    second = ship_from(world, "salem", 2, "s2")
    assert on([first, second]) == [("A-1", 1000), ("A-2", 1000)]
    assert on(payments(world, "void")) == [("A-1", 1000), ("A-2", 1000)]
    assert len({effect.key for effect in payments(world, "void")}) == 2


def test_an_authorization_that_is_renewed_after_the_last_shipment_is_let_go() -> None:
    world, renewal = an_order_being_renewed()
    first = ship_from(world, "boston", 1, "s1")
    second = ship_from(world, "salem", 2, "s2")
    renew(world, renewal)
    assert payments(world, "void") == []

    done(world, first)
    done(world, second)

    assert on(payments(world, "void")) == [("A-2", 1000), ("A-2", 1000)]


def test_a_capture_refused_on_a_replaced_authorization_leaves_nothing_held_there() -> None:
    world, renewal = an_order_being_renewed()
    first = ship_from(world, "boston", 1, "s1")
    renew(world, renewal)

    refuse(world, first)

    assert on(payments(world, "void")) == [("A-1", 1000), ("A-1", 1000)]


def test_a_renewed_authorization_is_kept_for_what_may_be_refused_on_the_one_before() -> None:
    world, renewal = an_order_being_renewed()
    done(world, ship_from(world, "boston", 1, "s1"))
    second = ship_from(world, "salem", 2, "s2")
    renew(world, renewal)
    assert on(payments(world, "void")) == [("A-2", 1000)]

    refuse(world, second)

    assert on(payments(world, "void")) == [("A-2", 1000), ("A-1", 1000)]
    world.wait(hours=25)
    assert on(payments(world, "capture")) == [("A-2", 1000)]


def test_a_renewed_authorization_holds_what_is_owed_as_well() -> None:
    world = World(
        OrderPolicy(acknowledgement_hours=0, capture_retry_hours=48),
        {"boston": {1: 1}, "salem": {2: 1}},
    )
    world.place(an_order(1, 1))
    [authorize] = payments(world, "authorize")
    world.answer(authorize, authorized(authorize, expires_at=world.now + timedelta(days=2)))
    refuse(world, ship_from(world, "boston", 1, "s1"))

    world.wait(hours=25)

    [renewal] = payments(world, "authorize")
    assert about(renewal).amount == 2000


def test_each_authorization_pays_back_what_was_captured_on_it() -> None:
    world, renewal = an_order_being_renewed()
    done(world, ship_from(world, "boston", 1, "s1"))
    renew(world, renewal)
    done(world, ship_from(world, "salem", 2, "s2"))

    lose(world, "s1")
    lose(world, "s2")

    assert on(payments(world, "refund")) == [("A-1", 1000), ("A-2", 1000)]
