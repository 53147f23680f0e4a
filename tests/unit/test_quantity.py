"""Quantities are whole base units; packs convert by whole ratios or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.kernel.quantity import InexactQuantity, to_base, to_packs

packs = st.integers(min_value=1, max_value=10_000)


def test_one_and_a_half_kilograms_are_1500_grams() -> None:
    assert to_base(Decimal("1.5"), 1000) == 1500


def test_a_third_of_a_gram_is_refused() -> None:
    with pytest.raises(InexactQuantity, match="whole number"):
        to_base(Decimal("0.0003"), 1000)


@given(st.integers(min_value=0, max_value=10**9), packs)
def test_packs_and_what_is_left_over_are_the_quantity(quantity: int, pack: int) -> None:
    count, left_over = to_packs(quantity, pack)
    assert to_base(count, pack) + left_over == quantity
    assert left_over < pack
