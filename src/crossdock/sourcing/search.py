"""The cheapest plans of one order, found exactly: branch and bound over bundles and nodes.

A plan's score is its cost, behind what the policy puts first (distance, number of nodes) and,
before all, the units left open: no money buys an unfilled unit. Ties go to fewer nodes, then the
shorter distance, then the lower node codes.

The bound is admissible because freight never falls with weight (the policy is checked for it) and
a node's own cost is never below zero; the search is exact unless it runs out of evaluations.
"""

from __future__ import annotations

from itertools import combinations

from crossdock.sourcing.jobs import Desk, Job, Options, View, bundle_cost, bundle_units
from crossdock.sourcing.policy import Step

Piece = tuple[int, int, int]
"""Node, bundle, how many of it."""

Plan = tuple[int, int, int, tuple[Piece, ...]]
"""Score, number of nodes, metres, pieces by node and bundle. Plans compare as they are ranked."""

OPEN_UNIT = 10**12
"""What a unit left open weighs against money."""
FIRST = 10**10
"""What one metre or one node weighs against money where the policy puts it first."""
OPEN_UNIT_OVER_FIRST = 10**22

DRAINED_NODES = 12
"""Split lines: how many of the cheapest nodes are combined."""

KEPT_PLANS = 10


class Rules:
    """The policy's numbers the search needs, for one step."""

    __slots__ = (
        "by_distance",
        "day_minor",
        "day_percent",
        "evaluations",
        "max_days_late",
        "max_nodes",
        "max_nodes_per_line",
        "min_order_value",
        "min_shipment_value",
        "open_percent",
        "open_unit",
        "respects_budget",
        "split",
        "tare",
    )

    def __init__(self, desk: Desk, step: Step) -> None:
        policy = desk.policy
        self.by_distance = FIRST if policy.choose == "nearest" else 0
        self.split = policy.split.cost_minor + (FIRST if policy.choose == "fewest_nodes" else 0)
        over = OPEN_UNIT if policy.choose == "cost" else OPEN_UNIT_OVER_FIRST
        self.open_unit = over + policy.unfilled.penalty_minor
        self.open_percent = policy.unfilled.penalty_percent
        late = policy.cost.lateness
        self.day_minor = late.day_minor
        self.day_percent = late.day_percent
        self.max_days_late = None if "late" in step.ignore else late.max_days
        self.max_nodes = step.max_nodes
        self.max_nodes_per_line = step.max_nodes_per_line
        self.min_order_value = policy.split.min_order_value_minor
        lenient = "min_shipment_value" in step.ignore
        self.min_shipment_value = 0 if lenient else policy.split.min_shipment_value_minor
        self.respects_budget = "margin_floor" not in step.ignore
        self.evaluations = policy.search.exact_evaluations
        self.tare = desk.tare


class Search:
    """One order in one step: the options of its bundles, and the best plans found."""

    def __init__(
        self, job: Job, view: View, desk: Desk, rules: Rules, step: int, *, partial: bool
    ) -> None:
        self.job = job
        self.step = step
        self.partial = partial
        self.view = view
        self.desk = desk
        self.rules = rules
        self.options: list[Options] = []
        self.short: list[dict[int, int]] = []
        self.late: list[int] = []
        """Nodes that would arrive beyond the last day."""
        self.dear: list[int] = []
        """Nodes whose freight and handling alone break the margin floor."""
        self.plans: list[Plan] = []
        self.exact = True
        self.max_nodes = rules.max_nodes
        if job.value < rules.min_order_value:
            self.max_nodes = 1
        self._left = rules.evaluations
        self._fixed: dict[int, int | None] = {}

    def open_score(self, number: int) -> int:
        """What leaving one of a bundle open weighs."""
        bundle = self.job.bundles[number]
        units = sum(share.line.quantity for share in bundle.shares) if bundle.whole else 1
        return self.rules.open_unit * units + bundle.unit_value * self.rules.open_percent // 100

    def node_cost(self, node: int) -> int | None:
        """What sending anything from a node costs beside freight; None where it may not send."""
        try:
            return self._fixed[node]
        except KeyError:
            pass
        view, rules = self.view, self.rules
        cost: int | None = view.open_cost[node]
        zone = view.cell.zones[node]
        days = view.arrivals[view.leave[node]][zone] - self.job.promise
        if days > 0:
            if rules.max_days_late is not None and days > rules.max_days_late:
                self.late.append(node)
                cost = None
            else:
                assert cost is not None
                cost += days * (rules.day_minor + self.job.value * rules.day_percent // 100)
        if cost is not None and rules.by_distance:
            cost += view.cell.meters[node] * rules.by_distance
        self._fixed[node] = cost
        return cost

    def single(self) -> None:
        """Plans of an order of one bundle from one node: the hot path."""
        job, view, rules = self.job, self.view, self.rules
        bundle = job.bundles[0]
        quantity = bundle.quantity
        grams = max(bundle.grams, bundle.dimensional) * quantity
        row = view.rows[grams + rules.tare if grams else 0]
        zones, meters, leave = view.cell.zones, view.cell.meters, view.leave
        arrivals, open_cost, promise = view.arrivals, view.open_cost, job.promise
        by_distance = rules.by_distance
        found: list[tuple[int, int, int]] = []
        for node, cost in self.options[0]:
            zone = zones[node]
            if arrivals[leave[node]][zone] > promise:
                fixed = self.node_cost(node)
                if fixed is None:
                    continue
                cost += fixed + row[zone]
            else:
                cost += open_cost[node] + row[zone]
                if by_distance:
                    cost += meters[node] * by_distance
            found.append((cost, meters[node], node))
        found.sort()
        if job.budget is not None and rules.respects_budget:
            found = [one for one in found if self._affordable(((one[2], 0, quantity),))]
        self.plans = [
            (cost, 1, far, ((node, 0, quantity),)) for cost, far, node in found[:KEPT_PLANS]
        ]

    def run(self) -> None:
        """Plans of any order; with `partial`, units may stay open."""
        job, partial = self.job, self.partial
        count = len(job.bundles)
        self._choices: list[dict[int, int]] = []
        for options in self.options:
            choice = {}
            for node, cost in options:
                if self.node_cost(node) is not None:
                    choice[node] = cost
            self._choices.append(choice)
        self._divided = [self._divisions(k, partial=partial) for k in range(count)]
        if not partial and not all(
            choice or divided for choice, divided in zip(self._choices, self._divided, strict=True)
        ):
            return
        if all(self._choices) and not job.overlap:
            self._whole()
            if self._whole_is_best():
                return
        order = sorted(range(count), key=lambda k: (len(self._choices[k]), k))
        _Branch(self, order, partial=partial).descend()
        self.plans.sort()

    def offer(self, plan: Plan) -> None:
        """Keeps a plan if it is among the best."""
        plans = self.plans
        if len(plans) >= KEPT_PLANS and plan >= plans[-1]:
            return
        if plan in plans:
            return
        plans.append(plan)
        plans.sort()
        del plans[KEPT_PLANS:]

    def bound(self) -> int | None:
        """Score above which a plan is neither the best nor the runner-up; None is no bound yet."""
        return self.plans[1][0] if len(self.plans) > 1 else None

    def _whole(self) -> None:
        """Every plan from a single node."""
        job, view, rules = self.job, self.view, self.rules
        grams = sum(b.grams * b.quantity for b in job.bundles)
        dimensional = sum(b.dimensional * b.quantity for b in job.bundles)
        row = view.rows[max(grams, dimensional) + rules.tare if grams else 0]
        zones, meters = view.cell.zones, view.cell.meters
        first = min(self._choices, key=len)
        others = [choice for choice in self._choices if choice is not first]
        found = []
        for node, cost in first.items():
            for other in others:
                more = other.get(node)
                if more is None:
                    break
                cost += more
            else:
                cost += self._fixed[node] + row[zones[node]]  # type: ignore[operator]
                found.append((cost, meters[node], node))
        found.sort()
        whole = [
            (cost, 1, far, tuple((node, k, b.quantity) for k, b in enumerate(job.bundles)))
            for cost, far, node in found[:KEPT_PLANS]
        ]
        if job.budget is not None and rules.respects_budget:
            whole = [plan for plan in whole if self._affordable(plan[3])]
        self.plans = whole

    def _whole_is_best(self) -> bool:
        """No plan from two nodes can be the best or the runner-up."""
        if self.max_nodes == 1:
            return True
        bound = self.bound()
        if bound is None:
            return False
        view, rules = self.view, self.rules
        lightest = min(max(b.grams, b.dimensional) * b.quantity for b in self.job.bundles)
        row = view.rows[lightest + rules.tare if lightest else 0]
        zones = view.cell.zones
        fixed = self._fixed
        nodes = set().union(*self._choices)
        cheapest = min(fixed[node] + row[zones[node]] for node in nodes)  # type: ignore[operator]
        least = rules.split + 2 * cheapest + sum(min(c.values()) for c in self._choices)
        return least > bound

    def _affordable(self, pieces: tuple[Piece, ...]) -> bool:
        """Freight and handling stay within the margin floor's budget."""
        budget = self.job.budget
        if budget is None or not self.rules.respects_budget:
            return True
        spent = 0
        by_node: dict[int, list[tuple[int, int]]] = {}
        for node, k, quantity in pieces:
            by_node.setdefault(node, []).append((k, quantity))
        for node, parts in by_node.items():
            spent += self.cash(node, parts)
        if spent > budget and len(by_node) == 1:
            self.dear.extend(by_node)
        return spent <= budget

    def cash(self, node: int, parts: list[tuple[int, int]]) -> int:
        """Freight and handling of bundles leaving one node."""
        facts = self.desk.network.nodes[node]
        spent = facts.handling_order_minor or self.desk.policy.cost.handling.order_minor
        grams = dimensional = 0
        for k, quantity in parts:
            bundle = self.job.bundles[k]
            grams += bundle.grams * quantity
            dimensional += bundle.dimensional * quantity
            spent += bundle.freight_line + bundle.freight_unit * quantity
            spent += sum(self.desk.unit[node] * need.units for need in bundle.needs) * quantity
        billable = max(grams, dimensional) + self.rules.tare if grams else 0
        return spent + self.view.rows[billable][self.view.cell.zones[node]]

    def _divisions(self, number: int, *, partial: bool) -> list[tuple[int, tuple[Piece, ...]]]:
        """Ways to split a bundle no single node can fill: all but the last node give all they have.

        Each with its cost and, where even that is not enough and `partial` allows, what stays open.
        """
        bundle = self.job.bundles[number]
        most = 1 if bundle.whole else min(self.rules.max_nodes_per_line, self.max_nodes)
        if self._choices[number] or bundle.whole or (most == 1 and not partial):
            return []
        held = {}
        for node in self.short[number]:
            if self.node_cost(node) is not None:
                units = bundle_units(bundle, node, self.view)
                if units > 0:
                    held[node] = units
        if len(held) > DRAINED_NODES:
            self.exact = False
            ranked = sorted(held, key=lambda n: (self._alone(number, n, held[n]), n))
            held = {node: held[node] for node in sorted(ranked[:DRAINED_NODES])}
        divisions = self._complete(number, held, most)
        if not divisions and partial:
            divisions = self._incomplete(number, held, most)
        return sorted(divisions)

    def _complete(
        self, number: int, held: dict[int, int], most: int
    ) -> list[tuple[int, tuple[Piece, ...]]]:
        wanted = self.job.bundles[number].quantity
        found = []
        for size in range(1, most):
            for drained in combinations(sorted(held), size):
                rest = wanted - sum(held[node] for node in drained)
                if rest <= 0:
                    continue
                for last in held:
                    if held[last] >= rest and last not in drained:
                        pieces = [(node, number, held[node]) for node in drained]
                        found.append(self._division([*pieces, (last, number, rest)]))
        return found

    def _incomplete(
        self, number: int, held: dict[int, int], most: int
    ) -> list[tuple[int, tuple[Piece, ...]]]:
        wanted = self.job.bundles[number].quantity
        found = []
        for size in range(1, most + 1):
            for drained in combinations(sorted(held), size):
                given = sum(held[node] for node in drained)
                if given >= wanted:
                    continue
                cost, pieces = self._division([(node, number, held[node]) for node in drained])
                found.append((cost + self.open_score(number) * (wanted - given), pieces))
        return found

    def _division(self, pieces: list[Piece]) -> tuple[int, tuple[Piece, ...]]:
        cost = sum(
            bundle_cost(self.job.bundles[k], node, quantity, self.view, self.desk)
            for node, k, quantity in pieces
        )
        return cost, tuple(sorted(pieces))

    def _alone(self, number: int, node: int, quantity: int) -> int:
        """What a node would cost for its part of a bundle alone, per unit."""
        bundle = self.job.bundles[number]
        grams = max(bundle.grams, bundle.dimensional) * quantity
        row = self.view.rows[grams + self.rules.tare if grams else 0]
        cost = self._fixed[node] or 0
        cost += row[self.view.cell.zones[node]]
        cost += bundle_cost(bundle, node, quantity, self.view, self.desk)
        return cost // quantity


class _Branch:
    """Depth-first over bundles, hardest first; nodes already open are tried before new ones."""

    def __init__(self, search: Search, order: list[int], *, partial: bool) -> None:
        self.search = search
        self.order = order
        self.partial = partial
        self.left = search.rules.evaluations
        rows, zones = search.view.rows, search.view.cell.zones
        tare, split = search.rules.tare, search.rules.split
        bundles = search.job.bundles
        self.fresh: list[list[tuple[int, int, int]]] = []
        """By depth: cost of a bundle on a node not yet open, the node, the bundle's own cost."""
        self.tail = [0] * (len(order) + 1)
        """By depth: the least that all later bundles cost, without their nodes and packages."""
        for k in order:
            grams = max(bundles[k].grams, bundles[k].dimensional) * bundles[k].quantity
            row = rows[grams + tare if grams else 0]
            fixed = search._fixed
            self.fresh.append(
                sorted(
                    (cost + (fixed[node] or 0) + row[zones[node]] + split, node, cost)
                    for node, cost in search._choices[k].items()
                )
            )
        for depth in range(len(order) - 1, -1, -1):
            k = order[depth]
            costs = [*search._choices[k].values()]
            costs += [cost for cost, _ in search._divided[k]]
            if partial or not costs:
                costs.append(search.open_score(k) * bundles[k].quantity)
            self.tail[depth] = self.tail[depth + 1] + min(costs)
        self.weights: dict[int, tuple[int, int, int]] = {}
        """By open node: grams, dimensional grams and the freight of what it sends so far."""
        self.pieces: list[Piece] = []

    def descend(self) -> None:
        """Offers every plan that can be the best or the runner-up."""
        # The first node is not a split: its surcharge is taken off at the start.
        self._bundle(0, -self.search.rules.split)
        if self.left <= 0:
            self.search.exact = False

    def _bundle(self, depth: int, score: int) -> None:
        self.left -= 1
        if self.left <= 0:
            return
        if depth == len(self.order):
            self._finish(score)
            return
        k = self.order[depth]
        rest = self.tail[depth + 1]
        choice = self.search._choices[k]
        quantity = self.search.job.bundles[k].quantity
        for node in list(self.weights):
            cost = choice.get(node)
            if cost is not None:
                self._try(depth, score + cost, rest, [(node, k, quantity)])
        if len(self.weights) < self.search.max_nodes:
            for least, node, cost in self.fresh[depth]:
                bound = self.search.bound()
                if bound is not None and score + least + rest > bound:
                    break
                if node not in self.weights:
                    self._try(depth, score + cost, rest, [(node, k, quantity)])
        for cost, pieces in self.search._divided[k]:
            self._try(depth, score + cost, rest, list(pieces))
        if self.partial:
            opened = score + self.search.open_score(k) * quantity
            bound = self.search.bound()
            if bound is None or opened + rest <= bound:
                self._bundle(depth + 1, opened)

    def _try(self, depth: int, score: int, rest: int, pieces: list[Piece]) -> None:
        """Goes on with these pieces unless they break a rule or cannot beat what is known."""
        search = self.search
        if search.job.overlap and not self._enough(pieces):
            return
        before = {node: self.weights.get(node) for node, _, _ in pieces}
        if len(self.weights) + sum(v is None for v in before.values()) > search.max_nodes:
            return
        rows, zones = search.view.rows, search.view.cell.zones
        for node, k, quantity in pieces:
            bundle = search.job.bundles[k]
            known = self.weights.get(node)
            if known is None:
                score += (search._fixed[node] or 0) + search.rules.split
                known = (0, 0, 0)
            grams = known[0] + bundle.grams * quantity
            dimensional = known[1] + bundle.dimensional * quantity
            billable = max(grams, dimensional) + search.rules.tare if grams else 0
            freight = rows[billable][zones[node]]
            score += freight - known[2]
            self.weights[node] = (grams, dimensional, freight)
        bound = search.bound()
        if bound is None or score + rest <= bound:
            self.pieces.extend(pieces)
            self._bundle(depth + 1, score)
            del self.pieces[-len(pieces) :]
        for node, weight in before.items():
            if weight is None:
                del self.weights[node]
            else:
                self.weights[node] = weight

    def _enough(self, pieces: list[Piece]) -> bool:
        """Bundles that draw on one column find enough together."""
        wanted: dict[tuple[int, int], int] = {}
        columns = {}
        for node, k, quantity in (*self.pieces, *pieces):
            for need in self.search.job.bundles[k].needs:
                key = (id(need.column), node)
                columns[key] = need.column
                wanted[key] = wanted.get(key, 0) + need.units * quantity
        return all(columns[key].left.get(key[1], 0) >= units for key, units in wanted.items())

    def _finish(self, score: int) -> None:
        search = self.search
        if not self.weights:
            score += search.rules.split
        pieces = tuple(sorted(self.pieces))
        if not self._worth_it(pieces) or not search._affordable(pieces):
            return
        meters = search.view.cell.meters
        distance = sum(meters[node] for node in self.weights)
        search.offer((score, len(self.weights), distance, pieces))

    def _worth_it(self, pieces: tuple[Piece, ...]) -> bool:
        """Every shipment of a split order is worth the least the policy allows."""
        least = self.search.rules.min_shipment_value
        if not least or len(self.weights) < 2:
            return True
        worth = dict.fromkeys(self.weights, 0)
        for node, k, quantity in pieces:
            worth[node] += self.search.job.bundles[k].unit_value * quantity
        return min(worth.values()) >= least
