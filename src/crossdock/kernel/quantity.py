"""Quantities: integers in a product's base unit; packs convert by whole ratios."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

MAX_QUANTITY = 2_147_483_647
"""The most one row holds (a PostgreSQL `int`)."""


class Unit(StrEnum):
    """The base units stock is counted in."""

    EACH = "each"
    GRAM = "gram"
    MILLIMETRE = "millimetre"


class InexactQuantity(ValueError):
    """The amount is not a whole number of base units."""


def to_base(amount: int | Decimal, base_quantity: int) -> int:
    """Units of a pack of `base_quantity` base units as base units: 1.5 kg of 1000 g are 1500 g.

    Raises InexactQuantity where that is not a whole number.
    """
    assert base_quantity > 0, "a pack holds at least one base unit"
    exact = amount * base_quantity
    whole = int(exact)
    if whole != exact:
        raise InexactQuantity(f"{amount} of {base_quantity} is not a whole number of base units")
    return whole


def to_packs(quantity: int, base_quantity: int) -> tuple[int, int]:
    """Base units as whole packs and the base units left over. `quantity` is not negative."""
    assert quantity >= 0, "a quantity is not negative"
    assert base_quantity > 0, "a pack holds at least one base unit"
    return divmod(quantity, base_quantity)
