"""A channel sells packs under names of its own; an order is in our SKUs and base units."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from crossdock.catalog.listings import ListingIndex
from crossdock.catalog.model import Listing
from crossdock.model.orders import OrderLine

SUMMER = date(2027, 6, 1)
INDEX = ListingIndex(
    [
        Listing(channel="market", channel_sku="B6", sku="LAMP-STEEL", valid_from=SUMMER),
        Listing(
            channel="market",
            channel_sku="B6",
            sku="LAMP-BRASS",
            pack_quantity=6,
            valid_from=date(2026, 1, 1),
            valid_to=date(2027, 5, 1),
        ),
    ]
)
TWO_PACKS = OrderLine(number=1, sku="B6", quantity=2, unit_price=Decimal("48.00"), total=9_600)


def test_two_packs_of_six_are_twelve_of_ours_for_the_same_money() -> None:
    (line,) = INDEX.in_our_words("market", [TWO_PACKS], date(2026, 11, 3))

    assert (line.sku, line.channel_sku, line.quantity) == ("LAMP-BRASS", "B6", 12)
    assert line.unit_price == Decimal(8)
    assert line.total == 9_600


def test_the_day_of_the_order_decides_which_listing_holds() -> None:
    found = {
        day: listing.sku if (listing := INDEX.find("market", "B6", day)) else None
        for day in (date(2025, 12, 31), date(2027, 4, 30), date(2027, 5, 1), SUMMER)
    }

    assert list(found.values()) == [None, "LAMP-BRASS", None, "LAMP-STEEL"]


def test_a_line_without_a_listing_names_our_sku_already() -> None:
    assert INDEX.in_our_words("web", [TWO_PACKS], SUMMER) == [TWO_PACKS]
