"""What a channel tells a checkout."""

from __future__ import annotations

from crossdock.engine.process import Address
from crossdock.kernel.ids import derive
from crossdock.model.messages import (
    CheckoutDropped,
    CheckoutExtensionRequested,
    CheckoutLine,
    CheckoutRequested,
)
from tests.integration.orders.shop import MONDAY, Shop


def checkout_id(name: str) -> str:
    return derive(MONDAY, "checkout", name)


def reserve(shop: Shop, name: str, *lines: tuple[str, int], seconds: int = 600) -> str:
    found = checkout_id(name)
    asked = CheckoutRequested(
        checkout_id=found,
        channel="web",
        seconds=seconds,
        lines=tuple(
            CheckoutLine(number=number, sku=sku, quantity=units)
            for number, (sku, units) in enumerate(lines, 1)
        ),
    )
    shop.tell(asked, Address("checkout", found, found))
    return found


def extend(shop: Shop, found: str, seconds: int) -> None:
    asked = CheckoutExtensionRequested(checkout_id=found, request_id="longer", seconds=seconds)
    shop.tell(asked, Address("checkout", found, found))


def drop(shop: Shop, found: str) -> None:
    shop.tell(CheckoutDropped(checkout_id=found), Address("checkout", found, found))
