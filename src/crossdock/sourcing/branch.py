"""Plans from several nodes: branch and bound, depth first over bundles.

The bundle with the fewest nodes comes first; nodes already open are tried before new ones, new
ones cheapest first. The bound is admissible because freight never falls with weight (policies are
checked for it) and a node's own cost is never below zero. The search is exact unless it runs out
of evaluations.
"""

from __future__ import annotations

from crossdock.sourcing.jobs import Bundle, Piece
from crossdock.sourcing.pairs import Pairs
from crossdock.sourcing.search import NO_LIMIT, Search
from crossdock.sourcing.state import Column


class Branch:
    """The state of one descent."""

    def __init__(self, search: Search, evaluations: int) -> None:
        self.search = search
        self.bundles: list[Bundle] = search.job.bundles
        count = len(self.bundles)
        choices = search.choices
        self.order = sorted(range(count), key=lambda k: (len(choices[k]), k))
        self.left = evaluations
        self.several = False
        """Plans from a single node are known already: what is left to find has two or more."""
        self.fresh: list[list[tuple[int, int, int]]] = []
        """By depth: score of the bundle on a node not yet open, the node, its freight."""
        self.tail: list[int] = []
        self.opening: list[int] = []
        self.carries: dict[int, int] = {}
        self.later: list[int] = []
        self.must_open: dict[int, int] = {}
        """Set of depths no open node carries, and whether more than one node may still be opened
        (the last bit) -> the least that opening nodes for them adds."""
        self.weights: dict[int, tuple[int, int, int]] = {}
        """By open node: grams, dimensional grams and the freight of what it sends so far."""
        self.pieces: list[Piece] = []

    def descend(self) -> None:
        """Offers every plan that can be the best or the runner-up."""
        search = self.search
        self.several = all(search.choices) and not (search.job.overlap or search.partial)
        if self.several:
            search.whole()
            if search.max_nodes == 1 or self._least() > search.limit:
                return
        self.fresh = [self._fresh(k) for k in self.order]
        self.tail, self.opening = self._tails()
        self.carries, self.later = self._coverage()
        if self.several and search.max_nodes == 2:
            self.left = Pairs(self).descend()
        else:
            self._descend()
        if self.left <= 0:
            search.exact = False

    def _descend(self) -> None:
        # The first node is not a split: its surcharge is taken off at the start.
        self._bundle(0, -self.search.rules.split, 0)

    def _fresh(self, k: int) -> list[tuple[int, int, int]]:
        search, bundle = self.search, self.bundles[k]
        row = search.view.rows[bundle.billable(bundle.quantity, search.rules.tare)]
        zones, fixed, split = search.view.cell.zones, search.fixed, search.rules.split
        choice = search.choices[k].items()
        return sorted([(c + fixed[n] + row[zones[n]] + split, n, row[zones[n]]) for n, c in choice])

    def _tails(self) -> tuple[list[int], list[int]]:
        """By depth, over this and all later bundles: the least they cost without nodes and
        packages, and the least that opening a node for one of them adds."""
        search, count = self.search, len(self.order)
        tail, opening = [0] * (count + 1), [NO_LIMIT] * (count + 1)
        for depth in range(count - 1, -1, -1):
            k = self.order[depth]
            costs = [
                *search.choices[k].values(),
                *[cost for cost, _ in search.divided[k]],
            ]
            if search.partial:
                costs.append(search.open_score(k) * self.bundles[k].quantity)
            least = min(costs)
            tail[depth] = tail[depth + 1] + least
            opening[depth] = opening[depth + 1]
            if self.fresh[depth]:
                opening[depth] = min(opening[depth], self.fresh[depth][0][0] - least)
        return tail, opening

    def _coverage(self) -> tuple[dict[int, int], list[int]]:
        """By node, the set of depths it carries (a bit each); by depth, the set of all from there
        on that only a node can fill: they are not split and may not stay open."""
        carries = dict.fromkeys(self.search.fixed, 0)
        later = [0] * (len(self.order) + 1)
        for depth in range(len(self.order) - 1, -1, -1):
            later[depth] = later[depth + 1]
            if not self.search.divided[self.order[depth]] and not self.search.partial:
                later[depth] |= 1 << depth
            for node in self.search.choices[self.order[depth]]:
                carries[node] |= 1 << depth
        return carries, later

    def opens(self, missing: int, left: int) -> int:
        """The least that opening nodes for a set of depths adds, with `left` nodes to open: all of
        them from one node, or, as far as more may be opened, what the dearest adds and what the
        two cheapest add together."""
        if not missing:
            return 0
        key = missing << 1 | (left > 1)
        found = self.must_open.get(key)
        if found is None:
            depths = [depth for depth in range(len(self.order)) if missing >> depth & 1]
            least = [self.tail[depth] - self.tail[depth + 1] for depth in depths]
            adds = [self.fresh[d][0][0] - one for d, one in zip(depths, least, strict=True)]
            found = adds[0]
            if len(depths) > 1:
                found = self._together(depths) - sum(least)
                if left > 1:
                    adds.sort()
                    found = min(found, max(adds[-1], adds[0] + adds[1]))
            self.must_open[key] = found
        return found

    def _together(self, depths: list[int]) -> int:
        """What bundles cost at the cheapest node that carries them all."""
        search = self.search
        choices = [search.choices[self.order[depth]] for depth in depths]
        nodes = choices[0].keys() & choices[1].keys()
        for choice in choices[2:]:
            nodes &= choice.keys()
        if not nodes:
            return NO_LIMIT
        bundles = [self.bundles[self.order[depth]] for depth in depths]
        grams = sum([bundle.grams * bundle.quantity for bundle in bundles])
        dimensional = sum([bundle.dimensional * bundle.quantity for bundle in bundles])
        row = search.view.rows[max(grams, dimensional) + search.rules.tare if grams else 0]
        zones, fixed = search.view.cell.zones, search.fixed
        return search.rules.split + min(
            [fixed[n] + row[zones[n]] + sum([choice[n] for choice in choices]) for n in nodes]
        )

    def _least(self) -> int:
        """No plan from two nodes or more scores less: at least two bundles open a node each, the
        others cost what they cost at their cheapest node."""
        search = self.search
        rows, zones, fixed = search.view.rows, search.view.cell.zones, search.fixed
        total, adds = search.rules.split, []
        for bundle, choice in zip(self.bundles, search.choices, strict=True):
            row = rows[bundle.billable(bundle.quantity, search.rules.tare)]
            least = min(choice.values())
            opened = min([c + fixed[n] + row[zones[n]] for n, c in choice.items()])
            total += least
            adds.append(opened - least)
        adds.sort()
        return total + adds[0] + adds[1]

    def _bundle(self, depth: int, score: int, cover: int) -> None:
        """Places the bundle of a depth and all later ones; `cover` is what open nodes carry."""
        self.left -= 1
        if self.left <= 0:
            return
        if depth == len(self.order):
            self._finish(score)
            return
        search, weights = self.search, self.weights
        k = self.order[depth]
        bundle = self.bundles[k]
        if weights:
            self._join(depth, score, cover, k, bundle)
        if len(weights) < search.max_nodes:
            self._open(depth, score, cover, k, bundle)
        rest = score + self.tail[depth + 1]
        for cost, parts in search.divided[k]:  # Cheapest first; nodes and packages only add to it.
            if cost + rest > search.limit or self.left <= 0:
                break
            self._divide(depth, score + cost, cover, parts)
        if search.partial:
            opened = score + search.open_score(k) * bundle.quantity
            if opened + self.tail[depth + 1] <= search.limit:
                self._bundle(depth + 1, opened, cover)

    def _join(self, depth: int, score: int, cover: int, k: int, bundle: Bundle) -> None:
        """Tries the bundle in the packages of nodes already open."""
        search, weights, choice = self.search, self.weights, self.search.choices[k]
        rows, zones, tare = search.view.rows, search.view.cell.zones, search.rules.tare
        missing = self.later[depth + 1] & ~cover
        left = search.max_nodes - len(weights)
        if missing and not left:
            return
        rest = self.tail[depth + 1] + self.opens(missing, left)
        if self.several and not missing and len(weights) == 1:
            rest += self.opening[depth + 1]
        quantity = bundle.quantity
        for node, before in list(weights.items()):
            cost = choice.get(node)
            if cost is None:
                continue
            grams = before[0] + bundle.grams * quantity
            dimensional = before[1] + bundle.dimensional * quantity
            freight = rows[max(grams, dimensional) + tare if grams else 0][zones[node]]
            joined = score + cost + freight - before[2]
            if joined + rest > search.limit:
                continue
            if search.job.overlap and not self._enough([(node, k, quantity)]):
                continue
            weights[node] = (grams, dimensional, freight)
            self.pieces.append((node, k, quantity))
            self._bundle(depth + 1, joined, cover)
            self.pieces.pop()
            weights[node] = before

    def _open(self, depth: int, score: int, cover: int, k: int, bundle: Bundle) -> None:
        """Tries the bundle in a package of its own, from nodes not yet open."""
        search, weights, pieces = self.search, self.weights, self.pieces
        carries, later, overlap = (
            self.carries,
            self.later[depth + 1],
            search.job.overlap,
        )
        rest = score + self.tail[depth + 1]
        if self.several and not weights:
            rest += self.opening[depth + 1]
        left = search.max_nodes - len(weights) - 1
        quantity = bundle.quantity
        weight = (bundle.grams * quantity, bundle.dimensional * quantity)
        for least, node, freight in self.fresh[depth]:
            if least + rest > search.limit:
                break
            if node in weights:
                continue
            missing = later & ~(cover | carries[node])
            if missing:
                opens = self.opens(missing, left) if left else NO_LIMIT
                if score + least + self.tail[depth + 1] + opens > search.limit:
                    continue
            if overlap and not self._enough([(node, k, quantity)]):
                continue
            weights[node] = (*weight, freight)
            pieces.append((node, k, quantity))
            self._bundle(depth + 1, score + least, cover | carries[node])
            pieces.pop()
            del weights[node]

    def _divide(self, depth: int, score: int, cover: int, parts: tuple[Piece, ...]) -> None:
        """Tries a split bundle: part of it may join open nodes, part opens new ones."""
        search, weights = self.search, self.weights
        self.left -= 1
        if search.job.overlap and not self._enough(list(parts)):
            return
        if len(weights) + sum(node not in weights for node, _, _ in parts) > search.max_nodes:
            return
        rows, zones, rules = search.view.rows, search.view.cell.zones, search.rules
        before = {node: weights.get(node) for node, _, _ in parts}
        for node, k, quantity in parts:
            known = weights.get(node)
            if known is None:
                score += search.fixed[node] + rules.split
                known = (0, 0, 0)
            grams = known[0] + self.bundles[k].grams * quantity
            dimensional = known[1] + self.bundles[k].dimensional * quantity
            freight = rows[max(grams, dimensional) + rules.tare if grams else 0][zones[node]]
            score += freight - known[2]
            weights[node] = (grams, dimensional, freight)
            cover |= self.carries[node]
        if score + self.tail[depth + 1] <= search.limit:
            self.pieces.extend(parts)
            self._bundle(depth + 1, score, cover)
            del self.pieces[-len(parts) :]
        for node, weight in before.items():
            if weight is None:
                del weights[node]
            else:
                weights[node] = weight

    def _enough(self, parts: list[Piece]) -> bool:
        """Bundles that draw on one column find enough in it together."""
        wanted: dict[tuple[int, int], int] = {}
        columns: dict[int, Column] = {}
        for node, k, quantity in (*self.pieces, *parts):
            for need in self.bundles[k].needs:
                columns[id(need.column)] = need.column
                key = (id(need.column), node)
                wanted[key] = wanted.get(key, 0) + need.units * quantity
        return all(columns[key[0]].left.get(key[1], 0) >= units for key, units in wanted.items())

    def _finish(self, score: int) -> None:
        search, weights = self.search, self.weights
        if len(weights) < 2:
            if self.several and weights:
                return
            score += 0 if weights else search.rules.split
        pieces = tuple(sorted(self.pieces))
        if not search.worth_splitting(pieces, len(weights)):
            return
        if search.job.budget is not None and not search.affordable(pieces):
            return
        meters = search.view.cell.meters
        search.offer((score, len(weights), sum([meters[node] for node in weights]), pieces))
