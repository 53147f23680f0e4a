"""Master data that contradicts itself or the world is refused, all of it at once."""

from __future__ import annotations

from datetime import date, time

import pytest
from msgspec.structs import replace

from crossdock.catalog.model import (
    Component,
    CutOff,
    HierarchyLink,
    Listing,
    Network,
    Node,
    NodeStock,
    Opening,
    Pack,
    Product,
    ProductKind,
    SpecialDay,
)
from crossdock.catalog.rules import problems_of
from tests.catalog.records import BRASS_LAMP, LAMP_SET, OAK_STREET, RETAILER


def found(network: Network) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in problems_of(network)]


def with_node(**changes: object) -> Network:
    return replace(RETAILER, nodes=(RETAILER.nodes[0], replace(OAK_STREET, **changes)))


def with_lamp(**changes: object) -> Network:
    others = tuple(product for product in RETAILER.products if product.sku != "LAMP-BRASS")
    return replace(RETAILER, products=(*others, replace(BRASS_LAMP, **changes)))


def test_a_retailer_as_it_should_be_has_no_problem() -> None:
    assert problems_of(RETAILER) == []


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"country": "UK"}, "country", "unknown_country"),
        ({"time_zone": "America/Gotham"}, "time_zone", "unknown_time_zone"),
        ({"gln": "5412345000014"}, "gln", "bad_gln"),
        ({"latitude": None}, "latitude", "half_a_place"),
        ({"latitude": -91.0}, "latitude", "no_place_on_earth"),
        ({"allocation_zone": "west"}, "allocation_zone", "unknown_reference"),
        ({"operating_entity": "acme"}, "operating_entity", "unknown_reference"),
        ({"brands": ("acme",)}, "brands", "unknown_reference"),
        ({"cost_currency": ""}, "cost_currency", "unknown_currency"),
        ({"cost_per_order": -1}, "cost_per_order", "bad_amount"),
        ({"daily_capacity": -1}, "daily_capacity", "bad_quantity"),
        ({"pick_failure_probability": 6.0}, "pick_failure_probability", "bad_probability"),
        ({"attributes": {"format": "x"}}, "attributes.format", "bad_attribute_key"),
        (
            {"openings": (Opening(weekday=8, opens=time(9), closes=time(10)),)},
            "openings",
            "bad_weekday",
        ),
        (
            {"openings": (Opening(weekday=1, opens=time(19), closes=time(9)),)},
            "openings",
            "hours_backwards",
        ),
        (
            {
                "openings": (
                    Opening(weekday=1, opens=time(9), closes=time(13)),
                    Opening(weekday=1, opens=time(12), closes=time(19)),
                )
            },
            "openings",
            "overlap",
        ),
        (
            {"special_days": (SpecialDay(day=date(2026, 12, 24), opens=time(9)),)},
            "special_days",
            "half_hours",
        ),
        (
            {"cut_offs": (CutOff(service="next_day", at=time(15), weekdays=()),)},
            "cut_offs",
            "bad_weekday",
        ),
    ],
)
def test_a_node_must_be_a_place_that_can_work(
    changes: dict[str, object], field: str, code: str
) -> None:
    assert found(with_node(**changes)) == [(f"node S014.{field}", code)]


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"gtin": "4006381333932"}, "gtin", "bad_gtin"),
        ({"weight_grams": -1}, "weight_grams", "bad_quantity"),
        ({"currency": "EUX"}, "currency", "unknown_currency"),
        ({"substitutes": ("LAMP-GOLD",)}, "substitutes", "unknown_reference"),
        ({"substitutes": ("LAMP-BRASS",)}, "substitutes", "itself"),
        ({"shelf_life_days": None}, "minimum_remaining_days", "longer_than_shelf_life"),
        ({"shelf_life_days": 36_501}, "shelf_life_days", "bad_days"),
        ({"minimum_remaining_days": -1}, "minimum_remaining_days", "bad_days"),
        ({"markdown_percent": 101}, "markdown_percent", "bad_percent"),
        ({"packs": (Pack(unit="carton", base_quantity=0),)}, "packs.base_quantity", "bad_quantity"),
        ({"components": (Component("BULB-E27"),)}, "components", "kit_or_not"),
        ({"country_of_origin": "XX"}, "country_of_origin", "unknown_country"),
    ],
)
def test_a_product_must_be_a_thing_that_can_be_sent(
    changes: dict[str, object], field: str, code: str
) -> None:
    assert found(with_lamp(**changes)) == [(f"product LAMP-BRASS.{field}", code)]


def test_a_kit_in_a_kit_is_refused_as_it_has_no_stock() -> None:
    deluxe = Product(
        sku="LAMP-DELUXE",
        name="Deluxe",
        kind=ProductKind.KIT,
        components=(Component(LAMP_SET.sku, 1),),
    )

    assert found(replace(RETAILER, products=(*RETAILER.products, deluxe))) == [
        ("product LAMP-DELUXE.components", "kit_in_kit")
    ]


def test_the_same_code_twice_is_found_whatever_it_names() -> None:
    assert found(replace(RETAILER, nodes=(*RETAILER.nodes, RETAILER.nodes[0]))) == [
        ("node DC1", "duplicate")
    ]


def test_a_hierarchy_that_contains_itself_is_found() -> None:
    loop = HierarchyLink(child="new-england", parent="boston", child_is_group=True)

    assert found(replace(RETAILER, hierarchy=(*RETAILER.hierarchy, loop))) == [
        ("node_hierarchy boston", "cycle"),
        ("node_hierarchy new-england", "cycle"),
    ]


def test_two_listings_of_one_channel_sku_may_follow_but_not_overlap() -> None:
    first = RETAILER.listings[0]
    summer = date(2027, 6, 1)
    later = Listing(channel="market", channel_sku="B00LAMP6", sku="LAMP-STEEL", valid_from=summer)

    overlapping = replace(RETAILER, listings=(later, first))
    following = replace(RETAILER, listings=(later, replace(first, valid_to=summer)))

    assert found(overlapping) == [("listing market/B00LAMP6", "overlap")]
    assert found(following) == []


def test_what_is_saved_already_may_be_referred_to() -> None:
    only_stock = Network(stock=(NodeStock(node="S014", quantities={"LAMP-BRASS": 3}),))

    assert problems_of(only_stock, known=RETAILER) == []
    assert {code for _, code in found(only_stock)} == {"unknown_reference"}


def test_stock_below_zero_is_refused() -> None:
    stock = NodeStock(node="S014", quantities={"LAMP-BRASS": -1})

    assert found(replace(RETAILER, stock=(stock,))) == [
        ("stock of S014.quantities.LAMP-BRASS", "bad_quantity")
    ]


def test_an_unstorable_character_in_a_name_is_found() -> None:
    node = Node(code="S1", name="Oak\x00", country="US", time_zone="UTC", allocation_zone="east")

    assert found(replace(RETAILER, nodes=(*RETAILER.nodes, node))) == [
        ("nodes[2].name", "unstorable_character")
    ]
