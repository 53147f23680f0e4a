"""From a plan to the Decision that is stored: costs by part, what is open, what was left out."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

from crossdock.sourcing.eligibility import LATE, MARGIN_FLOOR, REASONS
from crossdock.sourcing.jobs import Job, Piece, Share, need_parts, options_of
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
        self.split_minor = search.desk.policy.split.cost_minor
        self.order_cost = search.desk.order_cost

    def parts(self, node: int, parcels: list[tuple[int, int]], *, first: bool) -> CostParts:
        """What sending these bundles from a node costs."""
        search, job = self.search, self.job
        view, desk = search.view, search.desk
        grams = dimensional = 0
        freight = handling = markdown = stockout = failed = 0
        for k, quantity in parcels:
            bundle = job.bundles[k]
            grams += bundle.grams * quantity
            dimensional += bundle.dimensional * quantity
            for need in bundle.needs:
                a, b, c, d, e = need_parts(need, node, need.units * quantity, view, desk)
                freight += a
                handling += b
                markdown += c
                stockout += d
                failed += e
        zone = view.cell.zones[node]
        billable = max(grams, dimensional) + desk.tare if grams else 0
        own = self.order_cost[node]
        late = view.arrivals[view.leave[node]][zone] - job.promise
        lateness = 0
        if late > 0:
            rules = search.rules
            lateness = late * (rules.day_minor + job.value * rules.day_percent // 100)
        return CostParts(
            freight + view.rows[billable][zone],
            handling + own,
            0 if first else self.split_minor,
            markdown,
            stockout,
            failed,
            lateness,
            view.wave.load[node],
        )

    def candidate(self, plan: Plan) -> Candidate:
        """A plan that was looked at, its parts summed over its nodes."""
        view = self.search.view
        codes = self.search.desk.network.codes
        zones, leave, arrivals = view.cell.zones, view.leave, view.arrivals
        pieces = plan[3]
        nodes = by_node(pieces)
        if len(nodes) == 1:
            [(node, parcels)] = nodes.items()
            cost = self.parts(node, parcels, first=True)
            arrives = arrivals[leave[node]][zones[node]]
            total = cost.total
            names: tuple[str, ...] = (codes[node],)
        else:
            columns = [
                msg_tuple(self.parts(node, parcels, first=i == 0))
                for i, (node, parcels) in enumerate(nodes.items())
            ]
            sums = [sum(column) for column in zip(*columns, strict=True)] or [0] * 8
            cost, total = CostParts(*sums), sum(sums)
            arrives = max((arrivals[leave[n]][zones[n]] for n in nodes), default=0)
            names = tuple(codes[node] for node in nodes)
        penalty = 0
        if len(pieces) != len(self.job.bundles) or self.search.partial:
            penalty = self.penalty(pieces)
        return Candidate(names, total, cost, penalty, day_of(arrives) if arrives else None)

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

    def nodes(self, pieces: tuple[Piece, ...]) -> list[PlannedNode]:
        """The shares of the chosen plan; its units must not be taken from the columns yet."""
        view, desk = self.search.view, self.search.desk
        network, cell, wave = desk.network, view.cell, view.wave
        given = [0] * len(self.job.bundles)
        planned = []
        for i, (node, parcels) in enumerate(by_node(pieces).items()):
            grams = dimensional = alone = 0
            lines: list[PlannedLine] = []
            for k, quantity in parcels:
                bundle = self.job.bundles[k]
                grams += bundle.grams * quantity
                dimensional += bundle.dimensional * quantity
                alone += sum(
                    need.units * quantity for need in bundle.needs if need.product.facts.ships_alone
                )
                lines += self._lines(k, given[k], quantity)
                given[k] += quantity
            leaves = view.leave[node]
            zone = cell.zones[node]
            billable = max(grams, dimensional) + desk.tare if grams else 0
            heaviest = desk.policy.freight.weights_grams[-1]
            planned.append(
                PlannedNode(
                    network.codes[node],
                    tuple(lines),
                    alone + -(-billable // heaviest),
                    billable,
                    zone,
                    (cell.meters[node] + 500) // 1000,
                    wave.departures.ship_by(node, leaves),
                    day_of(leaves),
                    day_of(view.arrivals[leaves][zone]),
                    self.parts(node, parcels, first=i == 0),
                )
            )
        return planned

    def _lines(self, k: int, skip: int, quantity: int) -> list[PlannedLine]:
        """Order lines of `quantity` bundles after the first `skip`; lines are filled in order."""
        bundle = self.job.bundles[k]
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
            alive = [node for node, _ in search.options[k] if node not in late]
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


def msg_tuple(cost: CostParts) -> tuple[int, ...]:
    """The parts in the order of their fields."""
    return (
        cost.freight,
        cost.handling,
        cost.split,
        cost.markdown,
        cost.stockout,
        cost.failed_pick,
        cost.lateness,
        cost.load,
    )


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
