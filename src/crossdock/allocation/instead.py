"""A substitute is sent only of what nobody was promised: its own queued demand comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crossdock.allocation.demand import Demand, substitutes_in
from crossdock.engine.transaction import Transaction
from crossdock.inventory.reservations.book import ReservationBook
from crossdock.inventory.reservations.room import unpromised
from crossdock.sourcing.model import Decision, SkuFacts

Units = dict[str, int]


def taken_instead(
    demand: Demand, decision: Decision, products: Mapping[str, SkuFacts]
) -> dict[str, Units]:
    """By substitute that a plan sends, the units it takes of which SKUs."""
    substitutes = substitutes_in(demand.planned, decision, products)
    found: dict[str, Units] = {}
    for node in decision.chosen.nodes if substitutes else ():
        for line in node.lines:
            name = substitutes.get(line.line_number)
            if name is not None:
                units = found.setdefault(name, {})
                units[line.sku] = units.get(line.sku, 0) + line.taken
    return found


def promised_to_others(
    tx: Transaction,
    planned: Sequence[tuple[Demand, Mapping[str, Units]]],
    served: Mapping[str, int],
) -> list[str]:
    """For each plan and the substitutes in it, one of which too few units are nobody's; or ''.

    Plans take in the order given. `served` are units by SKU that this batch has reserved for
    demand that still shows in the queue.
    """
    book = tx.book(ReservationBook)
    skus: dict[str, set[str]] = {}
    for demand, substitutes in planned:
        for units in substitutes.values():
            skus.setdefault(demand.group.method, set()).update(units)
    left: dict[tuple[str, str], int] = {}
    for method, of_method in sorted(skus.items()):
        for sku, nobodys in unpromised(tx, book, sorted(of_method), method).items():
            left[method, sku] = nobodys + served.get(sku, 0)
    short = []
    for demand, substitutes in planned:
        own = _queued(book, demand.planned.order_id)
        method = demand.group.method
        lacking = [
            name
            for name, units in substitutes.items()
            if any(n > left[method, sku] + own.get(sku, 0) for sku, n in units.items())
        ]
        short.append(lacking[0] if lacking else "")
        if not lacking:
            for units in substitutes.values():
                for sku, n in units.items():
                    left[method, sku] -= n
    return short


def _queued(book: ReservationBook, order_id: str) -> Units:
    """What of the queue is the order's own: a substitute that a node could not pick."""
    units: Units = {}
    for promised in book.of(order_id):
        if promised.node is None:
            units[promised.sku] = units.get(promised.sku, 0) + promised.quantity
    return units
