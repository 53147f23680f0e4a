"""From a plan to the Decision that is stored: costs by part, what is open, what was left out."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

from crossdock.sourcing.eligibility import LATE, MARGIN_FLOOR, REASONS
from crossdock.sourcing.jobs import Bundle, Job, Piece, Share, need_parts, options_of
from crossdock.sourcing.model import (
    Candidate,
    CostParts,
    PlannedLine,
    PlannedNode,
    Reason,
    Unfilled,
)
from crossdock.sourcing.search import Plan, Search

ByNode = dict[int, list[tuple[int, int]]]
"""Node -> bundles and how many of each."""


@lru_cache(maxsize=1000)
def day_of(ordinal: int) -> date:
    """The date of an ordinal; the same few days are asked for again and again."""
    return date.fromordinal(ordinal)


def by_node(pieces: tuple[Piece, ...]) -> ByNode:
    """The pieces of a plan, node by node in the order of their positions."""
    found: ByNode = {}
    for node, k, quantity in pieces:
        if node in found:
            found[node].append((k, quantity))
        else:
            found[node] = [(k, quantity)]
    return found


class Accountant:
    """Costs the plans of one search by part, in the state the search saw."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.job: Job = search.job
        self.view = search.view
        self.desk = search.desk
        self.split_minor = search.desk.policy.split.cost_minor

    def parts(self, node: int, parcels: list[tuple[int, int]], *, first: bool) -> CostParts:
        """What sending these bundles from a node costs."""
        bundles, view, desk = self.job.bundles, self.view, self.desk
        grams = dimensional = 0
        freight = handling = markdown = stockout = failed = 0
        unit, line, fail, kind = desk.unit[node], desk.line[node], desk.fail[node], desk.kind[node]
        for k, quantity in parcels:
            bundle = bundles[k]
            grams += bundle.grams * quantity
            dimensional += bundle.dimensional * quantity
            if bundle.plain:
                product, column, _, _ = bundle.needs[0]
                freight += bundle.freight_line + bundle.freight_unit * quantity
                handling += unit * quantity + line
                markdown -= product.markdown_unit * quantity
                failed += fail
                table = product.at_risk[kind]
                available = column.left[node]
                left = available - quantity
                if left < len(table):
                    stockout += table[left] - (table[available] if available < len(table) else 0)
                continue
            for need in bundle.needs:
                a, b, c, d, e = need_parts(need, node, need.units * quantity, view, desk)
                freight += a
                handling += b
                markdown += c
                stockout += d
                failed += e
        zone = view.cell.zones[node]
        late = view.arrivals[view.leave[node]][zone] - self.job.promise
        lateness = 0
        if late > 0:
            rules = self.search.rules
            lateness = late * (rules.day_minor + self.job.value * rules.day_percent // 100)
        return CostParts(
            freight + view.rows[max(grams, dimensional) + desk.tare if grams else 0][zone],
            handling + desk.order_cost[node],
            0 if first else self.split_minor,
            markdown,
            stockout,
            failed,
            lateness,
            view.wave.load[node],
        )

    def candidate(self, plan: Plan) -> Candidate:
        """A plan that was looked at, its parts summed over its nodes."""
        pieces = plan[3]
        if plan[1] != 1:
            shares = by_node(pieces)
            costs = [self.parts(n, shares[n], first=i == 0) for i, n in enumerate(shares)]
            return self.summed(pieces, list(shares), costs)
        node = pieces[0][0]
        cost = self.parts(node, [(k, quantity) for _, k, quantity in pieces], first=True)
        return self.summed(pieces, [node], [cost])

    def summed(
        self, pieces: tuple[Piece, ...], nodes: list[int], costs: list[CostParts]
    ) -> Candidate:
        """A candidate of nodes whose costs are known."""
        view, codes = self.view, self.desk.network.codes
        zones, leave, arrivals = view.cell.zones, view.leave, view.arrivals
        penalty = 0
        if self.search.partial:
            penalty = self.penalty(pieces)
        if len(nodes) == 1:
            [node], [cost] = nodes, costs
            arrives = arrivals[leave[node]][zones[node]]
            return Candidate((codes[node],), sum(cost), cost, penalty, day_of(arrives))
        sums = [sum(column) for column in zip(*costs, strict=True)]
        cost = CostParts(*sums)
        arrival = day_of(max(arrivals[leave[n]][zones[n]] for n in nodes)) if nodes else None
        return Candidate(tuple([codes[n] for n in nodes]), sum(sums), cost, penalty, arrival)

    def score(self, pieces: tuple[Piece, ...]) -> int:
        """What the search would score a plan now, as the columns and the capacity stand."""
        search = self.search
        rules, meters = search.rules, search.view.cell.meters
        nodes = by_node(pieces)
        total = 0
        for i, (node, parcels) in enumerate(nodes.items()):
            total += (
                self.parts(node, parcels, first=i == 0).total + meters[node] * rules.by_distance
            )
        if len(nodes) > 1:
            total += (rules.split - self.split_minor) * (len(nodes) - 1)
        return total + sum(search.open_score(k) * count for k, count in self.open_bundles(pieces))

    def penalty(self, pieces: tuple[Piece, ...]) -> int:
        """What the policy counts for the units a plan leaves open."""
        rules = self.search.desk.policy.unfilled
        total = 0
        for k, quantity in self.open_bundles(pieces):
            bundle = self.job.bundles[k]
            units = sum(s.line.quantity for s in bundle.shares) if bundle.whole else quantity
            total += rules.penalty_minor * units
            total += bundle.unit_value * rules.penalty_percent * quantity // 100
        return total

    def open_bundles(self, pieces: tuple[Piece, ...]) -> list[tuple[int, int]]:
        """Bundles and how many of each a plan leaves open."""
        given = [0] * len(self.job.bundles)
        for _, k, quantity in pieces:
            given[k] += quantity
        return [
            (k, bundle.quantity - given[k])
            for k, bundle in enumerate(self.job.bundles)
            if bundle.quantity > given[k]
        ]

    def nodes(self, pieces: tuple[Piece, ...]) -> tuple[list[PlannedNode], Candidate]:
        """The shares of the chosen plan, and the plan as a candidate; its units must not be taken
        from the columns yet."""
        view, desk = self.view, self.desk
        cell, wave = view.cell, view.wave
        given = [0] * len(self.job.bundles)
        planned: list[PlannedNode] = []
        costs: list[CostParts] = []
        shares = by_node(pieces)
        for node, parcels in shares.items():
            grams = dimensional = alone = 0
            lines: list[PlannedLine] = []
            for k, quantity in parcels:
                bundle = self.job.bundles[k]
                grams += bundle.grams * quantity
                dimensional += bundle.dimensional * quantity
                if not bundle.plain:
                    alone += _alone(bundle, quantity)
                lines += self._lines(k, given[k], quantity)
                given[k] += quantity
            leaves = view.leave[node]
            zone = cell.zones[node]
            billable = max(grams, dimensional) + desk.tare if grams else 0
            cost = self.parts(node, parcels, first=not costs)
            costs.append(cost)
            planned.append(
                PlannedNode(
                    desk.network.codes[node],
                    tuple(lines),
                    alone - (-billable // desk.heaviest),
                    billable,
                    zone,
                    (cell.meters[node] + 500) // 1000,
                    wave.departures.ship_by(node, leaves),
                    day_of(leaves),
                    day_of(view.arrivals[leaves][zone]),
                    cost,
                )
            )
        return planned, self.summed(pieces, list(shares), costs)

    def _lines(self, k: int, skip: int, quantity: int) -> list[PlannedLine]:
        """Order lines of `quantity` bundles after the first `skip`; lines are filled in order."""
        bundle = self.job.bundles[k]
        if bundle.plain and len(bundle.shares) == 1:
            line, need = bundle.shares[0].line, bundle.needs[0]
            sku, instead_of = need.product.facts.sku, need.instead_of
            return [PlannedLine(line.line_number, sku, quantity, quantity, instead_of)]
        found = []
        for share, units in shares_of(self.search.job, k, skip, quantity):
            for need in share.needs:
                per_line = need.units
                if bundle.whole:
                    per_line = need.units // share.line.quantity
                found.append(
                    PlannedLine(
                        share.line.line_number,
                        need.product.facts.sku,
                        units,
                        units * per_line,
                        need.instead_of,
                    )
                )
        return found

    def unfilled(self, pieces: tuple[Piece, ...]) -> tuple[Unfilled, ...]:
        """What stays open, why, and what the policy does with it."""
        found = []
        for k, quantity in self.open_bundles(pieces):
            bundle = self.job.bundles[k]
            reason = self._open_reason(k)
            rules = self.search.desk.policy.unfilled.rules
            rule = next(r for r in rules if not r.reasons or reason in r.reasons)
            until = None
            if rule.days is not None:
                until = self.search.desk.now + timedelta(days=rule.days)
            skip = bundle.quantity - quantity
            for share, units in shares_of(self.job, k, skip, quantity):
                line = share.line
                found.append(
                    Unfilled(line.line_number, line.sku, units, reason, rule.outcome, until)
                )
        return tuple(found)

    def _open_reason(self, k: int) -> Reason:
        """The last reason in precedence: it was met by the node that came nearest to a fill."""
        search, job = self.search, self.job
        if search.options[k]:
            late = set(search.late)
            alive = [node for node in search.options[k] if node not in late]
            if not alive:
                return Reason.LATE
            dear = set(search.dear)
            return Reason.MARGIN_FLOOR if dear.issuperset(alive) else Reason.SPLIT_RULE
        rejected, contended = job.rejected, job.contended
        job.rejected, job.contended = {}, []
        options_of(job, k, search.view, search.desk, {})
        last = max(job.rejected, default=0)
        job.rejected, job.contended = rejected, contended
        return REASONS[last] or Reason.NO_STOCK

    def eliminated(self) -> dict[Reason, tuple[str, ...]]:
        """Codes of the nodes left out, by reason; a node may be out for several lines."""
        search = self.search
        rejected = dict(self.job.rejected)
        if search.late:
            rejected[LATE] = rejected.get(LATE, []) + search.late
        if search.dear:
            rejected[MARGIN_FLOOR] = rejected.get(MARGIN_FLOOR, []) + search.dear
        if not rejected:
            return {}
        codes = search.desk.network.codes
        found: dict[Reason, tuple[str, ...]] = {}
        for code in sorted(rejected):
            reason = REASONS[code]
            assert reason is not None
            nodes = rejected[code]
            if len(nodes) > 1:
                nodes = sorted(set(nodes))
            found[reason] = tuple([codes[node] for node in nodes])
        return found


def _alone(bundle: Bundle, quantity: int) -> int:
    """Units that are packages of their own."""
    return sum(n.units * quantity for n in bundle.needs if n.product.facts.ships_alone)


def shares_of(job: Job, k: int, skip: int, quantity: int) -> list[tuple[Share, int]]:
    """Which lines get `quantity` bundles after `skip`: (share, units of the order line)."""
    bundle = job.bundles[k]
    if bundle.whole:
        return [(share, share.line.quantity) for share in bundle.shares]
    if len(bundle.shares) == 1:
        return [(bundle.shares[0], quantity)]
    found = []
    for share in bundle.shares:
        passed = min(skip, share.line.quantity)
        skip -= passed
        units = min(share.line.quantity - passed, quantity)
        if units:
            quantity -= units
            found.append((share, units))
    return found
