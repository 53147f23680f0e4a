"""One batch on its way through the planner: prepare, search, record, take, order after order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from crossdock.sourcing.branch import Branch
from crossdock.sourcing.eligibility import EXCLUDED, Profile, method_rule
from crossdock.sourcing.freight import Arrivals, Lateness
from crossdock.sourcing.jobs import Job, View, first_day, options_of
from crossdock.sourcing.joint import Joint, Placement
from crossdock.sourcing.large import Large
from crossdock.sourcing.model import (
    Candidate,
    Decision,
    OrderDemand,
    SkuFacts,
    SourcingPlan,
    Stock,
)
from crossdock.sourcing.orders import Orders
from crossdock.sourcing.policy import SHORT_LOOK
from crossdock.sourcing.records import Accountant
from crossdock.sourcing.search import Search
from crossdock.sourcing.state import BatchState, Wave
from crossdock.sourcing.tools import Tools

Lane = tuple[
    Profile,
    bytearray,
    Wave,
    int,
    Arrivals,
    dict[int, tuple[int, ...]],
    dict[tuple[int, int], Lateness],
]
"""What orders of a profile share: its mask, wave, distance limits, arrivals, rows and lateness."""


Watch = Callable[["Run", Search], None]


class Run:
    """One batch on its way."""

    def __init__(
        self,
        tools: Tools,
        stock: Stock,
        products: Mapping[str, SkuFacts],
        now: datetime,
        batch_id: str,
    ) -> None:
        self.tools = tools
        self.policy = tools.policy
        self.now = now
        self.batch_id = batch_id
        self.desk = tools.desk
        self.desk.now = now
        self.state = BatchState(tools.network, tools.policy, stock, tools.desk.order_cost)
        self.orders = Orders(tools, products, self.state, now)
        self._lanes: dict[tuple[str, str, str, str, str, int], Lane] = {}
        self._has_remote = bool(tools.policy.freight.surcharges.remote_minor)
        self._peak = tools.book.peak_minor(now.date())
        self._evaluations = tools.policy.search.batch_evaluations
        """Partial plans this batch may still look at."""

    def plan(
        self, orders: Sequence[OrderDemand], watch: tuple[int, Watch] | None = None
    ) -> list[Decision]:
        """Plans all orders and returns their decisions in the order given.

        `watch` names an order and what is called in its turn, before anything is taken for it.
        """
        self._prepare_places(orders)
        turns = sorted(
            range(len(orders)),
            key=lambda i: (orders[i].priority, orders[i].sequence, orders[i].order_id),
        )
        placed: dict[int, Placement] = {}
        # Numbered by turn: what breaks ties by number must not see how the batch was passed.
        for number, i in enumerate(turns):
            job = self.orders.job(number, orders[i])
            search = self.search(job)
            if watch is not None and watch[0] == i:
                watch[1](self, search)
            placed[number] = self.place(job, search)
        if self.policy.search.joint_rounds:
            Joint(self, placed).improve()
        found = {i: placed[number].decision for number, i in enumerate(turns)}
        return [found[i] for i in range(len(orders))]

    def search(self, job: Job, kept: int = 0, best: int = 0) -> Search:
        """The first step that fills the order, else what the last one can send.

        With `kept`, so many plans are kept at most, of which `best` are the best there are. What
        is found with substitutes has a job of its own.
        """
        job.contended = []
        found = self._steps(job, kept, best)
        may_substitute = self.policy.unfilled.substitutes and job.demand.substitutes_allowed
        if not found.plans and may_substitute:
            other = self.orders.substituted(job, found.view)
            if other is not None:
                job, found = other, self._steps(other, kept, best)
        if not found.plans and self.policy.unfilled.partial:
            last = self._search_in(job, len(self.policy.steps) - 1, partial=True)
            found = self._attempt(job, last)
        return found

    def place(self, job: Job, search: Search) -> Placement:
        """Records the best plan and takes what it needs."""
        decision = self._decision(search)
        plans = search.plans
        score = plans[0][0] if plans else search.all_open_score()
        if self.state.capacity.trading:
            score = Accountant(search).score(plans[0][3] if plans else ())
        return self.take(Placement(job, search, decision, score))

    def _decision(self, search: Search) -> Decision:
        policy, job = self.policy, search.job
        accountant = Accountant(search)
        plans = search.plans
        pieces = plans[0][3] if plans else ()
        shares, chosen = accountant.nodes(pieces)
        candidates = [chosen] if plans else []
        candidates += [accountant.candidate(plan) for plan in plans[1 : policy.record.candidates]]
        if self.state.capacity.trading:
            # Found at prices; a reader compares what they cost.
            candidates[1:] = sorted(candidates[1:], key=_cost_of)
        filled = bool(plans) and not search.partial
        penalty = 0 if filled else accountant.penalty(pieces)
        unfilled = () if filled else accountant.unfilled(pieces)
        return Decision(
            job.demand.order_id,
            job.demand.sequence,
            SourcingPlan(
                tuple(shares), unfilled, chosen.total_minor, penalty, policy.steps[search.step].name
            ),
            tuple(candidates),
            accountant.eliminated(),
            policy.name,
            self.tools.version,
            self.batch_id,
            search.exact,
            0,
            job.value,
        )

    def take(self, placement: Placement) -> Placement:
        """Takes the units and the capacity of a placement from what is left; one that was given
        back takes the days it had, which its decision names."""
        job, view = placement.job, placement.search.view
        zones, days = view.cell.zones, placement.days
        if not days:
            leave = view.leave
            for node, _, _ in placement.pieces:
                days[node] = leave[node]
        for node, k, quantity in placement.pieces:
            for need in job.bundles[k].needs:
                column, units, lives = need.column, need.units * quantity, 0
                if column.lots is not None:
                    lives = first_day(need.product, view.arrivals[days[node]][zones[node]])
                lots = column.take(node, units, job.number, lives)
                placement.takes.append((column, node, units, lots))
        for node, day in days.items():
            self.state.capacity.take(node, day, job.number)
        return placement

    def give_back(self, placement: Placement) -> None:
        """The inverse of `take`."""
        for column, node, units, lots in placement.takes:
            column.give_back(node, units, placement.job.number, lots)
        for node, day in placement.days.items():
            self.state.capacity.give_back(node, day, placement.job.number)
        placement.takes = []

    def _steps(self, job: Job, kept: int, best: int) -> Search:
        found = None
        for number in range(len(self.policy.steps)):
            search = self._search_in(job, number, partial=False)
            if kept:
                search.kept, search.wanted = kept, best
            found = self._attempt(job, search)
            if found.plans:
                break
        assert found is not None
        return found

    def _search_in(self, job: Job, step: int, *, partial: bool) -> Search:
        view = self.view(job.demand, step)
        return Search(job, view, self.desk, self.tools.rules[step], step, partial=partial)

    def _attempt(self, job: Job, search: Search) -> Search:
        view = search.view
        job.rejected = {}
        if not job.bundles:
            return search
        complete = True
        for k in range(len(job.bundles)):
            short: dict[int, int] = {}
            options = options_of(job, k, view, self.desk, short)
            search.options.append(options)
            search.short.append(short)
            complete = complete and bool(options)
        if len(job.bundles) == 1 and complete and not search.partial:
            search.single()
        elif search.prepare():
            if len(job.bundles) > self.policy.search.exact_lines:
                Large(search).descend()
            else:
                self._descend(search)
        return search

    def _descend(self, search: Search) -> None:
        """An exact search, within what the order and the batch may still look at."""
        allowed = min(search.rules.evaluations, max(self._evaluations, SHORT_LOOK))
        branch = Branch(search, allowed)
        branch.descend()
        self._evaluations -= allowed - max(branch.left, 0)

    def view(self, demand: OrderDemand, step: int) -> View:
        """What the order sees in a step."""
        key = (
            demand.method,
            demand.service,
            demand.country,
            demand.brand,
            demand.legal_entity,
            step,
        )
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = self._lane(Profile(*key))
        profile, mask, wave, limits, arrivals, rows, late = lane
        tools = self.tools
        if demand.excluded_nodes or demand.only_nodes:
            mask = self._narrowed(mask, demand)
            if demand.only_nodes:
                limits = tools.places.limits(demand.method, step, named=True)
        cell = tools.places.at(demand.latitude, demand.longitude, demand.country, limits)
        if self._has_remote:
            remote = tools.book.remote_minor(demand.country, demand.postal_code)
            if remote:
                service = demand.service if self._has_freight(demand.method) else ""
                rows = tools.book.rows(service, self._peak + remote)
        return View(profile, mask, wave, cell, arrivals, rows, late)

    def _lane(self, profile: Profile) -> Lane:
        """What orders of a profile share."""
        tools = self.tools
        service = profile.service if self._has_freight(profile.method) else ""
        wave = self.state.capacity.wave(tools.departures(profile.service, self.now))
        return (
            profile,
            self.state.capacity.follow(wave, tools.mask(profile)),
            wave,
            tools.places.limits(profile.method, profile.step, named=False),
            tools.book.arrivals(service),
            tools.book.rows(service, self._peak),
            {},
        )

    def _has_freight(self, method: str) -> bool:
        return method_rule(self.policy, method).freight

    def _narrowed(self, mask: bytearray, demand: OrderDemand) -> bytearray:
        position = self.tools.network.position
        narrowed = bytearray(mask)
        if demand.only_nodes:
            narrowed = bytearray([EXCLUDED]) * len(mask)
            for code in demand.only_nodes:
                if code in position:
                    narrowed[position[code]] = mask[position[code]]
        for code in demand.excluded_nodes:
            if code in position:
                narrowed[position[code]] = EXCLUDED
        return narrowed

    def _prepare_places(self, orders: Sequence[OrderDemand]) -> None:
        places = self.tools.places
        places.prepare(
            places.key(
                order.latitude,
                order.longitude,
                order.country,
                places.limits(order.method, 0, named=bool(order.only_nodes)),
            )
            for order in orders
        )


def _cost_of(candidate: Candidate) -> tuple[int, tuple[str, ...]]:
    return candidate.total_minor + candidate.penalty_minor, candidate.nodes
