"""What an order tells the checkout it came from; the units themselves pass with AcceptDemand."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.engine.process import Address, Send
from crossdock.ordering.model import CHECKOUT_PROCESS, CheckoutClaimed, CheckoutSettled
from crossdock.processes.order_to_fulfillment.state import SalesOrderState


def claim(order: SalesOrderState) -> Iterator[Send]:
    """While the order is checked, its checkout does not expire."""
    if order.checkout_id is not None:
        claimed = CheckoutClaimed(order_id=order.id, channel=order.facts.channel)
        yield Send(_address(order.checkout_id), claimed)


def settle(order: SalesOrderState, *, accepted: bool) -> Iterator[Send]:
    """Undo of `claim`, or its end: the order has the units, or will never take them."""
    if order.checkout_id is not None:
        settled = CheckoutSettled(order_id=order.id, channel=order.facts.channel, accepted=accepted)
        yield Send(_address(order.checkout_id), settled)
        order.checkout_id = None


def _address(checkout_id: str) -> Address:
    return Address(CHECKOUT_PROCESS, checkout_id, checkout_id)
