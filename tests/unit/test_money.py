"""Money keeps every cent, in whatever minor unit its currency has."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.kernel.money import (
    InexactAmount,
    UnknownCurrency,
    currencies,
    exponent_of,
    is_currency,
    rounded_to_minor,
    share_out,
    text_of,
    to_major,
    to_minor,
)

amounts = st.integers(min_value=-(10**15), max_value=10**15)
weights = st.lists(st.integers(min_value=0, max_value=10**12), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("currency", "exponent"),
    [("JPY", 0), ("CLP", 0), ("USD", 2), ("EUR", 2), ("MRU", 2), ("KWD", 3), ("CLF", 4)],
)
def test_the_minor_unit_follows_iso_4217(currency: str, exponent: int) -> None:
    assert exponent_of(currency) == exponent


@pytest.mark.parametrize("code", ["XAU", "XXX", "XTS", "DEM", "usd", "US", ""])
def test_what_nobody_pays_with_is_no_currency(code: str) -> None:
    assert not is_currency(code)
    with pytest.raises(UnknownCurrency, match=repr(code)):
        exponent_of(code)


def test_the_table_is_as_long_as_the_standards_list_without_its_metals_and_test_codes() -> None:
    assert len(currencies()) == 165


@pytest.mark.parametrize(
    ("major", "currency", "minor"),
    [
        ("12.34", "USD", 1234),
        ("1200", "JPY", 1200),
        ("0.005", "KWD", 5),
        ("-1.1000", "CLF", -11000),
    ],
)
def test_major_units_become_minor_units_exactly(major: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(major), currency) == minor


@pytest.mark.parametrize(
    ("major", "currency"),
    [("0.5", "JPY"), ("1.005", "USD"), ("NaN", "USD"), ("Infinity", "USD"), ("1e-40", "EUR")],
)
def test_an_amount_that_is_no_whole_minor_unit_is_refused(major: str, currency: str) -> None:
    with pytest.raises(InexactAmount):
        to_minor(Decimal(major), currency)


def test_an_amount_too_long_for_decimals_default_context_is_not_rounded_behind_our_back() -> None:
    assert to_minor(Decimal("1234567890123456789012345678901.23"), "USD") == (
        123456789012345678901234567890123
    )


@pytest.mark.parametrize(("major", "minor"), [("1.005", 101), ("-1.005", -101), ("1.0049", 100)])
def test_a_till_rounds_halves_away_from_zero(major: str, minor: int) -> None:
    assert rounded_to_minor(Decimal(major), "USD") == minor


def test_an_amount_for_people_has_the_decimals_of_its_currency() -> None:
    assert text_of(123450, "USD") == "1,234.50 USD"
    assert text_of(123450, "JPY") == "123,450 JPY"
    assert text_of(123450, "KWD") == "123.450 KWD"


@given(amounts, st.sampled_from(currencies()))
def test_minor_units_survive_the_way_to_major_units_and_back(minor: int, currency: str) -> None:
    assert to_minor(to_major(minor, currency), currency) == minor


def test_the_cent_left_over_goes_to_the_largest_remainder_and_then_to_the_earlier_part() -> None:
    assert share_out(100, [1, 1, 1]) == [34, 33, 33]
    assert share_out(-100, [1, 1, 1]) == [-34, -33, -33]
    assert share_out(10, [1, 2, 4]) == [1, 3, 6]
    assert share_out(5, [0, 0]) == [3, 2]
    assert share_out(0, []) == []


@given(amounts, weights)
def test_shares_sum_to_the_total_whatever_the_weights(total: int, parts: list[int]) -> None:
    assert sum(share_out(total, parts)) == total


@given(amounts, weights)
def test_no_share_is_a_whole_unit_away_from_its_exact_value(total: int, parts: list[int]) -> None:
    whole = sum(parts) or len(parts)
    even = parts if sum(parts) else [1] * len(parts)
    for share, weight in zip(share_out(total, parts), even, strict=True):
        assert abs(share * whole - total * weight) < whole


@given(amounts, weights)
def test_shares_have_the_sign_of_the_total(total: int, parts: list[int]) -> None:
    assert all(share * total >= 0 for share in share_out(total, parts))
