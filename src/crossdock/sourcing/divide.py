"""Splitting a line that no single node can fill.

Every node of a split but the last gives all it has: fewer places are left with a unit or two, and
there are few enough ways to try them all.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from crossdock.sourcing.jobs import Piece, bundle_cost, bundle_units

if TYPE_CHECKING:
    from crossdock.sourcing.search import Search

Division = tuple[int, tuple[Piece, ...]]
"""Score of the units, those left open included, and the pieces; without nodes and packages."""

DRAINED_NODES = 8
"""How many of the cheapest nodes are combined; with more, the search is not exact."""


def divisions(search: Search, number: int) -> list[Division]:
    """The ways to split a bundle, cheapest first; what leaves units open only if it must."""
    bundle = search.job.bundles[number]
    most = min(search.rules.max_nodes_per_line, search.max_nodes)
    if bundle.whole or (most == 1 and not search.partial):
        return []
    held = {}
    for node in search.short[number]:
        if node in search.fixed:
            units = bundle_units(bundle, node, search.view)
            if units > 0:
                held[node] = units
    if len(held) > DRAINED_NODES:
        search.exact = False
        ranked = sorted(held, key=lambda node: (_alone(search, number, node, held[node]), node))
        held = {node: held[node] for node in ranked[:DRAINED_NODES]}
    found = _complete(search, number, held, most)
    if not found and search.partial:
        found = _incomplete(search, number, held, most)
    return sorted(found)


def _complete(search: Search, number: int, held: dict[int, int], most: int) -> list[Division]:
    wanted = search.job.bundles[number].quantity
    costs = _Costs(search, number)
    found = []
    for size in range(1, most):
        for drained in combinations(sorted(held), size):
            rest = wanted - sum([held[node] for node in drained])
            if rest <= 0:
                continue
            given = [(node, number, held[node]) for node in drained]
            for last in held:
                if held[last] >= rest and last not in drained:
                    pieces = (*given, (last, number, rest))
                    found.append((costs.of(pieces), tuple(sorted(pieces))))
    return found


def _incomplete(search: Search, number: int, held: dict[int, int], most: int) -> list[Division]:
    wanted = search.job.bundles[number].quantity
    costs = _Costs(search, number)
    found = []
    for size in range(1, most + 1):
        for drained in combinations(sorted(held), size):
            given = sum([held[node] for node in drained])
            if given < wanted:
                pieces = tuple([(node, number, held[node]) for node in drained])
                left_open = search.open_score(number) * (wanted - given)
                found.append((costs.of(pieces) + left_open, pieces))
    return found


class _Costs:
    """What parts of one bundle cost, each node and quantity computed once."""

    def __init__(self, search: Search, number: int) -> None:
        self._search = search
        self._bundle = search.job.bundles[number]
        self._known: dict[tuple[int, int], int] = {}

    def of(self, pieces: tuple[Piece, ...]) -> int:
        total = 0
        for node, _, quantity in pieces:
            cost = self._known.get((node, quantity))
            if cost is None:
                search = self._search
                cost = bundle_cost(self._bundle, node, quantity, search.view, search.desk)
                self._known[node, quantity] = cost
            total += cost
        return total


def _alone(search: Search, number: int, node: int, quantity: int) -> int:
    """What a node would cost for its part of a bundle alone, for each of it."""
    bundle = search.job.bundles[number]
    row = search.view.rows[bundle.billable(quantity, search.rules.tare)]
    cost = search.fixed[node] + row[search.view.cell.zones[node]]
    return (cost + bundle_cost(bundle, node, quantity, search.view, search.desk)) // quantity
