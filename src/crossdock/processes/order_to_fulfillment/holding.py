"""Holds: why an order may not go on until a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crossdock.engine.process import Output
from crossdock.ordering.model import PlaceHold
from crossdock.ordering.rules import ADDRESS
from crossdock.processes.order_to_fulfillment import telling
from crossdock.processes.order_to_fulfillment.declaration import CHECKING, HELD, enter
from crossdock.processes.order_to_fulfillment.state import SalesOrderState

ORDER, SUSPICION, PAYMENT, SOURCING = "order", "suspicion", "payment", "sourcing"
"""Names of holds, besides ADDRESS."""


def hold(
    order: SalesOrderState, name: str, detail: str, team: str, now: datetime
) -> Iterator[Output]:
    """A person has to decide; until then nothing more is promised or released."""
    if order.stage == CHECKING:
        enter(order, HELD)
    if name not in order.holds:
        order.holds.append(name)
        yield PlaceHold(order_id=order.id, hold=name, detail=detail, team=team, placed_at=now)


def hold_problems(order: SalesOrderState, now: datetime) -> Iterator[Output]:
    """Addresses can be corrected; anything else has to be waved through or canceled."""
    enter(order, CHECKING)
    about_address = [text for text in order.problems if text.startswith(ADDRESS)]
    others = [text for text in order.problems if not text.startswith(ADDRESS)]
    if about_address:
        yield from hold(order, ADDRESS, "; ".join(about_address), "customer service", now)
        yield from telling.tell(order, "address_problem")
    if others:
        yield from hold(order, ORDER, "; ".join(others), "customer service", now)
