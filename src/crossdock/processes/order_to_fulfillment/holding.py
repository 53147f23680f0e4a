"""Holds: why an order may not go on until a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crossdock.engine.process import Output
from crossdock.model.events import SalesOrderHeld, SalesOrderHoldLifted
from crossdock.ordering.model import LiftHold, PlaceHold
from crossdock.ordering.rules import ADDRESS, usable
from crossdock.processes.order_to_fulfillment import telling
from crossdock.processes.order_to_fulfillment.declaration import CHECKING, HELD, enter
from crossdock.processes.order_to_fulfillment.state import SalesOrderState

ORDER, SUSPICION, PAYMENT, SOURCING = "order", "suspicion", "payment", "sourcing"
"""Names of holds, besides ADDRESS."""


def hold(
    order: SalesOrderState,
    name: str,
    detail: str,
    team: str,
    now: datetime,
    group: int | None = None,
) -> Iterator[Output]:
    """A person has to decide; until then nothing more is promised or released."""
    if order.stage == CHECKING:
        enter(order, HELD)
    if name not in order.holds:
        order.holds.append(name)
        order.news.told.append(
            SalesOrderHeld(order_id=order.id, hold=name, detail=detail, group=group)
        )
        yield PlaceHold(
            order_id=order.id, hold=name, detail=detail, team=team, placed_at=now, group=group
        )


def hold_problems(order: SalesOrderState, now: datetime) -> Iterator[Output]:
    """Addresses can be corrected; anything else has to be waved through or canceled."""
    enter(order, CHECKING)
    yield from hold_addresses(order, now)
    if ADDRESS in order.holds:
        yield from telling.tell(order, "address_problem")
    others = [text for text in order.problems if not text.startswith(ADDRESS)]
    if others:
        yield from hold(order, ORDER, "; ".join(others), "customer service", now)


def hold_addresses(order: SalesOrderState, now: datetime) -> Iterator[Output]:
    """One hold names the first group that cannot be reached, until there is none."""
    for group in order.groups:
        if not usable(group.country, group.postal_code, group.latitude, group.longitude):
            detail = f"{ADDRESS} of group {group.number} is not usable"
            yield from hold(order, ADDRESS, detail, "customer service", now, group.number)
            return


def lift_sourcing(order: SalesOrderState, now: datetime) -> Iterator[Output]:
    """No unit waits for that decision any more."""
    if SOURCING in order.holds and not any(line.waiting for line in order.lines):
        order.holds.remove(SOURCING)
        yield lifted(order, SOURCING, now, approved=False)


def lifted(
    order: SalesOrderState, name: str, now: datetime, *, approved: bool, actor: str = ""
) -> LiftHold:
    """A hold is over."""
    told = SalesOrderHoldLifted(order_id=order.id, hold=name, approved=approved)
    order.news.told.append(told)
    return LiftHold(order_id=order.id, hold=name, approved=approved, lifted_at=now, actor=actor)
