"""Plans and reserves a zone's demands under one policy, until each is filled or given up.

First everything is planned on the nodes near the destinations, if it can be before the zone is
locked. What that cannot fill is planned again on the whole zone; what a node refuses, because a
fact or another batch took the units meanwhile, is planned again with fresh rows, at most REPLANS
times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from crossdock.allocation import store
from crossdock.allocation.candidates import Candidates
from crossdock.allocation.demand import Demand
from crossdock.allocation.instead import promised_to_others, taken_instead
from crossdock.allocation.store import FreeLevel
from crossdock.engine.transaction import Transaction
from crossdock.inventory.model import Move, Want
from crossdock.inventory.store import apply_moves, reserve
from crossdock.kernel.ids import derive
from crossdock.sourcing.model import (
    Decision,
    OrderDemand,
    PlannedLine,
    PlannedNode,
    SkuFacts,
    Stock,
)
from crossdock.sourcing.network import Network
from crossdock.sourcing.planner import plan
from crossdock.sourcing.policy import SourcingPolicy

REPLANS = 3
"""How often a refused demand is planned again before it counts as unfilled."""


class Held(NamedTuple):
    """Units of one stock level that are reserved for a planned line."""

    node: str
    line: PlannedLine
    owner: str
    lot: str
    units: int


Planned = tuple[Demand, Decision]


class Settled(NamedTuple):
    """A demand at its end: the decision that stands and what is reserved under it."""

    demand: Demand
    decision: Decision
    held: list[Held]
    was_refused: bool
    """Nodes refused it until no attempt was left; nothing is held."""


class PlanningRun(NamedTuple):
    """One call of the planner, with everything that makes it repeatable."""

    id: str
    orders: tuple[OrderDemand, ...]
    stock: Stock


class Allocator:
    """Allocates the demands of one zone and policy within a batch."""

    def __init__(
        self,
        tx: Transaction,
        zone: str,
        network: Network,
        products: Mapping[str, SkuFacts],
        policy: SourcingPolicy,
        capacity: Capacity,
    ) -> None:
        self._tx = tx
        self._zone = zone
        self._network = network
        self._products = products
        self._policy = policy
        self.capacity = capacity
        self._candidates = Candidates(tx, zone, network, products, policy.candidates.nearest)
        self._done: list[Settled] = []
        self.runs: list[PlanningRun] = []

    def knows(self, network: Network, products: Mapping[str, SkuFacts]) -> bool:
        """Whether it plans with these very facts."""
        return self._network is network and self._products is products

    def plan_ahead(self, demands: Sequence[Demand]) -> list[Planned]:
        """Plans near the destinations, to be carried out by `allocate` if they still can be."""
        return self._plan(demands, is_near=True)

    def allocate(self, demands: Sequence[Demand], ahead: Sequence[Planned] = ()) -> list[Settled]:
        """An end for each demand, planned ahead or not, in no particular order."""
        settled, wide = self._carry_out(self._plan(demands, is_near=True) if demands else [])
        more, others = self._carry_out(ahead)
        settled += more
        wide += others
        refusals: dict[tuple[str, int, int], int] = {}
        while wide:
            planned = self._plan(wide, is_near=False)
            wide = []
            for attempt in self._reserve(planned):
                if attempt.was_refused:
                    # By node and units; substitutes that are barred are ever fewer.
                    key = (*attempt.demand.key, len(attempt.demand.planned.barred_substitutes))
                    refusals[key] = refusals.get(key, 0) + 1
                    if refusals[key] < REPLANS:
                        wide.append(attempt.demand)
                        continue
                settled.append(attempt)
        return settled

    def _carry_out(self, planned: Sequence[Planned]) -> tuple[list[Settled], list[Demand]]:
        """Reserves plans made near the destinations; what is to be planned again on all nodes."""
        complete: list[Planned] = []
        wide: list[Demand] = []
        for demand, decision in planned:
            if decision.filled or self._candidates.is_everywhere(demand.planned):
                complete.append((demand, decision))
            else:
                wide.append(demand)
        settled = []
        for attempt in self._reserve(complete):
            if attempt.was_refused:
                wide.append(attempt.demand)
            else:
                settled.append(attempt)
        return settled, wide

    def _plan(self, demands: Sequence[Demand], *, is_near: bool) -> list[Planned]:
        """Plan on fresh rows; what is asked and seen is kept as a run that can be repeated."""
        orders = tuple(demand.planned for demand in demands)
        read = self._candidates.near if is_near else self._candidates.everywhere
        stock = Stock(read(orders), self.capacity.seen())
        cause = demands[0].request.delivery.id
        run_id = derive(self._tx.now, cause, self._policy.version, "plan", str(len(self.runs)))
        self.runs.append(PlanningRun(run_id, orders, stock))
        decisions = plan(
            orders, stock, self._network, self._products, self._policy, self._tx.now, run_id
        )
        return list(zip(demands, decisions, strict=True))

    def _reserve(self, planned: Sequence[Planned]) -> list[Settled]:
        """Reserve whole decisions: one that is refused at any level gives up what it got."""
        held = self._levels_of([decision for _, decision in planned])
        short = self._promised_to_others(planned)
        fits = [
            not barred and self.capacity.take(decision)
            for (_, decision), barred in zip(planned, short, strict=True)
        ]
        wants = [
            Want(h.line.sku, h.node, h.units, demand.planned.order_id, h.line.line_number,
                 owner=h.owner, lot=h.lot)
            for (demand, _), levels, fit in zip(planned, held, fits, strict=True)
            if fit
            for h in levels
        ]  # fmt: skip
        granted = iter(reserve(self._tx, wants) if wants else ())
        settled: list[Settled] = []
        undone: list[Move] = []
        for (demand, decision), levels, fit, barred in zip(planned, held, fits, short, strict=True):
            units = [next(granted) for _ in levels] if fit else []
            if fit and all(units) and _is_whole(decision, levels):
                settled.append(Settled(demand, decision, levels, was_refused=False))
                continue
            if barred:
                demand = demand.without(barred)
            if fit:
                self.capacity.give_back(decision)
            undone += [
                Move(h.line.sku, h.node, got, "reserved", "free", "planned again",
                     order_id=demand.planned.order_id, line=h.line.line_number,
                     owner=h.owner, lot=h.lot)
                for h, got in zip(levels, units, strict=fit)
                if got
            ]  # fmt: skip
            settled.append(Settled(demand, decision, [], was_refused=True))
        if undone:
            apply_moves(self._tx, undone)
        self._done += settled
        return settled

    def _promised_to_others(self, planned: Sequence[Planned]) -> list[str]:
        """For each plan, a substitute in it of which too few units are nobody's; or ''."""
        if not any(demand.planned.substitutes_allowed for demand, _ in planned):
            return [""] * len(planned)
        found = [
            (demand, taken_instead(demand, decision, self._products))
            for demand, decision in planned
        ]
        served: Counter[str] = Counter()
        for done in self._done:
            if not taken_instead(done.demand, done.decision, self._products):
                for held in done.held:
                    served[held.line.sku] += held.units
        return promised_to_others(self._tx, found, served)

    def _levels_of(self, decisions: Sequence[Decision]) -> list[list[Held]]:
        """The stock levels each plan takes from; of a divided SKU each owner's and lot's own."""
        shares = [
            [(node, line) for node in decision.chosen.nodes for line in node.lines]
            for decision in decisions
        ]
        divided = self._candidates.divided
        places = {
            (line.sku, node.node)
            for of_one in (shares if divided else ())
            for node, line in of_one
            if line.sku in divided
        }
        free = store.free_by_level(self._tx, sorted(places)) if places else {}
        return [
            [
                held
                for node, line in of_one
                for held in self._held(node, line, free.get((line.sku, node.node)))
            ]
            for of_one in shares
        ]

    def _held(
        self, node: PlannedNode, line: PlannedLine, levels: list[FreeLevel] | None
    ) -> list[Held]:
        """What a line takes level by level, of lots the shortest-lived that live long enough;
        `levels` are used up."""
        if levels is None:
            return [Held(node.node, line, "", "", line.taken)]
        facts = self._products.get(line.sku)
        owed = 0 if facts is None else facts.shelf_life_days or 0
        parts = []
        missing = line.taken
        for i, level in enumerate(levels):
            left_to_live = (level.lives_until - node.arrive_on).days
            taken = min(level.units, missing) if left_to_live >= owed else 0
            if taken:
                parts.append(Held(node.node, line, level.owner, level.lot, taken))
                levels[i] = level._replace(units=level.units - taken)
                missing -= taken
        return parts


class Capacity:
    """FulfillmentOrders of nodes by local day: what is used, and what this batch adds."""

    def __init__(self, tx: Transaction, network: Network) -> None:
        self._limits = {
            node.code: node.daily_capacity
            for node in network.nodes
            if node.daily_capacity is not None
        }
        self._used: dict[str, dict[date, int]] = {}
        self.added: dict[tuple[date, str], int] = {}
        if self._limits:
            # A node's local day may still be yesterday in UTC.
            used = store.capacity_used(tx, tx.now.date() - timedelta(days=1))
            self._used = {node: days for node, days in used.items() if node in self._limits}

    def seen(self) -> dict[str, dict[date, int]]:
        """What is used now, as a copy that stays."""
        return {node: dict(days) for node, days in self._used.items()}

    def take(self, decision: Decision) -> bool:
        """Count the work a plan gives to its nodes; nothing where a day has become full."""
        places = self._places(decision)
        if any(self._used.get(n, {}).get(day, 0) >= self._limits[n] for n, day in places):
            return False
        self._count(places, 1)
        return True

    def give_back(self, decision: Decision) -> None:
        """The inverse of `take`."""
        self._count(self._places(decision), -1)

    def _places(self, decision: Decision) -> list[tuple[str, date]]:
        shares = decision.chosen.nodes
        return [(share.node, share.ship_on) for share in shares if share.node in self._limits]

    def _count(self, places: Sequence[tuple[str, date]], change: int) -> None:
        for node, day in places:
            days = self._used.setdefault(node, {})
            days[day] = days.get(day, 0) + change
            self.added[day, node] = self.added.get((day, node), 0) + change


def _is_whole(decision: Decision, held: Sequence[Held]) -> bool:
    """Whether the levels found hold all the plan takes; lots may have gone since it was made."""
    taken = sum(line.taken for node in decision.chosen.nodes for line in node.lines)
    return taken == sum(h.units for h in held)
