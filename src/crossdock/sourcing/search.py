"""The cheapest plans of one order, found exactly.

A plan's score is its cost, behind what the policy puts first (distance, number of nodes) and,
before all, the units left open: no money buys an unfilled unit. Ties go to fewer nodes, then the
shorter distance, then the lower node codes.
"""

from __future__ import annotations

from bisect import insort

from crossdock.sourcing.divide import Division, divisions
from crossdock.sourcing.freight import Lateness
from crossdock.sourcing.jobs import Desk, Job, Options, Piece, View
from crossdock.sourcing.rules import Rules

Plan = tuple[int, int, int, tuple[Piece, ...]]
"""Score, number of nodes, metres, pieces by node and bundle. Plans compare as they are ranked."""

NO_LIMIT = 1 << 200


class Search:
    """One order in one step: the options of its bundles, and the best plans found."""

    __slots__ = (
        "choices",
        "dear",
        "desk",
        "divided",
        "exact",
        "fixed",
        "job",
        "kept",
        "late",
        "limit",
        "max_nodes",
        "options",
        "partial",
        "plans",
        "rules",
        "short",
        "step",
        "view",
        "wanted",
    )

    def __init__(
        self,
        job: Job,
        view: View,
        desk: Desk,
        rules: Rules,
        step: int,
        *,
        partial: bool,
    ) -> None:
        self.job = job
        self.step = step
        self.partial = partial
        self.view = view
        self.desk = desk
        self.rules = rules
        self.options: list[Options] = []
        """By bundle."""
        self.short: list[dict[int, int]] = []
        """By bundle, the nodes that hold some of it, but too little."""
        self.late: list[int] = []
        """Nodes that would arrive beyond the last day."""
        self.dear: list[int] = []
        """Nodes whose freight and handling alone break the margin floor."""
        self.plans: list[Plan] = []
        """Best first."""
        self.limit = NO_LIMIT
        """Score above which a plan is neither the best nor the runner-up."""
        self.kept = rules.kept
        """How many plans are kept."""
        self.wanted = 2
        """How many of them are to be the best there are."""
        self.exact = True
        self.max_nodes = 1 if job.value < rules.min_order_value else rules.max_nodes
        self.fixed: dict[int, int] = {}
        """What sending anything from a node costs beside freight; without those too late."""
        self.choices: list[dict[int, int]] = []
        """By bundle, its cost at each node that can fill it and is not too late."""
        self.divided: list[list[Division]] = []
        """By bundle, the ways to split it."""

    def single(self) -> None:
        """Plans of an order of one bundle from one node: the hot path."""
        job, view, rules = self.job, self.view, self.rules
        bundle = job.bundles[0]
        quantity = bundle.quantity
        row = view.rows[bundle.billable(quantity, rules.tare)]
        zones, meters, leave = view.cell.zones, view.cell.meters, view.leave
        open_cost, lateness = view.open_cost, self._lateness()
        by_distance = rules.by_distance
        found: list[tuple[int, int, int]] = []
        for node, cost in self.options[0].items():
            zone = zones[node]
            late = lateness[leave[node]][zone]
            if late is None:
                self.late.append(node)
                continue
            cost += open_cost[node] + row[zone] + late
            if by_distance:
                cost += meters[node] * by_distance
            found.append((cost, meters[node], node))
        found.sort()
        if job.budget is not None:
            found = [one for one in found if self.affordable(((one[2], 0, quantity),))]
        self.plans = [
            (cost, 1, far, ((node, 0, quantity),)) for cost, far, node in found[: self.kept]
        ]

    def prepare(self) -> bool:
        """Costs of nodes and bundles; False when some bundle can be had nowhere and must be."""
        view, rules = self.view, self.rules
        zones, meters, leave = view.cell.zones, view.cell.meters, view.leave
        open_cost, lateness = view.open_cost, self._lateness()
        by_distance = rules.by_distance
        fixed = self.fixed
        nodes = set().union(*self.options, *self.short)
        for node in nodes:
            late = lateness[leave[node]][zones[node]]
            if late is None:
                self.late.append(node)
            else:
                fixed[node] = open_cost[node] + late
        if by_distance:
            for node in fixed:
                fixed[node] += meters[node] * by_distance
        too_late = set(self.late)
        for k, options in enumerate(self.options):
            choice = options
            if too_late:
                choice = {node: cost for node, cost in options.items() if node not in too_late}
            self.choices.append(choice)
            self.divided.append([] if choice else divisions(self, k))
            if not (choice or self.divided[k] or self.partial):
                return False
        return True

    def offer(self, plan: Plan) -> None:
        """Keeps a plan if it is among the best."""
        plans = self.plans
        insort(plans, plan)
        del plans[self.kept :]
        if len(plans) >= self.wanted:
            self.limit = plans[self.wanted - 1][0]

    def whole(self) -> None:
        """Offers every plan from a single node."""
        job, view, choices, fixed = self.job, self.view, self.choices, self.fixed
        nodes = choices[0].keys() & choices[1].keys()
        for choice in choices[2:]:
            nodes &= choice.keys()
        if not nodes:
            return
        grams = sum([b.grams * b.quantity for b in job.bundles])
        dimensional = sum([b.dimensional * b.quantity for b in job.bundles])
        row = view.rows[max(grams, dimensional) + self.rules.tare if grams else 0]
        zones, meters = view.cell.zones, view.cell.meters
        found = []
        for node in nodes:
            cost = fixed[node] + row[zones[node]]
            for choice in choices:
                cost += choice[node]
            found.append((cost, meters[node], node))
        found.sort()
        for cost, far, node in found:
            pieces = tuple([(node, k, b.quantity) for k, b in enumerate(job.bundles)])
            if job.budget is None or self.affordable(pieces):
                self.plans.append((cost, 1, far, pieces))
                if len(self.plans) == self.kept:
                    break
        if len(self.plans) >= self.wanted:
            self.limit = self.plans[self.wanted - 1][0]

    def open_score(self, number: int) -> int:
        """What leaving one of a bundle open weighs."""
        bundle = self.job.bundles[number]
        units = sum(share.line.quantity for share in bundle.shares) if bundle.whole else 1
        return self.rules.open_unit * units + bundle.unit_value * self.rules.open_percent // 100

    def all_open_score(self) -> int:
        """The score of sending nothing."""
        return sum([self.open_score(k) * b.quantity for k, b in enumerate(self.job.bundles)])

    def _lateness(self) -> Lateness:
        """What arriving late costs this order."""
        rules, job, known = self.rules, self.job, self.view.late
        minor_a_day = rules.day_minor + job.value * rules.day_percent // 100
        found = known.get((job.promise, minor_a_day))
        if found is None:
            found = Lateness(self.view.arrivals, job.promise, minor_a_day, rules.max_days_late)
            known[job.promise, minor_a_day] = found
        return found

    def affordable(self, pieces: tuple[Piece, ...]) -> bool:
        """Freight and handling stay within what the margin floor leaves of the pieces' value."""
        job = self.job
        budget = job.budget
        if budget is None or not self.rules.respects_budget:
            return True
        given = [0] * len(job.bundles)
        by_node: dict[int, list[tuple[int, int]]] = {}
        for node, k, quantity in pieces:
            by_node.setdefault(node, []).append((k, quantity))
            given[k] += quantity
        for k, bundle in enumerate(job.bundles):
            budget -= (bundle.quantity - given[k]) * bundle.unit_gain
        spent = sum(self._cash(node, parcels) for node, parcels in by_node.items())
        if spent > budget and len(by_node) == 1:
            self.dear.extend(by_node)
        return spent <= budget

    def worth_splitting(self, pieces: tuple[Piece, ...], nodes: int) -> bool:
        """Every shipment of a split order is worth the least the policy allows."""
        least = self.rules.min_shipment_value
        if not least or nodes < 2:
            return True
        worth: dict[int, int] = {}
        for node, k, quantity in pieces:
            value = self.job.bundles[k].unit_value * quantity
            worth[node] = worth.get(node, 0) + value
        return min(worth.values()) >= least

    def _cash(self, node: int, parcels: list[tuple[int, int]]) -> int:
        """Freight and handling of bundles leaving one node."""
        spent = self.desk.order_cost[node]
        grams = dimensional = 0
        zone = self.view.cell.zones[node]
        for k, quantity in parcels:
            bundle = self.job.bundles[k]
            grams += bundle.grams * quantity
            dimensional += bundle.dimensional * quantity
            spent += bundle.freight_line + bundle.freight_unit * quantity
            for product, _, units, _ in bundle.needs:
                spent += self.desk.unit[node] * units * quantity
                if product.facts.ships_alone:
                    spent += (
                        self.view.rows[product.billable(self.rules.tare)][zone] * units * quantity
                    )
        billable = max(grams, dimensional) + self.rules.tare if grams else 0
        return spent + self.view.rows[billable][zone]
