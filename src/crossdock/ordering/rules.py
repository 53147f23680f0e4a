"""What can be said of an order by looking at it: does it add up, who pays what, is it usual."""

from __future__ import annotations

from collections.abc import Sequence

from crossdock.kernel.money import share_out
from crossdock.model.codes import is_country
from crossdock.model.orders import COLLECTED_AT_A_NODE, DeliveryGroup, SalesOrder
from crossdock.ordering.policy import ScreeningPolicy

Share = tuple[int, int, int]
"""A line's share of charges, adjustments and added taxes."""

NO_SHARE: Share = (0, 0, 0)

ADDRESS = "address"
"""Problems of this kind start with this word; a corrected address mends them."""


def shares_of(order: SalesOrder) -> list[Share]:
    """Each line's share of what is not in its own total, in the order of the lines.

    What names a line is its own; what names a group goes to the group's lines, anything else to
    all, in proportion to their totals by largest remainder. The payables sum to the order's total.
    """
    if not (order.charges or order.adjustments or order.taxes):
        return [NO_SHARE] * len(order.lines)
    parts = [[0, 0, 0] for _ in order.lines]
    charges = {}
    for charge in order.charges:
        charges[charge.number] = (charge.line, charge.group)
        _spread(order, parts, 0, charge.amount, charge.line, charge.group)
    for adjustment in order.adjustments:
        _spread(order, parts, 1, adjustment.amount, adjustment.line, adjustment.group)
    for tax in order.taxes:
        if not tax.included:
            line, group = charges.get(tax.charge or 0, (tax.line, None))
            _spread(order, parts, 2, tax.amount, line, group)
    return [(charge, adjustment, tax) for charge, adjustment, tax in parts]


def _spread(
    order: SalesOrder,
    parts: list[list[int]],
    part: int,
    amount: int,
    line: int | None,
    group: int | None,
) -> None:
    where = [
        i
        for i, placed in enumerate(order.lines)
        if (line is None or placed.number == line) and (group is None or placed.group == group)
    ]
    where = where or list(range(len(order.lines)))
    weights = [max(0, order.lines[i].total) for i in where]
    for i, share in zip(where, share_out(amount, weights), strict=True):
        parts[i][part] += share


def unit_share(total: int, units: int, first: int, quantity: int) -> int:
    """The part of `total` that falls on units `first` .. `first + quantity - 1` of `units`.

    Every unit gets the same but for the left-over cents, one each for the first ones (the largest
    remainder of equal weights), so that any order of shipments and cancellations sums to `total`.
    """
    assert first >= 0 and quantity >= 0 and first + quantity <= units, "no such units"
    if total < 0:
        return -unit_share(-total, units, first, quantity)
    base, left_over = divmod(total, units)
    return base * quantity + max(0, min(first + quantity, left_over) - first)


def flaws_of(order: SalesOrder) -> list[str]:
    """Why an order cannot even be written down; such a one is refused at the door."""
    flaws = []
    groups = {group.number for group in order.groups}
    numbers = {line.number for line in order.lines}
    if not order.lines:
        flaws.append("there are no lines")
    if len(numbers) != len(order.lines) or len(groups) != len(order.groups):
        flaws.append("two lines or two groups have one number")
    for line in order.lines:
        if line.quantity <= 0:
            flaws.append(f"line {line.number} has no units")
        if line.group not in groups:
            flaws.append(f"line {line.number} is in no group")
    if not flaws and _takes_something_off(order):
        flaws += [
            f"line {line.number} would cost less than nothing"
            for line, share in zip(order.lines, shares_of(order), strict=True)
            if line.total + sum(share) < 0
        ]
    return flaws


def _takes_something_off(order: SalesOrder) -> bool:
    """Whether any amount is below zero; without one no line can be."""
    return (
        any(line.total < 0 for line in order.lines)
        or any(charge.amount < 0 for charge in order.charges)
        or any(adjustment.amount < 0 for adjustment in order.adjustments)
        or any(tax.amount < 0 for tax in order.taxes)
    )


def problems_of(order: SalesOrder) -> list[str]:
    """What is wrong with an order as it was placed: address, totals. Empty when it is fine."""
    problems = [
        f"{ADDRESS} of group {group.number} is not usable"
        for group in order.groups
        if not can_be_reached(group)
    ]
    problems += [
        f"group {group.number} names no node where it is collected"
        for group in order.groups
        if group.pickup_node is None and group.method in COLLECTED_AT_A_NODE
    ]
    total = sum(line.total for line in order.lines)
    total += sum(charge.amount for charge in order.charges)
    total += sum(adjustment.amount for adjustment in order.adjustments)
    total += sum(tax.amount for tax in order.taxes if not tax.included)
    if total != order.total:
        problems.append(f"the total is {order.total}, its parts sum to {total}")
    tendered = sum(tender.amount for tender in order.tenders)
    if order.tenders and tendered < order.total:
        problems.append(f"the tenders sum to {tendered}, the order to {order.total}")
    return problems


def can_be_reached(group: DeliveryGroup) -> bool:
    """Whether goods can be sent there: a country, and a postal code or coordinates."""
    return usable(group.country, group.postal_code, group.latitude, group.longitude)


def usable(country: str, postal_code: str, latitude: float | None, longitude: float | None) -> bool:
    """The same for the fields of an address."""
    if not is_country(country):
        return False
    if (latitude is None) != (longitude is None):
        return False
    if latitude is None or longitude is None:
        return postal_code != ""
    return -90 <= latitude <= 90 and -180 <= longitude <= 180


def suspicions_of(
    policy: ScreeningPolicy, total: int, largest_quantity: int, recent_orders: int, risk: int
) -> tuple[str, ...]:
    """What makes an order unusual enough for a person to look at it; usually nothing."""
    found: Sequence[tuple[str, int, int]] = (
        ("total", total, policy.total_above),
        ("quantity", largest_quantity, policy.quantity_above),
        ("orders_per_day", recent_orders, policy.orders_per_day_above),
        ("risk", risk, policy.risk_above),
    )
    return tuple(name for name, value, limit in found if 0 < limit < value)
