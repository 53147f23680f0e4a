"""Plans and reserves a zone's demands under one policy, until each is filled or given up.

First everything is planned on the nodes near the destinations. What that cannot fill is planned
again on the whole zone; what a node refuses, because a fact took the units meanwhile, is planned
again with fresh rows, at most REPLANS times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from crossdock.allocation import store
from crossdock.allocation.candidates import Candidates
from crossdock.allocation.demand import Demand
from crossdock.engine.transaction import Transaction
from crossdock.inventory.model import Move, Want
from crossdock.inventory.store import apply_moves, reserve
from crossdock.kernel.ids import derive
from crossdock.sourcing.model import Decision, OrderDemand, PlannedLine, SkuFacts, Stock
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
        self._capacity = capacity
        self._candidates = Candidates(tx, zone, network, products, policy.candidates.nearest)
        self.runs: list[PlanningRun] = []

    def allocate(self, demands: Sequence[Demand]) -> list[Settled]:
        """An end for each demand, in no particular order."""
        settled: list[Settled] = []
        near = list(demands)
        wide: list[Demand] = []
        refusals: dict[int, int] = {}
        while near or wide:
            is_near = bool(near)
            if is_near:
                current, near = near, []
            else:
                current, wide = wide, []
            complete: list[tuple[Demand, Decision]] = []
            for demand, decision in self._plan(current, is_near=is_near):
                if decision.filled or not is_near or self._candidates.is_everywhere(demand.planned):
                    complete.append((demand, decision))
                else:
                    wide.append(demand)
            for attempt in self._reserve(complete):
                if not attempt.was_refused:
                    settled.append(attempt)
                    continue
                sequence = attempt.demand.planned.sequence
                refusals[sequence] = refusals.get(sequence, 0) + 1
                if refusals[sequence] > REPLANS:
                    settled.append(attempt)
                else:
                    wide.append(attempt.demand)
        return settled

    def _plan(self, demands: Sequence[Demand], *, is_near: bool) -> list[tuple[Demand, Decision]]:
        """Plan on fresh rows; what is asked and seen is kept as a run that can be repeated."""
        orders = tuple(demand.planned for demand in demands)
        read = self._candidates.near if is_near else self._candidates.everywhere
        stock = Stock(read(orders), self._capacity.seen())
        cause = demands[0].request.delivery.id
        run_id = derive(self._tx.now, cause, self._policy.version, "plan", str(len(self.runs)))
        self.runs.append(PlanningRun(run_id, orders, stock))
        decisions = plan(
            orders, stock, self._network, self._products, self._policy, self._tx.now, run_id
        )
        return list(zip(demands, decisions, strict=True))

    def _reserve(self, planned: Sequence[tuple[Demand, Decision]]) -> list[Settled]:
        """Reserve whole decisions: one that is refused at any level gives up what it got."""
        held = self._levels_of([decision for _, decision in planned])
        wants = [
            Want(h.line.sku, h.node, h.units, demand.planned.order_id, h.line.line_number,
                 owner=h.owner, lot=h.lot)
            for (demand, _), levels in zip(planned, held, strict=True)
            for h in levels
        ]  # fmt: skip
        granted = iter(reserve(self._tx, wants) if wants else ())
        settled: list[Settled] = []
        undone: list[Move] = []
        for (demand, decision), levels in zip(planned, held, strict=True):
            units = [next(granted) for _ in levels]
            if all(units) and _is_whole(decision, levels):
                self._capacity.use(decision)
                settled.append(Settled(demand, decision, levels, was_refused=False))
                continue
            undone += [
                Move(h.line.sku, h.node, got, "reserved", "free", "planned again",
                     order_id=demand.planned.order_id, line=h.line.line_number,
                     owner=h.owner, lot=h.lot)
                for h, got in zip(levels, units, strict=True)
                if got
            ]  # fmt: skip
            settled.append(Settled(demand, decision, [], was_refused=True))
        if undone:
            apply_moves(self._tx, undone)
        return settled

    def _levels_of(self, decisions: Sequence[Decision]) -> list[list[Held]]:
        """The stock levels each plan takes from; of a divided SKU each owner's and lot's own."""
        found = [
            [
                Held(node.node, line, "", "", line.taken)
                for node in decision.chosen.nodes
                for line in node.lines
            ]
            for decision in decisions
        ]
        divided = self._candidates.divided
        if not divided:
            return found
        places = {(h.line.sku, h.node) for of_one in found for h in of_one if h.line.sku in divided}
        if not places:
            return found
        free = store.free_by_level(self._tx, sorted(places))
        return [
            [part for h in of_one for part in _divide(h, free.get((h.line.sku, h.node)))]
            for of_one in found
        ]


def _divide(held: Held, levels: list[tuple[str, str, int]] | None) -> list[Held]:
    """What is held level by level; `levels` are (owner, lot, units) and are used up."""
    if levels is None:
        return [held]
    parts = []
    missing = held.units
    for i, (owner, lot, units) in enumerate(levels):
        taken = min(units, missing)
        if taken:
            parts.append(Held(held.node, held.line, owner, lot, taken))
            levels[i] = (owner, lot, units - taken)
            missing -= taken
    return parts


class Capacity:
    """FulfillmentOrders of nodes by local day: what is used, and what this batch adds."""

    def __init__(self, tx: Transaction, network: Network) -> None:
        self._limited = {node.code for node in network.nodes if node.daily_capacity is not None}
        self._used: dict[str, dict[date, int]] = {}
        self.added: dict[tuple[date, str], int] = {}
        if self._limited:
            # A node's local day may still be yesterday in UTC.
            used = store.capacity_used(tx, tx.now.date() - timedelta(days=1))
            self._used = {node: days for node, days in used.items() if node in self._limited}

    def seen(self) -> dict[str, dict[date, int]]:
        """What is used now, as a copy that stays."""
        return {node: dict(days) for node, days in self._used.items()}

    def use(self, decision: Decision) -> None:
        """Count the work a reserved plan gives to its nodes."""
        for share in decision.chosen.nodes:
            if share.node not in self._limited:
                continue
            days = self._used.setdefault(share.node, {})
            days[share.ship_on] = days.get(share.ship_on, 0) + 1
            key = (share.ship_on, share.node)
            self.added[key] = self.added.get(key, 0) + 1


def _is_whole(decision: Decision, held: Sequence[Held]) -> bool:
    """Whether the levels found hold all the plan takes; lots may have gone since it was made."""
    taken = sum(line.taken for node in decision.chosen.nodes for line in node.lines)
    return taken == sum(h.units for h in held)
