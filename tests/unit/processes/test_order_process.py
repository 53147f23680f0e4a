"""The order process and its fulfillments without engine and database: what they decide, and ask."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.processes.world import MONDAY, ORDER, World, an_order

from crossdock.allocation.model import Action
from crossdock.engine.process import Effect
from crossdock.model.effects import (
    AuthorizationRefused,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentVoided,
)
from crossdock.model.messages import (
    CancelRequested,
    FulfillmentAccepted,
    FulfillmentDeclined,
    FulfillmentShipped,
    HoldLifted,
    ItemsPacked,
    ItemsPicked,
    LineQuantity,
    ShippedPackage,
    ShortLine,
)
from crossdock.model.orders import Tender
from crossdock.ordering.model import FulfillmentOpened, UnitsPicked
from crossdock.ordering.policy import OrderPolicy
from crossdock.processes.fulfillment import fulfillment
from crossdock.processes.order_to_fulfillment import order_to_fulfillment
from crossdock.processes.order_to_fulfillment.state import MOST_ATTEMPTS

STATES = (
    "open", "soft", "backordered", "allocated", "released", "picked", "packed", "shipped",
    "canceled",
)  # fmt: skip


def a_world(boston: int = 9, salem: int = 9, **policy: Any) -> World:
    return World(
        OrderPolicy(**policy),
        {"boston": {1: boston, 2: boston}, "salem": {1: salem, 2: salem}},
    )


def paid(*quantities: int) -> Any:
    total = 1000 * sum(quantities)
    return an_order(
        *quantities, tenders=[Tender(number=1, kind="marketplace", amount=total, paid=True)]
    )


def units(world: World, number: int = 1) -> dict[str, int]:
    line = world.order.line(number)
    names = [
        "open",
        "soft",
        "backordered",
        "allocated",
        "released",
        "picked",
        "packed",
        "shipped",
        "canceled",
    ]
    return {name: getattr(line, name) for name in names if getattr(line, name)}


def sent(world: World, kind: type[Any]) -> list[Any]:
    """Messages of one kind between the order and its nodes."""
    found = [getattr(output, "message", None) for output in world.outputs]
    return [message for message in found if isinstance(message, kind)]


def asked(world: World, connector: str) -> list[Effect]:
    return [effect for _, effect in world.effects if effect.connector == connector]


def about(effect: Effect) -> Any:
    """What an effect carries, of whatever type."""
    return effect.payload


def authorized(effect: Effect, **more: Any) -> PaymentAuthorized:
    payload: Any = effect.payload
    return PaymentAuthorized(
        key=effect.key, tender=payload.tender, amount=payload.amount, authorization="A-1", **more
    )


def tell_work(world: World, message: Any) -> None:
    world.tell(message, message.fulfillment_id)


def test_a_paid_order_is_released_with_six_messages_and_no_payment_is_asked_for() -> None:
    world = a_world()

    world.place(paid(2, 1))

    assert units(world, 1) == {"released": 2}
    assert asked(world, "payment") == []
    assert [effect.key for effect in asked(world, "erp")] == [f"{ORDER}/order"]
    assert [effect.key for effect in asked(world, "notification")] == [f"{ORDER}/confirmed"]
    [work] = world.works()
    assert [(line.line, line.quantity) for line in work.lines] == [(1, 2), (2, 1)]


def test_an_order_of_two_lines_takes_less_than_600_bytes() -> None:
    world = a_world()
    world.place(paid(2, 1))

    assert len(order_to_fulfillment.encode(world.order)) < 600


def test_states_stored_before_there_were_substitutes_are_read_as_having_none() -> None:
    world = a_world()
    world.place(paid(2, 1))
    [work] = world.works()
    order = msgspec.msgpack.decode(order_to_fulfillment.encode(world.order))
    node = msgspec.msgpack.decode(fulfillment.encode(work))
    cut = [order["facts"], *order["works"][0][3], *node["lines"]]
    for part in cut:
        part.pop()

    assert order_to_fulfillment.load(1, msgspec.msgpack.encode(order)) == world.order
    assert fulfillment.load(1, msgspec.msgpack.encode(node)) == work


def test_nothing_is_promised_before_the_money_is_secured() -> None:
    world = a_world()

    world.place(an_order(2))

    [authorize] = asked(world, "payment")
    assert authorize.operation == "authorize"
    assert units(world) == {"open": 2}
    assert asked(world, "notification") == []
    world.answer(authorize, authorized(authorize))
    assert units(world) == {"released": 2}


def test_only_as_many_tenders_are_asked_as_the_order_costs() -> None:
    world = a_world()
    tenders = [
        Tender(number=1, amount=500, order_of_use=1),
        Tender(number=2, amount=5000, order_of_use=2),
        Tender(number=3, amount=5000, order_of_use=3),
    ]

    world.place(an_order(2, tenders=tenders))

    amounts = [(about(e).tender, about(e).amount) for e in asked(world, "payment")]
    assert amounts == [(1, 500), (2, 1500)]


def test_a_policy_may_cancel_what_no_tender_pays() -> None:
    world = a_world(on_payment_refused="cancel")
    world.place(an_order(2))
    [authorize] = asked(world, "payment")

    world.answer(
        authorize,
        AuthorizationRefused(key=authorize.key, tender=1, amount=2000, reason="no funds"),
    )

    assert units(world) == {"canceled": 2}
    assert world.order.stage == "closed"
    assert world.holds == set()


def test_the_provider_s_own_doubt_holds_the_order() -> None:
    world = a_world()
    world.suspicions = ("risk",)
    world.place(an_order(1))
    [authorize] = asked(world, "payment")

    world.answer(authorize, authorized(authorize, risk=90))

    assert world.order.stage == "held"
    assert world.holds == {"suspicion"}


def test_an_order_with_two_problems_goes_on_when_the_last_hold_is_lifted() -> None:
    world = a_world()
    world.problems = ("line 1: SKU sku-1 is not sold",)
    order = an_order(1, tenders=[Tender(number=1, amount=1000)])
    world.place(order)
    assert world.holds == {"order"}

    world.tell(HoldLifted(order_id=ORDER, hold="order", approved=True))

    assert [effect.operation for effect in asked(world, "payment")] == ["authorize"]


def test_a_channel_may_refuse_what_makes_no_sense() -> None:
    world = a_world()
    world.problems = ("line 1: SKU sku-1 is not sold",)
    world.on_invalid = "refuse"

    world.place(paid(1))

    assert world.order.stage == "open"
    [refund] = asked(world, "payment")
    assert refund.operation == "refund"
    assert units(world) == {"canceled": 1}


def test_a_policy_may_cancel_what_nobody_has_instead_of_waiting() -> None:
    world = a_world(boston=1, salem=0, on_nothing_available="cancel")

    world.place(paid(3))

    assert units(world) == {"released": 1, "canceled": 2}
    [refund] = asked(world, "payment")
    assert about(refund).amount == 2000


def test_a_sourcing_policy_may_ask_a_person() -> None:
    world = a_world(boston=0, salem=0)
    world.unavailable = Action.HOLD
    world.place(paid(1))
    assert world.holds == {"sourcing"}
    assert units(world) == {"soft": 1}

    world.stock["boston"][1] = 1
    world.tell(HoldLifted(order_id=ORDER, hold="sourcing", approved=True))

    assert units(world) == {"released": 1}


def test_a_person_may_allow_more_attempts_and_no_number_comes_twice() -> None:
    world = a_world(boston=0, salem=0)
    world.unavailable = Action.HOLD
    world.place(paid(1))
    world.order.attempt = MOST_ATTEMPTS

    world.stock["boston"][1] = 1
    world.tell(HoldLifted(order_id=ORDER, hold="sourcing", approved=True))

    assert units(world) == {"released": 1}
    assert world.order.attempt == MOST_ATTEMPTS + 1


def _void(world: World) -> None:
    for void in asked(world, "payment"):
        amount = about(void).amount
        world.answer(void, PaymentVoided(key=void.key, tender=1, amount=amount))


@pytest.mark.parametrize("delay", ["question", "answer"])
def test_an_order_that_is_canceled_while_its_nodes_are_chosen_is_closed(delay: Any) -> None:
    world = a_world()
    world.delay = delay
    world.place(an_order(1, 1))
    [authorize] = asked(world, "payment")
    world.answer(authorize, authorized(authorize))

    world.tell(CancelRequested(order_id=ORDER, request_id="r1"))
    _void(world)
    world.let_zone_answer()
    _void(world)

    assert world.order.stage == "closed"
    assert not +world.reserved


def test_a_node_that_fails_a_line_is_not_asked_for_it_again() -> None:
    world = a_world(boston=5, salem=1)
    world.place(paid(1))
    [work] = world.works()
    assert work.node == "boston"

    tell_work(world, FulfillmentDeclined(order_id=ORDER, fulfillment_id=work.id, reason="too_busy"))

    [work] = world.works()
    assert work.node == "salem"
    assert world.order.line(1).excluded == ["boston"]
    tell_work(world, FulfillmentDeclined(order_id=ORDER, fulfillment_id=work.id, reason="too_busy"))
    assert units(world) == {"backordered": 1}


def test_the_new_work_says_which_one_it_replaces() -> None:
    world = a_world()
    world.place(paid(2))
    [first] = world.works()

    tell_work(
        world,
        ItemsPicked(
            order_id=ORDER, fulfillment_id=first.id, pick_id="1",
            picked=(LineQuantity(1, 1),), short=(ShortLine(1, 1, "not_in_stock"),),
        ),
    )  # fmt: skip

    opened = [
        o.message
        for o in world.outputs
        if isinstance(getattr(o, "message", None), FulfillmentOpened)
    ]
    assert [message.replaces for message in opened] == [None, first.id]


def test_packing_implies_picking_and_a_late_pick_is_not_counted_twice() -> None:
    world = a_world()
    world.place(paid(2))
    [work] = world.works()

    tell_work(
        world,
        ItemsPacked(
            order_id=ORDER, fulfillment_id=work.id, pack_id="1", lines=(LineQuantity(1, 2),)
        ),
    )
    assert units(world) == {"packed": 2}
    tell_work(
        world,
        ItemsPicked(
            order_id=ORDER, fulfillment_id=work.id, pick_id="1", picked=(LineQuantity(1, 2),)
        ),
    )

    assert units(world) == {"packed": 2}
    assert world.cases == []
    told = [
        o.message for o in world.outputs if isinstance(getattr(o, "message", None), UnitsPicked)
    ]
    assert told == []


def test_more_than_was_asked_for_opens_a_case_and_changes_nothing_else() -> None:
    world = a_world()
    world.place(paid(1))
    [work] = world.works()

    ship(world, work.id, [(1, 3)])

    assert units(world) == {"shipped": 1}
    assert world.cases == ["shipped beyond the order"]


def ship(world: World, work_id: str, *parcels: Sequence[tuple[int, int]], name: str = "s1") -> None:
    tell_work(
        world,
        FulfillmentShipped(
            order_id=ORDER,
            fulfillment_id=work_id,
            shipment_id=name,
            shipped_at=world.now,
            packages=tuple(
                ShippedPackage(
                    lines=tuple(LineQuantity(*line) for line in parcel), tracking=f"{name}-{n}"
                )
                for n, parcel in enumerate(parcels)
            ),
        ),
    )


def test_the_same_shipment_told_twice_is_charged_once() -> None:
    world = a_world()
    world.place(paid(2))
    [work] = world.works()

    ship(world, work.id, [(1, 1)])
    ship(world, work.id, [(1, 1)])

    assert units(world) == {"released": 1, "shipped": 1}


def test_two_tenders_are_charged_in_their_order_of_use_and_released_from_the_last() -> None:
    world = a_world()
    tenders = [
        Tender(number=1, kind="gift_card", amount=1500, paid=True),
        Tender(number=2, amount=1500, order_of_use=2),
    ]
    world.place(an_order(3, tenders=tenders))
    [authorize] = asked(world, "payment")
    world.answer(authorize, authorized(authorize))
    [work] = world.works()

    ship(world, work.id, [(1, 2)])
    [capture] = asked(world, "payment")
    assert (capture.operation, about(capture).amount) == ("capture", 500)
    tell_work(world, FulfillmentDeclined(order_id=ORDER, fulfillment_id=work.id, reason="too_busy"))
    world.tell(CancelRequested(order_id=ORDER, request_id="r1"))
    [other] = [w for w in world.works() if w.node == "salem"]
    tell_work(
        world, FulfillmentDeclined(order_id=ORDER, fulfillment_id=other.id, reason="too_busy")
    )

    assert units(world) == {"shipped": 2, "canceled": 1}
    first, second = world.order.tenders
    assert (first.used, first.released) == (1500, 0)
    assert (second.used, second.released) == (500, 1000)
    world.answer(capture, PaymentCaptured(key=capture.key, tender=2, amount=500))
    [void] = [e for e in asked(world, "payment") if e.operation == "void"]
    assert about(void).amount == 1000
    world.answer(void, PaymentVoided(key=void.key, tender=2, amount=1000))


def test_an_authorization_after_the_end_is_given_back() -> None:
    world = a_world()
    world.place(an_order(1))
    [authorize] = asked(world, "payment")
    world.tell(CancelRequested(order_id=ORDER, request_id="r1"))
    assert units(world) == {"canceled": 1}
    assert world.order.stage == "open"

    world.answer(authorize, authorized(authorize))

    [void] = asked(world, "payment")
    assert void.operation == "void"
    world.answer(void, PaymentVoided(key=void.key, tender=1, amount=1000))
    assert world.order.stage == "closed"


def test_the_acknowledgement_clock_stops_when_the_node_accepts() -> None:
    world = a_world(acknowledgement_hours=4)
    world.place(paid(1))
    [work] = world.works()
    assert [due for due, _ in world.timers.values()] == [MONDAY + timedelta(hours=4)]

    tell_work(world, FulfillmentAccepted(order_id=ORDER, fulfillment_id=work.id))

    assert world.timers == {}
    world.wait(hours=10)
    assert units(world) == {"released": 1}


def test_a_policy_may_let_nodes_take_their_time() -> None:
    world = a_world(acknowledgement_hours=0)

    world.place(paid(1))

    assert world.timers == {}


@pytest.mark.parametrize("intercept", [True, False])
def test_a_policy_may_leave_parcels_alone(intercept: bool) -> None:
    world = a_world(intercept=intercept)
    world.place(paid(1))
    [work] = world.works()
    ship(world, work.id, [(1, 1)])

    world.tell(CancelRequested(order_id=ORDER, request_id="r1"))

    assert len(asked(world, "carrier")) == int(intercept)
    assert len(world.order.wishes) == int(intercept)


def test_a_request_for_a_line_that_is_not_there_is_answered_and_changes_nothing() -> None:
    world = a_world()
    world.place(paid(1))

    world.tell(CancelRequested(order_id=ORDER, request_id="r1", lines=(LineQuantity(9, 1),)))

    assert units(world) == {"released": 1}
    assert [about(e).event for e in asked(world, "notification")][-1] == "cancel_refused"


def test_ids_of_work_are_derived_so_that_a_repeated_batch_names_the_same() -> None:
    ids = []
    for _ in range(2):
        world = a_world()
        world.place(paid(1))
        ids.append(world.works()[0].id)
    assert ids[0] == ids[1]
