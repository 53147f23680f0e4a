"""The border: what makes no sense is refused with the field's path, all of it at once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from crossdock.model.messages import (
    CancelRequested,
    FulfillmentShipped,
    InventoryCounted,
    InventoryMoved,
    LineQuantity,
    OrderPlaced,
    ShippedPackage,
    StockCount,
    StockMove,
)
from crossdock.model.orders import Method, SalesOrder
from crossdock.model.outside import OutsideAddress, OutsideGroup, OutsideLine, OutsideOrder
from crossdock.model.validation import HOLDABLE, validate, validate_order, validate_outside
from tests.model.orders import LAMP_AND_BULBS

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def found(order: SalesOrder) -> set[tuple[str, str]]:
    return {(problem.path, problem.code) for problem in validate_order(order)}


def with_line(**changes: Any) -> SalesOrder:
    first, second = LAMP_AND_BULBS.lines
    return replace(LAMP_AND_BULBS, lines=(replace(first, **changes), second))


def with_group(**changes: Any) -> SalesOrder:
    return replace(LAMP_AND_BULBS, groups=(replace(LAMP_AND_BULBS.groups[0], **changes),))


def test_an_order_as_it_should_be_has_no_problem() -> None:
    assert validate_order(LAMP_AND_BULBS) == []
    assert validate(OrderPlaced(order=LAMP_AND_BULBS)) == []


@pytest.mark.parametrize(
    ("order", "path", "code"),
    [
        (replace(LAMP_AND_BULBS, number=""), "number", "bad_key"),
        (replace(LAMP_AND_BULBS, number="W-1 "), "number", "bad_key"),
        (replace(LAMP_AND_BULBS, channel="w" * 201), "channel", "bad_key"),
        (replace(LAMP_AND_BULBS, id="W-10041"), "id", "bad_id"),
        (replace(LAMP_AND_BULBS, customer_id="Ada"), "customer_id", "bad_id"),
        (replace(LAMP_AND_BULBS, currency="EUX"), "currency", "unknown_currency"),
        (
            replace(LAMP_AND_BULBS, presentment_currency="gbp"),
            "presentment_currency",
            "unknown_currency",
        ),
        (
            replace(LAMP_AND_BULBS, presentment_total=9_733),
            "presentment_currency",
            "no_presentment_currency",
        ),
        (
            replace(LAMP_AND_BULBS, presentment_currency="EUR", exchange_rate=Decimal(0)),
            "exchange_rate",
            "bad_exchange_rate",
        ),
        (
            replace(LAMP_AND_BULBS, placed_at=datetime(2026, 11, 3)),  # noqa: DTZ001
            "placed_at",
            "time_without_zone",
        ),
        (replace(LAMP_AND_BULBS, priority=0), "priority", "bad_priority"),
        (replace(LAMP_AND_BULBS, revision=0), "revision", "bad_number"),
        (replace(LAMP_AND_BULBS, groups=()), "groups", "no_groups"),
        (
            replace(LAMP_AND_BULBS, groups=LAMP_AND_BULBS.groups * 2),
            "groups[1].number",
            "duplicate_number",
        ),
        (
            replace(LAMP_AND_BULBS, lines=LAMP_AND_BULBS.lines * 2),
            "lines[2].number",
            "duplicate_number",
        ),
        (with_line(quantity=0), "lines[0].quantity", "bad_quantity"),
        (with_line(quantity=-3), "lines[0].quantity", "bad_quantity"),
        (with_line(quantity=2**31), "lines[0].quantity", "bad_quantity"),
        (with_line(sku=""), "lines[0].sku", "bad_key"),
        (with_line(number=0), "lines[0].number", "bad_number"),
        (with_line(group=7), "lines[0].group", "unknown_reference"),
        (with_line(unit_price=Decimal("NaN")), "lines[0].unit_price", "bad_price"),
        (with_line(unit_price=Decimal(-1)), "lines[0].unit_price", "bad_price"),
        (with_line(unit_price=Decimal("1e-9999")), "lines[0].unit_price", "bad_price"),
        (with_line(channel_sku="B00LAMP6 "), "lines[0].channel_sku", "bad_key"),
        (with_line(owner="lumen\nus"), "lines[0].owner", "bad_key"),
        (with_line(total=-1), "lines[0].total", "bad_amount"),
        (with_line(total=10**16), "lines[0].total", "bad_amount"),
        (with_line(total=8_901), "total", "total_does_not_add_up"),
        (with_line(attributes={"gift": "yes"}), "lines[0].attributes.gift", "bad_attribute_key"),
        (with_group(country="UK"), "groups[0].country", "unknown_country"),
        (with_group(longitude=None), "groups[0].longitude", "half_a_place"),
        (with_group(latitude=float("nan")), "groups[0].latitude", "no_place_on_earth"),
        (with_group(method=Method.PICKUP), "groups[0].pickup_node", "no_pickup_node"),
        (with_group(address_id="x"), "groups[0].address_id", "bad_id"),
    ],
)
def test_each_thing_wrong_is_found_where_it_is(order: SalesOrder, path: str, code: str) -> None:
    assert (path, code) in found(order)


def test_references_of_charges_adjustments_and_taxes_must_exist() -> None:
    order = replace(
        LAMP_AND_BULBS,
        charges=(replace(LAMP_AND_BULBS.charges[0], group=9),),
        adjustments=(replace(LAMP_AND_BULBS.adjustments[0], line=9),),
        taxes=tuple(replace(tax, charge=9) for tax in LAMP_AND_BULBS.taxes),
    )

    assert found(order) == {
        ("charges[0].group", "unknown_reference"),
        ("adjustments[0].line", "unknown_reference"),
        ("taxes[0].charge", "unknown_reference"),
        ("taxes[1].charge", "unknown_reference"),
        ("taxes[2].charge", "unknown_reference"),
    }


def test_a_cent_too_much_or_too_little_in_total_or_tenders_is_found() -> None:
    assert found(replace(LAMP_AND_BULBS, total=10_554)) == {
        ("total", "total_does_not_add_up"),
        ("tenders", "tenders_do_not_add_up"),
    }
    assert found(replace(LAMP_AND_BULBS, tenders=LAMP_AND_BULBS.tenders[:1])) == {
        ("tenders", "tenders_do_not_add_up")
    }
    assert found(replace(LAMP_AND_BULBS, tenders=())) == set()


def test_a_wrong_address_or_total_can_be_held_for_a_person_but_nonsense_cannot() -> None:
    wrong = replace(with_group(country="UK", latitude=None), total=1)
    nonsense = replace(with_line(quantity=0, group=7), currency="XXX")

    assert {problem.code for problem in validate_order(wrong)} <= HOLDABLE
    assert not {problem.code for problem in validate_order(nonsense)} & HOLDABLE


def test_a_delivery_group_without_lines_is_found() -> None:
    second = replace(LAMP_AND_BULBS.groups[0], number=2)
    order = replace(LAMP_AND_BULBS, groups=(*LAMP_AND_BULBS.groups, second))

    assert found(order) == {("groups", "empty_group")}


def test_all_problems_come_at_once_each_with_a_remedy() -> None:
    order = replace(with_line(quantity=0, sku=" "), currency="XXX", number="\x00")

    problems = validate_order(order)

    assert {problem.path for problem in problems} == {
        "number",
        "currency",
        "lines[0].quantity",
        "lines[0].sku",
    }
    assert all(problem.message and problem.remedy for problem in problems)
    assert "lines[0].quantity: 0 is no quantity here. Send 1 to" in "\n".join(map(str, problems))


@pytest.mark.parametrize(
    ("attributes", "path"),
    [
        ({f"acme.k{i}": "" for i in range(65)}, "attributes"),
        ({"acme.long": "x" * 4_097}, "attributes.acme.long"),
        ({f"acme.k{i}": "é" * 2_000 for i in range(5)}, "attributes"),
    ],
)
def test_attributes_are_limited_in_number_and_size(attributes: dict[str, str], path: str) -> None:
    assert found(replace(LAMP_AND_BULBS, attributes=attributes)) == {(path, "attributes_too_large")}


def outside(**changes: Any) -> OutsideOrder:
    order = OutsideOrder(
        channel="web",
        number="W-10042",
        placed_at=NOON,
        currency="JPY",
        lines=(OutsideLine(number=1, sku="LAMP", quantity=2, unit_price=Decimal(1200)),),
        groups=(OutsideGroup(address=OutsideAddress(country="JP", lines=("1-2-3 Ginza",))),),
    )
    return replace(order, **changes)


def test_an_order_from_outside_is_checked_with_its_address_before_it_is_taken_apart() -> None:
    assert validate_outside(outside()) == []
    street = OutsideAddress(country="JP", lines=("Ginza", "\x0bfloor 3"))

    problems = validate_outside(
        outside(groups=(OutsideGroup(address=street),), currency="YEN", number="")
    )

    assert {(problem.path, problem.code) for problem in problems} == {
        ("groups[0].address.lines[1]", "unstorable_character"),
        ("currency", "unknown_currency"),
        ("number", "bad_key"),
    }


@pytest.mark.parametrize("price", ["NaN", "-Infinity", "1e999999", "-0.01"])
def test_a_price_that_cannot_be_is_reported_and_breaks_nothing(price: str) -> None:
    line = OutsideLine(number=1, sku="LAMP", quantity=2, unit_price=Decimal(price))

    problems = validate_outside(outside(lines=(line,)))

    assert [(problem.path, problem.code) for problem in problems] == [
        ("lines[0].unit_price", "bad_price")
    ]


def test_a_cancel_request_for_no_units_is_refused() -> None:
    request = CancelRequested(
        order_id=LAMP_AND_BULBS.id, request_id="c-1", lines=(LineQuantity(1, 0),)
    )

    assert [problem.path for problem in validate(request)] == ["lines[0].quantity"]


def test_a_shipment_without_packages_is_refused() -> None:
    shipped = FulfillmentShipped(
        order_id=LAMP_AND_BULBS.id,
        fulfillment_id="f-1",
        shipment_id="s-1",
        packages=(),
        shipped_at=NOON,
    )
    package = ShippedPackage(lines=(LineQuantity(1, 1),), weight_grams=-1)

    assert [problem.code for problem in validate(shipped)] == ["no_packages"]
    assert [problem.path for problem in validate(replace(shipped, packages=(package,)))] == [
        "packages[0].weight_grams"
    ]


def test_moves_name_two_buckets_and_come_in_chunks_of_at_most_5000() -> None:
    move = StockMove("m-1", "LAMP", "S014", 1, "sellable", "damaged", "broken", NOON)
    still = StockMove("m-2", "LAMP", "S014", 1, "sellable", "sellable", "oops", NOON)
    chunk = InventoryMoved(source="wms", sequence=1, moves=(move, still))

    assert [problem.code for problem in validate(chunk)] == ["moves_nowhere"]
    assert [problem.code for problem in validate(replace(chunk, moves=(move,) * 5_001))] == [
        "bad_chunk"
    ]
    assert validate(replace(chunk, moves=(move,) * 5_000)) == []


def test_a_count_of_one_node_counts_no_other_and_may_be_zero() -> None:
    counted = InventoryCounted(
        source="wms",
        as_of=NOON,
        node="S014",
        counts=(StockCount("LAMP", "S014", 0), StockCount("LAMP", "S015", -1)),
    )

    assert [(problem.path, problem.code) for problem in validate(counted)] == [
        ("counts[1].quantity", "bad_quantity"),
        ("counts[1].node", "foreign_node"),
    ]
