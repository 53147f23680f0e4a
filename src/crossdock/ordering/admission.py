"""May an order come in: what the retailer knows of it, and what its channel does about problems.

Three ends: it comes in; it comes in and will be held, because a person can settle what is wrong
with it and its channel wants that or has the money already; it is refused with every finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from crossdock.model.orders import SalesOrder
from crossdock.model.problems import Problem
from crossdock.model.validation import HOLDABLE
from crossdock.ordering.store import ChannelTerms
from crossdock.ordering.terms import SalesTerms

REFUSE, HOLD = "refuse", "hold"

UNKNOWN = frozenset(("channel_off", "method_not_offered", "unknown_node", "unknown_sku"))
"""Codes of problems that only the retailer's master data show; a person can settle all of them."""


class Verdict(StrEnum):
    """What becomes of an order at the door."""

    SOUND = "sound"
    HELD = "held"
    """It comes in, and waits for a person."""
    REFUSED = "refused"


def verdict_of(terms: ChannelTerms, order: SalesOrder, problems: Sequence[Problem]) -> Verdict:
    """By all that is wrong with it; what nobody could settle is refused from every channel."""
    if not problems:
        return Verdict.SOUND
    if any(problem.code not in HOLDABLE and problem.code not in UNKNOWN for problem in problems):
        return Verdict.REFUSED
    return Verdict.REFUSED if on_invalid(terms, order) == REFUSE else Verdict.HELD


def on_invalid(terms: ChannelTerms, order: SalesOrder) -> str:
    """`refuse` or `hold`: the channel's choice, but nobody refuses what is paid for."""
    return HOLD if terms.paid or paid(order) else terms.on_invalid


def paid(order: SalesOrder) -> bool:
    """Whether the channel says of every tender that it has the money."""
    return bool(order.tenders) and all(tender.paid for tender in order.tenders)


def unknown_to(terms: SalesTerms, order: SalesOrder) -> list[Problem]:
    """What the order names that the retailer does not have, or does not do in its channel."""
    skus = terms.skus
    problems = [
        Problem(
            f"lines[{index}].sku",
            "unknown_sku",
            f"line {line.number}: SKU {line.sku} is not sold",
            "Send a SKU of the catalog, or list the channel's own.",
        )
        for index, line in enumerate(order.lines)
        if line.sku not in skus
    ]
    problems += _of_channel(terms.of(order.channel), order)
    problems += [
        Problem(
            f"groups[{index}].pickup_node",
            "unknown_node",
            f"group {group.number}: there is no node {group.pickup_node}",
            "Send the code of a node.",
        )
        for index, group in enumerate(order.groups)
        if group.pickup_node is not None and group.pickup_node not in terms.nodes
    ]
    return problems


def _of_channel(terms: ChannelTerms, order: SalesOrder) -> Iterator[Problem]:
    if not terms.enabled:
        yield Problem(
            "channel",
            "channel_off",
            f"channel {order.channel} is switched off",
            "Switch it on, or place the order through another one.",
        )
    if not terms.methods:
        return
    for index, group in enumerate(order.groups):
        if group.method.value not in terms.methods:
            yield Problem(
                f"groups[{index}].method",
                "method_not_offered",
                f"group {group.number}: the channel offers no {group.method.value}",
                f"Send one of {', '.join(sorted(terms.methods))}.",
            )
