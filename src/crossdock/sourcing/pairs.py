"""Plans from two nodes, for an order of which every plan from a single node is known already.

This is `branch` where no more than two nodes may be open and no line is divided or left open, as
for most orders of several lines. It tries the same partial plans in the same order, so that it
finds the same plans, and counts them alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossdock.sourcing.branch import Branch

Package = tuple[int, int, int, int, int]
"""A node, its zone, and what it sends so far: grams, dimensional grams and their freight."""


class Pairs:
    """The state of one descent."""

    __slots__ = (
        "branch",
        "choices",
        "last",
        "left",
        "loads",
        "nodes",
        "quantities",
        "rows",
        "search",
        "tare",
        "zones",
    )

    def __init__(self, branch: Branch) -> None:
        search = branch.search
        bundles = [branch.bundles[k] for k in branch.order]
        self.branch = branch
        self.search = search
        self.left = branch.left
        self.rows, self.zones = search.view.rows, search.view.cell.zones
        self.tare = search.rules.tare
        self.choices = [search.choices[k] for k in branch.order]
        self.loads = [(b.grams * b.quantity, b.dimensional * b.quantity) for b in bundles]
        self.quantities = [b.quantity for b in bundles]
        self.last = len(bundles) - 1
        self.nodes = [0] * len(bundles)
        """By depth, the node its bundle is placed at."""

    def descend(self) -> int:
        """Offers every plan that can be the best or the runner-up; returns the evaluations left."""
        branch, search, zones = self.branch, self.search, self.zones
        grams, dimensional = self.loads[0]
        tail, later, carries = branch.tail[1], branch.later[1], branch.carries
        self.left -= 1
        # The first node is not a split: its surcharge is taken off at the start.
        score = -search.rules.split
        rest = score + tail + branch.opening[1]
        for least, node, freight in branch.fresh[0]:
            if least + rest > search.limit:
                break
            missing = later & ~carries[node]
            if missing and score + least + tail + branch.opens(missing, 1) > search.limit:
                continue
            self.nodes[0] = node
            self._alone(1, score + least, (node, zones[node], grams, dimensional, freight))
        return self.left

    def _alone(self, depth: int, score: int, package: Package) -> None:
        """Places the bundle of a depth and all later ones, as long as one node is open."""
        self.left -= 1
        if self.left <= 0 or depth > self.last:
            return
        branch, search, zones, nodes = self.branch, self.search, self.zones, self.nodes
        tail, carries = branch.tail[depth + 1], branch.carries
        first, zone, before, dimensional_before, freight_before = package
        grams, dimensional = self.loads[depth]
        missing = branch.later[depth + 1] & ~carries[first]
        cost = self.choices[depth].get(first)
        if cost is not None:
            g, d = before + grams, dimensional_before + dimensional
            freight = self.rows[(g if g > d else d) + self.tare if g else 0][zone]
            joined = score + cost + freight - freight_before
            opens = branch.opens(missing, 1) if missing else branch.opening[depth + 1]
            if joined + tail + opens <= search.limit:
                nodes[depth] = first
                self._alone(depth + 1, joined, (first, zone, g, d, freight))
        rest = score + tail
        for least, node, freight in branch.fresh[depth]:
            if least + rest > search.limit:
                break
            if node == first or missing & ~carries[node]:
                continue
            nodes[depth] = node
            second = (node, zones[node], grams, dimensional, freight)
            self._both(depth + 1, score + least, package, second)

    def _both(self, depth: int, score: int, one: Package, other: Package) -> None:
        """Places the bundle of a depth and all later ones at the two open nodes."""
        self.left -= 1
        if self.left <= 0:
            return
        if depth > self.last:
            self._finish(score, one[0], other[0])
            return
        search, nodes, rows, tare = self.search, self.nodes, self.rows, self.tare
        choice = self.choices[depth]
        grams, dimensional = self.loads[depth]
        rest = score + self.branch.tail[depth + 1]
        for package in (one, other):
            node, zone, g, d, freight_before = package
            cost = choice.get(node)
            if cost is None:
                continue
            g += grams
            d += dimensional
            freight = rows[(g if g > d else d) + tare if g else 0][zone]
            added = cost + freight - freight_before
            if rest + added > search.limit:
                continue
            nodes[depth] = node
            after = (node, zone, g, d, freight)
            if package is one:
                self._both(depth + 1, score + added, after, other)
            else:
                self._both(depth + 1, score + added, one, after)

    def _finish(self, score: int, one: int, other: int) -> None:
        search = self.search
        pieces = tuple(sorted(zip(self.nodes, self.branch.order, self.quantities, strict=True)))
        if search.worth_splitting(pieces, 2) and search.affordable(pieces):
            meters = search.view.cell.meters
            search.offer((score, 2, meters[one] + meters[other], pieces))
