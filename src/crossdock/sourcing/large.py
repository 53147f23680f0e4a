"""Plans for orders of many lines, where trying everything would not end.

A set of nodes is grown greedily by what each node saves, then bettered by dropping and exchanging
nodes until nothing helps; every line goes to the node of the set where it is cheapest. The work
is bounded by lines x CONSIDERED_NODES x the nodes a step allows, whatever the stock looks like.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crossdock.sourcing.divide import Division
from crossdock.sourcing.jobs import Piece
from crossdock.sourcing.search import Plan, Search
from crossdock.sourcing.state import Column

CONSIDERED_NODES = 64
"""Nodes that carry most of the order, cheapest first among equals."""
EXCHANGES = 400
"""Node sets costed for one order."""

Floats = npt.NDArray[np.float64]
NOT_HELD = np.inf


class Large:
    """One order's table: cost of every bundle at every node considered."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.bundles = search.job.bundles
        self.nodes = self._considered()
        count = len(self.bundles)
        column = {node: i for i, node in enumerate(self.nodes)}
        self.own: Floats = np.full((count, len(self.nodes)), NOT_HELD)
        for k, choice in enumerate(search.choices):
            held = [node for node in choice if node in column]
            if held:
                self.own[k, [column[node] for node in held]] = [choice[node] for node in held]
        self.grams = [b.grams * b.quantity for b in self.bundles]
        self.dimensional = [b.dimensional * b.quantity for b in self.bundles]
        self.open = np.array(
            [float(search.open_score(k) * b.quantity) for k, b in enumerate(self.bundles)]
        )
        self.ranked = self.own + self._slopes()
        self.tried: dict[frozenset[int], tuple[int, int, int] | None] = {}

    def descend(self) -> None:
        """Offers the best plans found; none when a bundle must stay open and may not."""
        search = self.search
        search.exact = False
        start = self._grow()
        best = self._better(start)
        for chosen in (best, *self._runners_up(best)):
            plan = self._plan(chosen)
            if plan is not None:
                search.offer(plan)

    def _considered(self) -> list[int]:
        search = self.search
        carried: dict[int, int] = {}
        for choice in search.choices:
            for node in choice:
                carried[node] = carried.get(node, 0) + 1
        fixed, meters = search.fixed, search.view.cell.meters
        ranked = sorted(carried, key=lambda node: (-carried[node], fixed[node], meters[node], node))
        return sorted(ranked[:CONSIDERED_NODES])

    def _slopes(self) -> Floats:
        """What a bundle's weight adds to the freight of a heavy shipment from each node."""
        search = self.search
        heaviest = search.desk.policy.freight.weights_grams[-1]
        row, zones = search.view.rows[heaviest], search.view.cell.zones
        each = np.array([row[zones[node]] / heaviest for node in self.nodes])
        billable = np.maximum(np.array(self.grams), np.array(self.dimensional))
        slopes: Floats = billable[:, None] * each[None, :]
        return slopes

    def _grow(self) -> frozenset[int]:
        """Adds the node that saves most until none saves anything."""
        search = self.search
        chosen: list[int] = []
        current = self.open.copy()
        fixed = np.array([float(search.fixed[node]) for node in self.nodes])
        least = search.view.rows[1 + search.rules.tare]
        fixed += np.array([least[search.view.cell.zones[node]] for node in self.nodes])
        while len(chosen) < min(search.max_nodes, len(self.nodes)):
            saved = np.maximum(current[:, None] - self.ranked, 0).sum(axis=0) - fixed
            if chosen:
                saved -= search.rules.split
                saved[chosen] = -np.inf
            best = int(np.argmax(saved))
            if saved[best] <= 0:
                break
            chosen.append(best)
            current = np.minimum(current, self.ranked[:, best])
        return frozenset(chosen)

    def _better(self, start: frozenset[int]) -> frozenset[int]:
        """Drops, exchanges and adds single nodes while that makes the plan cheaper."""
        best, score = start, self._score(start)
        everything = range(len(self.nodes))
        improved = True
        while improved and len(self.tried) < EXCHANGES:
            improved = False
            for chosen in self._neighbors(best, everything):
                if len(self.tried) >= EXCHANGES:
                    break
                found = self._score(chosen)
                if found is not None and (score is None or found < score):
                    best, score, improved = chosen, found, True
                    break
        return best

    def _neighbors(self, chosen: frozenset[int], everything: range) -> list[frozenset[int]]:
        found = [chosen - {node} for node in sorted(chosen) if len(chosen) > 1]
        others = [node for node in everything if node not in chosen]
        if len(chosen) < self.search.max_nodes:
            found += [chosen | {node} for node in others]
        for node in sorted(chosen):
            found += [(chosen - {node}) | {other} for other in others]
        return found

    def _runners_up(self, best: frozenset[int]) -> list[frozenset[int]]:
        costed = [
            (score, sorted(chosen), chosen)
            for chosen, score in self.tried.items()
            if score is not None and chosen != best
        ]
        return [chosen for _, _, chosen in sorted(costed)[: self.search.rules.kept]]

    def _score(self, chosen: frozenset[int]) -> tuple[int, int, int] | None:
        """Score, nodes and metres of the plan from a set of nodes; None when it may not be."""
        if chosen in self.tried:
            return self.tried[chosen]
        plan = self._plan(chosen)
        found = None if plan is None else plan[:3]
        self.tried[chosen] = found
        return found

    def _plan(self, chosen: frozenset[int]) -> Plan | None:
        search = self.search
        columns = sorted(chosen)
        placed = _Placed(search)
        if columns:
            ranked = self.ranked[:, columns]
            cheapest = np.argmin(ranked, axis=1).tolist()
            held = (ranked.min(axis=1) < self.open).tolist()
        for k, bundle in enumerate(self.bundles):
            node = -1
            if columns and held[k]:
                node = self.nodes[columns[cheapest[k]]]
                if search.job.overlap and not placed.enough((node, k, bundle.quantity)):
                    node = self._elsewhere(placed, k, columns)
            if node >= 0:
                placed.add(search.choices[k][node], ((node, k, bundle.quantity),))
                continue
            division = placed.best_division(k)
            if division is not None:
                placed.add(*division)
            elif search.partial:
                placed.score += search.open_score(k) * bundle.quantity
            else:
                return None
        return placed.plan()

    def _elsewhere(self, placed: _Placed, k: int, columns: list[int]) -> int:
        """Another node of the set that still has the bundle; -1 if there is none."""
        quantity = self.bundles[k].quantity
        for column in sorted(columns, key=lambda c: (float(self.ranked[k, c]), c)):
            node = self.nodes[column]
            if node in self.search.choices[k] and placed.enough((node, k, quantity)):
                return node
        return -1


class _Placed:
    """A plan as it is put together: pieces, and the weight each node sends."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.score = 0
        self.pieces: list[Piece] = []
        self.grams: dict[int, int] = {}
        self.dimensional: dict[int, int] = {}
        self.taken: dict[tuple[int, int], int] = {}

    def add(self, score: int, pieces: tuple[Piece, ...]) -> None:
        """Places pieces whose units score so much."""
        self.score += score
        self.pieces.extend(pieces)
        bundles = self.search.job.bundles
        for node, k, quantity in pieces:
            bundle = bundles[k]
            self.grams[node] = self.grams.get(node, 0) + bundle.grams * quantity
            more = bundle.dimensional * quantity
            self.dimensional[node] = self.dimensional.get(node, 0) + more
            if self.search.job.overlap:
                for need in bundle.needs:
                    key = (id(need.column), node)
                    self.taken[key] = self.taken.get(key, 0) + need.units * quantity

    def enough(self, *pieces: Piece) -> bool:
        """Columns that several bundles draw on hold these pieces too."""
        wanted = dict(self.taken)
        columns: dict[int, Column] = {}
        for node, k, quantity in pieces:
            for need in self.search.job.bundles[k].needs:
                columns[id(need.column)] = need.column
                key = (id(need.column), node)
                wanted[key] = wanted.get(key, 0) + need.units * quantity
        return all(
            columns[key[0]].left.get(key[1], 0) >= units
            for key, units in wanted.items()
            if key[0] in columns
        )

    def best_division(self, k: int) -> Division | None:
        """The split of a bundle that adds least to what is placed."""
        search = self.search
        best: tuple[int, Division] | None = None
        for division in search.divided[k]:
            fresh = {node for node, _, _ in division[1]} - self.grams.keys()
            if len(self.grams) + len(fresh) > search.max_nodes:
                continue
            if search.job.overlap and not self.enough(*division[1]):
                continue
            least = search.view.rows[1 + search.rules.tare]
            adds = division[0] + sum(
                search.fixed[node] + search.rules.split + least[search.view.cell.zones[node]]
                for node in fresh
            )
            if best is None or adds < best[0]:
                best = (adds, division)
        return best[1] if best else None

    def plan(self) -> Plan | None:
        """The plan with nodes and freight; None when a rule forbids it."""
        search = self.search
        rows, zones, tare = search.view.rows, search.view.cell.zones, search.rules.tare
        score = self.score + search.rules.split * max(len(self.grams) - 1, 0)
        for node, grams in self.grams.items():
            billable = max(grams, self.dimensional[node]) + tare if grams else 0
            score += search.fixed[node] + rows[billable][zones[node]]
        pieces = tuple(sorted(self.pieces))
        if not search.worth_splitting(pieces, len(self.grams)):
            return None
        if search.job.budget is not None and not search.affordable(pieces):
            return None
        meters = search.view.cell.meters
        return score, len(self.grams), sum(meters[node] for node in self.grams), pieces
