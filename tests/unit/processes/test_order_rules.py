"""What can be said of an order by looking at it: shares of money, flaws, problems, suspicions."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.processes.world import an_order

from crossdock.kernel.errors import SettingRefused
from crossdock.model.orders import Adjustment, Charge, DeliveryGroup, OrderLine, TaxLine, Tender
from crossdock.ordering.policy import (
    OrderPolicy,
    ScreeningPolicy,
    load_order_policies,
    parse_order_policies,
)
from crossdock.ordering.rules import (
    flaws_of,
    problems_of,
    shares_of,
    suspicions_of,
    unit_share,
    usable,
)


@pytest.mark.parametrize(
    ("total", "units", "first", "quantity", "share"),
    [
        (1000, 3, 0, 1, 334),
        (1000, 3, 1, 1, 333),
        (1000, 3, 0, 3, 1000),
        (1000, 3, 1, 2, 666),
        (-100, 3, 0, 1, -34),
        (2, 5, 0, 2, 2),
        (2, 5, 2, 3, 0),
        (0, 4, 1, 2, 0),
    ],
)
def test_the_nth_unit_of_a_line_has_its_share_from_the_start(
    total: int, units: int, first: int, quantity: int, share: int
) -> None:
    assert unit_share(total, units, first, quantity) == share


@given(
    total=st.integers(-10_000, 10_000),
    parts=st.lists(st.integers(0, 7), min_size=1, max_size=8).filter(any),
)
def test_shares_of_units_taken_in_any_portions_sum_to_the_cent(
    total: int, parts: list[int]
) -> None:
    first = shared = 0
    for part in parts:
        shared += unit_share(total, sum(parts), first, part)
        first += part
    assert shared == total


def test_a_unit_that_is_not_there_has_no_share() -> None:
    with pytest.raises(AssertionError, match="no such units"):
        unit_share(1000, 3, 2, 2)


def test_what_names_a_line_is_its_own_and_the_rest_is_shared_by_value() -> None:
    order = an_order(
        1,
        3,
        total=4000 + 499 - 100 + 41,
        tenders=(),
        charges=(Charge(number=1, kind="shipping", amount=499),),
        adjustments=(Adjustment(number=1, source="coupon", amount=-100, line=2),),
        taxes=(
            TaxLine(number=1, jurisdiction="MA", rate=Decimal("0.08"), amount=41, charge=1),
            TaxLine(number=2, jurisdiction="MA", rate=Decimal("0.08"), amount=99, included=True),
        ),
    )

    assert shares_of(order) == [(125, 0, 10), (374, -100, 31)]
    assert problems_of(order) == []


@given(
    prices=st.lists(st.integers(0, 5000), min_size=1, max_size=5),
    shipping=st.integers(0, 999),
    discount=st.integers(0, 999),
    tax=st.integers(0, 999),
)
def test_what_the_lines_cost_with_their_shares_is_always_the_total(
    prices: list[int], shipping: int, discount: int, tax: int
) -> None:
    total = sum(prices) + shipping - discount + tax
    order = msgspec.structs.replace(
        an_order(*[1] * len(prices)),
        total=total,
        lines=tuple(
            OrderLine(number=n, sku="mug", quantity=1, unit_price=Decimal(1), total=price)
            for n, price in enumerate(prices, start=1)
        ),
        charges=(Charge(number=1, kind="shipping", amount=shipping, group=1),),
        adjustments=(Adjustment(number=1, source="coupon", amount=-discount),),
        taxes=(TaxLine(number=1, jurisdiction="MA", rate=Decimal(0), amount=tax),),
    )

    payables = [
        line.total + sum(share) for line, share in zip(order.lines, shares_of(order), strict=True)
    ]

    assert sum(payables) == total


def test_totals_that_do_not_add_up_are_a_problem() -> None:
    assert problems_of(an_order(2, total=1999)) == ["the total is 1999, its parts sum to 2000"]


def test_tenders_may_be_more_than_the_total_but_not_less() -> None:
    spare = (Tender(number=1, amount=2000), Tender(number=2, amount=2000, order_of_use=2))
    assert problems_of(an_order(2, tenders=spare)) == []
    short = an_order(2, tenders=[Tender(number=1, amount=1500)])
    assert problems_of(short) == ["the tenders sum to 1500, the order to 2000"]
    assert problems_of(an_order(2, tenders=())) == []


@pytest.mark.parametrize(
    ("country", "postal_code", "latitude", "longitude", "good"),
    [
        ("US", "02110", None, None, True),
        ("US", "", 42.35, -71.05, True),
        ("US", "", None, None, False),
        ("XX", "02110", None, None, False),
        ("US", "02110", 142.35, -71.05, False),
        ("US", "", 42.35, None, False),
    ],
)
def test_goods_can_be_sent_where_a_postal_code_or_a_place_is_known(
    country: str, postal_code: str, latitude: float | None, longitude: float | None, good: bool
) -> None:
    assert usable(country, postal_code, latitude, longitude) is good


def test_an_order_that_cannot_be_written_down_is_flawed() -> None:
    fine = an_order(1, 2)
    twice = msgspec.structs.replace(fine, lines=(fine.lines[0], fine.lines[0]))
    nothing = msgspec.structs.replace(fine.lines[0], quantity=0)
    astray = msgspec.structs.replace(fine.lines[0], group=7)
    gift = (Adjustment(number=1, source="coupon", amount=-5000, line=1),)

    assert flaws_of(fine) == []
    assert flaws_of(an_order()) == ["there are no lines"]
    assert flaws_of(twice) == ["two lines or two groups have one number"]
    assert flaws_of(msgspec.structs.replace(fine, lines=(nothing,))) == ["line 1 has no units"]
    assert flaws_of(msgspec.structs.replace(fine, lines=(astray,))) == ["line 1 is in no group"]
    assert flaws_of(msgspec.structs.replace(fine, adjustments=gift)) == [
        "line 1 would cost less than nothing"
    ]
    two = (DeliveryGroup(country="US"), DeliveryGroup(country="US"))
    assert flaws_of(msgspec.structs.replace(fine, groups=two)) == [
        "two lines or two groups have one number"
    ]


def test_only_what_is_above_a_limit_is_suspicious_and_zero_is_no_limit() -> None:
    policy = ScreeningPolicy(total_above=1000, quantity_above=5, orders_per_day_above=0)

    assert suspicions_of(policy, 1000, 5, 99, 80) == ()
    assert suspicions_of(policy, 1001, 6, 99, 81) == ("total", "quantity", "risk")


def test_the_shipped_policy_is_the_default_with_a_version_of_its_own() -> None:
    policies = load_order_policies()

    assert len(policies.orders.version) == 8
    assert msgspec.structs.replace(policies.orders, version="") == OrderPolicy()
    assert policies.screening == ScreeningPolicy()


def test_another_text_is_another_version() -> None:
    lax = parse_order_policies('[orders]\non_lost_parcel = "refund"\n', "lax.toml")

    assert lax.orders.on_lost_parcel == "refund"
    assert lax.orders.version != load_order_policies().orders.version


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[orders]\nbackorder_dayz = 3\n", "has no key 'backorder_dayz'"),
        ('[orders]\non_lost_parcel = "shrug"\n', "must be one of resend, refund"),
        ("[orders]\nbackorder_days = 0\n", "[orders] backorder_days: Expected `int` >= 1"),
        ('[orders]\nintercept = "yes"\n', "[orders] intercept: Expected `bool`"),
        ('[orders]\nversion = "mine"\n', "has no key 'version'"),
        ("[screening]\ntotal_above = -1\n", "[screening] total_above: Expected `int` >= 0"),
        ("[screening]\ntotal = 1\n", "[screening] has no key 'total'"),
        ("[order]\nbackorder_days = 3\n", "'order' is no table of an order policy"),
        ("backorder_days = 3\n", "'backorder_days' is no table of an order policy"),
        ("orders = 3\n", "orders is no table; write [orders]"),
        ("[[orders]]\nbackorder_days = 3\n", "orders is no table; write [orders]"),
        ("[orders\n", "Expected"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_and_named(text: str, said: str) -> None:
    with pytest.raises(SettingRefused, match=r"ours\.toml") as refused:
        parse_order_policies(text, "ours.toml")
    assert said in refused.value.problem


def test_a_policy_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingRefused, match=r"nowhere\.toml cannot be read"):
        load_order_policies(tmp_path / "nowhere.toml")
