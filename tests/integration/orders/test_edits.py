"""Edits that need no new sourcing: applied whole on the revision that was seen, or not at all."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.kernel.ids import derive
from crossdock.model.messages import EditedGroup, EditedLine, OrderEditRequested
from tests.integration.orders.shop import BOSTON, MONDAY, Shop, outside_order

ADA = derive(MONDAY, "party", "ada")
DOOR = derive(MONDAY, "address", "back door")


def edit(shop: Shop, order: str, revision: int, request: str = "e1", **changes: Any) -> str:
    """Ask for it; the answer."""
    shop.tell_order(
        OrderEditRequested(
            order_id=order, request_id=request, expected_revision=revision, **changes
        )
    )
    [[result]] = shop.rows(
        "SELECT result FROM order_edit WHERE order_id = %s::uuid AND request_id = %s",
        order,
        request,
    )
    return str(result)


def head(shop: Shop, order: str) -> tuple[Any, ...]:
    [row] = shop.rows(
        "SELECT revision, customer_id, attributes FROM sales_order WHERE id = %s::uuid", order
    )
    return tuple(row)


def test_an_edit_is_a_revision_and_an_event(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("1", ("mug", 1))
    answer = edit(
        shop,
        order,
        1,
        customer_id=ADA,
        attributes={"lumen.gift_note": "Happy birthday"},
        lines=(EditedLine(number=1, attributes={"lumen.wrap": "red"}),),
        groups=(EditedGroup(number=1, recipient_id=ADA, address_id=DOOR),),
    )
    assert answer == "applied"
    assert head(shop, order) == (2, ADA, {"lumen.gift_note": "Happy birthday"})
    assert shop.rows("SELECT attributes FROM order_line") == [({"lumen.wrap": "red"},)]
    assert shop.rows("SELECT recipient_id, address_id FROM delivery_group") == [(ADA, DOOR)]
    events = shop.rows("SELECT activity FROM event_log WHERE instance = %s::uuid", order)
    assert ("OrderEditRequested",) in events


def test_nobody_overwrites_what_they_have_not_seen(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("1", ("mug", 1))
    assert edit(shop, order, 1, "e1", attributes={"a.b": "mine"}) == "applied"
    assert edit(shop, order, 1, "e2", attributes={"a.b": "yours"}) == "stale"
    assert head(shop, order)[0] == 2 and head(shop, order)[2] == {"a.b": "mine"}


def test_the_new_recipient_is_whom_the_customer_notices_go_to(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("1", ("mug", 1))
    edit(shop, order, 1, customer_id=ADA)
    shop.finish(order)
    assert shop.stage(order) == "closed"


def test_a_label_that_is_printed_keeps_its_address(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("1", ("mug", 1))
    work = shop.work(order)
    shop.pick(work)
    shop.pack(work)
    groups = (EditedGroup(number=1, address_id=DOOR),)
    assert edit(shop, order, 1, groups=groups, attributes={"a.b": "c"}) == "too_late"
    assert head(shop, order)[0] == 1 and head(shop, order)[2] is None


def test_a_closed_order_stays_as_it_is(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("1", ("mug", 1))
    shop.finish(order)
    assert edit(shop, order, 1, attributes={"a.b": "c"}) == "closed"


def test_an_edit_that_overtakes_its_order_waits_for_it(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    placed = outside_order("1", ("mug", 1), placed_at=shop.clock.now())
    early = OrderEditRequested(
        order_id=placed.id, request_id="e1", expected_revision=1, attributes={"a.b": "c"}
    )
    shop.tell_order(early)
    shop.take([placed])
    shop.settle()
    assert head(shop, placed.id)[0] == 2 and head(shop, placed.id)[2] == {"a.b": "c"}


def test_the_world_hears_what_was_edited(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("1", ("mug", 1))
    groups = (EditedGroup(number=1, recipient_id=ADA),)
    edit(shop, order, 1, groups=groups, attributes={"a.b": "c"})
    [[told]] = shop.rows(
        "SELECT told FROM event_log WHERE instance = %s::uuid AND activity = 'OrderEditRequested'",
        order,
    )
    [[kind, event]] = msgspec.msgpack.decode(told)
    assert kind == "crossdock.sales_order.edited.v1" and event["revision"] == 2
    assert event["fields"] == ["attributes", "groups[1].recipient"]
