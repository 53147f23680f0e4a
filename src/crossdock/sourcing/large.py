"""Plans for orders of many lines, where trying everything would not end.

A set of nodes is grown greedily by what each node saves, then bettered by dropping and exchanging
nodes until nothing helps; every line goes to the node of the set where it is cheapest. The work
is bounded by lines x CONSIDERED_NODES x the nodes a step allows, whatever the stock looks like.
"""

from __future__ import annotations

from collections.abc import Sequence

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
FEW_EXCHANGES = 40
"""The same where each has to be planned piece by piece."""
SHIFTED_LINES = 40
"""Up to so many, lines are moved between the nodes of every set; else only of the last ones."""
SHIFT_PASSES = 3

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
        self.weights = np.array(self.grams), np.array(self.dimensional)
        self.quick = count > SHIFTED_LINES and not (
            search.job.overlap
            or any(search.divided)
            or search.job.budget is not None
            or search.rules.min_shipment_value
            or search.desk.policy.choose != "cost"
        )
        """Sets can be scored with arrays: no rule looks at the single pieces."""
        self.shifts = count <= SHIFTED_LINES
        """Lines are moved between the nodes of a set before it is costed."""
        self.tried: dict[frozenset[int], tuple[int, int, int] | None] = {}
        self.splits: dict[int, _Splits] = {}
        """By bundle, as they are needed."""

    def descend(self) -> None:
        """Offers the best plans found; none when a bundle must stay open and may not."""
        search = self.search
        search.exact = False
        start = self._grow(without=-1)
        tries = EXCHANGES if self.quick or self.shifts else FEW_EXCHANGES
        self._better(frozenset(start), tries // 2)
        if start:
            # What looks best at first is not always among the best.
            self._better(frozenset(self._grow(without=start[0])), tries)
        best = self._best()
        self.shifts = True
        for chosen in best:
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

    def _grow(self, without: int) -> list[int]:
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
            if without >= 0:
                saved[without] = -np.inf
            best = int(np.argmax(saved))
            if saved[best] <= 0:
                break
            chosen.append(best)
            current = np.minimum(current, self.ranked[:, best])
        return chosen

    def _better(self, best: frozenset[int], tries: int) -> None:
        """Drops, exchanges and adds single nodes while that makes the plan cheaper."""
        score = self._score(best)
        improved = True
        while improved:
            improved = False
            for chosen in self._neighbors(best):
                if len(self.tried) >= tries:
                    return
                found = self._score(chosen)
                if found is not None and (score is None or found < score):
                    best, score, improved = chosen, found, True
                    break

    def _neighbors(self, chosen: frozenset[int]) -> list[frozenset[int]]:
        found = [chosen - {node} for node in sorted(chosen) if len(chosen) > 1]
        others = [node for node in range(len(self.nodes)) if node not in chosen]
        if len(chosen) < self.search.max_nodes:
            found += [chosen | {node} for node in others]
        for node in sorted(chosen):
            found += [(chosen - {node}) | {other} for other in others]
        return found

    def _best(self) -> list[frozenset[int]]:
        """The sets with the best plans, best first."""
        costed = sorted(
            (score, sorted(chosen)) for chosen, score in self.tried.items() if score is not None
        )
        return [frozenset(chosen) for _, chosen in costed[: self.search.kept]]

    def _score(self, chosen: frozenset[int]) -> tuple[int, int, int] | None:
        """Score, nodes and metres of the plan from a set of nodes; None when it may not be."""
        if chosen in self.tried:
            return self.tried[chosen]
        if self.quick:
            found = self._quick_score(chosen)
        else:
            plan = self._plan(chosen)
            found = None if plan is None else plan[:3]
        self.tried[chosen] = found
        return found

    def _quick_score(self, chosen: frozenset[int]) -> tuple[int, int, int] | None:
        """What `_plan` would score, in a few array operations."""
        search, columns = self.search, np.array(sorted(chosen), dtype=np.int64)
        least = np.full(len(self.bundles), NOT_HELD)
        at = np.zeros(len(self.bundles), dtype=np.int64)
        if len(columns):
            at = np.argmin(self.ranked[:, columns], axis=1)
            least = self.ranked[np.arange(len(at)), columns[at]]
        held = least < self.open
        if not held.all() and not search.partial:
            return None
        bundles = np.flatnonzero(held)
        own = self.own[bundles, columns[at[bundles]]] if len(columns) else np.zeros(0)
        score = round(float(own.sum())) + round(float(self.open[~held].sum()))
        used, meters = 0, 0
        rows, zones, tare = search.view.rows, search.view.cell.zones, search.rules.tare
        counts, grams, dimensional = (
            np.bincount(at[bundles], weights, len(columns)).astype(np.int64).tolist()
            for weights in (None, self.weights[0][bundles], self.weights[1][bundles])
        )
        for place, column in enumerate(columns.tolist()):
            if counts[place]:
                node = self.nodes[column]
                billable = max(grams[place], dimensional[place]) + tare if grams[place] else 0
                score += search.fixed[node] + rows[billable][zones[node]]
                meters += search.view.cell.meters[node]
                used += 1
        return score + search.rules.split * max(used - 1, 0), used, meters

    def _plan(self, chosen: frozenset[int]) -> Plan | None:
        search = self.search
        columns = sorted(chosen)
        placed = _Placed(search, self.splits)
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
        if self.shifts and not search.job.overlap:
            placed.shift()
        return placed.plan()

    def _elsewhere(self, placed: _Placed, k: int, columns: list[int]) -> int:
        """Another node of the set that still has the bundle; -1 if there is none."""
        quantity = self.bundles[k].quantity
        for column in sorted(columns, key=lambda c: (float(self.ranked[k, c]), c)):
            node = self.nodes[column]
            if node in self.search.choices[k] and placed.enough((node, k, quantity)):
                return node
        return -1


class _Splits:
    """The ways to split a bundle as a table, to be compared at once for every set of nodes."""

    def __init__(self, found: Sequence[Division]) -> None:
        self.nodes = sorted({node for _, pieces in found for node, _, _ in pieces})
        self.adds = np.array([adds for adds, _ in found], dtype=np.int64)
        self.uses = np.zeros((len(found), len(self.nodes)), dtype=np.int64)
        """By split and node, 1 where it sends a piece from there."""
        place = {node: i for i, node in enumerate(self.nodes)}
        for row, (_, pieces) in zip(self.uses, found, strict=True):
            row[[place[node] for node, _, _ in pieces]] = 1


class _Placed:
    """A plan as it is put together: pieces, and the weight each node sends."""

    def __init__(self, search: Search, splits: dict[int, _Splits]) -> None:
        self.search = search
        self.splits = splits
        self.score = 0
        self.pieces: list[Piece] = []
        self.grams: dict[int, int] = {}
        self.dimensional: dict[int, int] = {}
        self.counts: dict[int, int] = {}
        """Pieces by node."""
        self.taken: dict[tuple[int, int], int] = {}

    def add(self, score: int, pieces: tuple[Piece, ...]) -> None:
        """Places pieces whose units score so much."""
        self.score += score
        self.pieces.extend(pieces)
        bundles = self.search.job.bundles
        for node, k, quantity in pieces:
            bundle = bundles[k]
            self.counts[node] = self.counts.get(node, 0) + 1
            self.grams[node] = self.grams.get(node, 0) + bundle.grams * quantity
            more = bundle.dimensional * quantity
            self.dimensional[node] = self.dimensional.get(node, 0) + more
            if self.search.job.overlap:
                for need in bundle.needs:
                    key = (id(need.column), node)
                    self.taken[key] = self.taken.get(key, 0) + need.units * quantity

    def shift(self) -> None:
        """Moves single lines to where they are cheaper, freight included: a parcel a little too
        heavy for its price may be worth lightening."""
        for _ in range(SHIFT_PASSES):
            moved = False
            for at, (node, k, quantity) in enumerate(self.pieces):
                if quantity == self.search.job.bundles[k].quantity:
                    best = min((self._moved(node, there, k), there) for there in self._could(k))
                    if best[0] < 0:
                        self._move(at, best[1])
                        moved = True
            if not moved:
                return

    def _could(self, k: int) -> list[int]:
        """Open nodes that can fill a bundle."""
        return [node for node in self.grams if node in self.search.choices[k]]

    def _moved(self, node: int, there: int, k: int) -> int:
        """What moving a bundle would add."""
        if node == there:
            return 0
        search, bundle = self.search, self.search.job.bundles[k]
        grams, dimensional = bundle.grams * bundle.quantity, bundle.dimensional * bundle.quantity
        added = search.choices[k][there] - search.choices[k][node]
        added += self._freight(there, grams, dimensional) - self._freight(there, 0, 0)
        added += self._freight(node, -grams, -dimensional) - self._freight(node, 0, 0)
        if self.counts[node] == 1:
            added -= search.fixed[node] + search.rules.split
        return added

    def _freight(self, node: int, more_grams: int, more_dimensional: int) -> int:
        search = self.search
        grams = self.grams[node] + more_grams
        dimensional = self.dimensional[node] + more_dimensional
        billable = max(grams, dimensional) + search.rules.tare if grams else 0
        return search.view.rows[billable][search.view.cell.zones[node]]

    def _move(self, at: int, there: int) -> None:
        node, k, quantity = self.pieces[at]
        bundle = self.search.job.bundles[k]
        choice = self.search.choices[k]
        self.pieces[at] = (there, k, quantity)
        self.score += choice[there] - choice[node]
        for change, place in ((-quantity, node), (quantity, there)):
            self.grams[place] += bundle.grams * change
            self.dimensional[place] += bundle.dimensional * change
            self.counts[place] += 1 if change > 0 else -1
        if not self.counts[node]:
            del self.grams[node], self.dimensional[node]

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
        """The split of a bundle that adds least to what is placed; of equals the first."""
        search, overlap = self.search, self.search.job.overlap
        found = search.divided[k]
        if not found:
            return None
        table = self.splits.get(k)
        if table is None:
            table = self.splits[k] = _Splits(found)
        fresh = np.array([node not in self.grams for node in table.nodes])
        openings = np.array([self._opening(node) for node in table.nodes]) * fresh
        adds = table.adds + table.uses @ openings
        fits = table.uses @ fresh <= search.max_nodes - len(self.grams)
        cheapest: list[int] = np.argsort(adds, kind="stable").tolist()
        for i in cheapest:
            if fits[i] and not (overlap and not self.enough(*found[i][1])):
                return found[i]
        return None

    def _opening(self, node: int) -> int:
        """What it adds to use a node, its lightest package included."""
        search = self.search
        rows, zones, rules = search.view.rows, search.view.cell.zones, search.rules
        return search.fixed[node] + rules.split + rows[1 + rules.tare][zones[node]]

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
