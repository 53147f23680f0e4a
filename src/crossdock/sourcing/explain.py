"""A decision told to a person, and the rest of its story rebuilt by running the batch again.

A stored Decision names the chosen plan, the next best and the nodes that were left out among those
the stock columns named. `examine` plans the batch again up to the order and looks at every node of
the network for every line: why it is out, or what sending the line from there would have cost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

import msgspec

from crossdock.sourcing.eligibility import (
    DISTANCE,
    FAR,
    LATE,
    NO_STOCK,
    NOT_NEAREST,
    REASONS,
    TAKEN,
)
from crossdock.sourcing.errors import RecordRefused
from crossdock.sourcing.jobs import Bundle, Job, View, bundle_units, by_product, without
from crossdock.sourcing.model import (
    CostParts,
    Decision,
    OrderDemand,
    Reason,
    SkuFacts,
    Stock,
)
from crossdock.sourcing.network import Network
from crossdock.sourcing.policy import SourcingPolicy
from crossdock.sourcing.records import Accountant, day_of
from crossdock.sourcing.run import Run
from crossdock.sourcing.search import Search
from crossdock.sourcing.tools import Tools

WORDS: dict[Reason, str] = {
    Reason.EXCLUDED: "ruled out by the order: failed or declined before, or not the store chosen",
    Reason.NODE_OFF: "switched off, or does not offer the method",
    Reason.GROUP: "left out by the policy's kinds, groups or brands",
    Reason.DISTANCE: "too far away",
    Reason.CAPABILITY: "lacks what the method or the product needs",
    Reason.PRODUCT: "does not send this product, or not by this method",
    Reason.LANE: "owner, company or border forbids this lane",
    Reason.CURRENCY: "its cost rates are in another currency than the policy's",
    Reason.DANGEROUS_GOODS: "may not send these dangerous goods",
    Reason.SHELF_LIFE: "its units would not live long enough",
    Reason.CLOSED: "closed on all days the policy waits",
    Reason.CAPACITY: "no capacity left on the days the policy waits",
    Reason.LATE: "would arrive later than the policy allows",
    Reason.MARGIN_FLOOR: "would leave less than the margin floor",
    Reason.NO_STOCK: "too few units",
    Reason.TAKEN: "enough at first, but other orders of the batch got it",
    Reason.SPLIT_RULE: "good for some lines only, and the split rules forbid such a plan",
    Reason.NOT_NEAREST: "more than the policy's number of nearer nodes have it",
}
"""Each reason in words for a person."""


class NodeFinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node for one line: why it is out, or what it would cost alone."""

    node: str
    reason: Reason | None
    available: int
    """Units of the line it could make, before any that are too short-lived are left out."""
    distance_km: int
    arrive_on: date | None = None
    cost: CostParts | None = None


class LineFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One line (or lines that leave together) at every node: those that could, cheapest first,
    then those that could not, nearest first."""

    line_numbers: tuple[int, ...]
    skus: tuple[str, ...]
    quantity: int
    nodes: tuple[NodeFinding, ...]


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """What an order met when its turn came in the batch, and what was decided in the end."""

    order_id: str
    step: str
    decision: Decision
    lines: tuple[LineFinding, ...]


def examine(
    orders: Sequence[OrderDemand],
    stock: Stock,
    network: Network,
    products: Mapping[str, SkuFacts],
    policy: SourcingPolicy,
    now: datetime,
    sequence: int,
    batch_id: str = "",
) -> Examination:
    """Plans the batch again and examines the order of that sequence in its turn.

    Refuses a batch without such an order (RecordRefused).
    """
    number = next((i for i, order in enumerate(orders) if order.sequence == sequence), None)
    if number is None:
        raise RecordRefused(f"the batch has no order of sequence {sequence}")
    found: list[LineFinding] = []
    step: list[int] = []

    def look(run: Run, search: Search) -> None:
        step.append(search.step)
        found.extend(_line(run, search.job, search, k) for k in range(len(search.job.bundles)))

    run = Run(Tools(network, policy), stock, products, now, batch_id)
    decisions = run.plan(orders, watch=(number, look))
    return Examination(
        order_id=orders[number].order_id,
        step=policy.steps[step[0]].name,
        decision=decisions[number],
        lines=tuple(found),
    )


def _line(run: Run, job: Job, search: Search, k: int) -> LineFinding:
    bundle = job.bundles[k]
    view = search.view
    if bundle.excluded:
        view = without(view, bundle.excluded, run.desk.network)
    looked_at = search.options[k].keys()
    findings = [
        _node(run, job, search, view, k, node, looked_at) for node in range(len(run.desk.network))
    ]
    findings.sort(key=_rank)
    return LineFinding(
        line_numbers=tuple(share.line.line_number for share in bundle.shares),
        skus=tuple(need.product.facts.sku for need in bundle.needs),
        quantity=bundle.quantity,
        nodes=tuple(findings),
    )


def _node(
    run: Run, job: Job, search: Search, view: View, k: int, node: int, looked_at: Collection[int]
) -> NodeFinding:
    bundle, desk = job.bundles[k], run.desk
    code = _code(run, job, search, view, bundle, node)
    if not code and node not in looked_at:
        code = NOT_NEAREST
    available = min(need.column.left.get(node, 0) // need.units for need in bundle.needs)
    kilometres = (view.cell.meters[node] + 500) // 1000
    if code:
        return NodeFinding(
            node=desk.network.codes[node],
            reason=REASONS[code],
            available=available,
            distance_km=kilometres,
        )
    arrives = view.arrivals[view.leave[node]][view.cell.zones[node]]
    return NodeFinding(
        node=desk.network.codes[node],
        reason=None,
        available=available,
        distance_km=kilometres,
        arrive_on=day_of(arrives),
        cost=Accountant(search).parts(node, [(k, bundle.quantity)], first=True),
    )


def _code(run: Run, job: Job, search: Search, view: View, bundle: Bundle, node: int) -> int:
    code = view.mask[node]
    if view.cell.zones[node] == FAR and (not code or code > DISTANCE):
        return DISTANCE
    if code:
        return code
    if not bundle.plain:
        code = by_product(bundle, node, view, run.desk)
        if code:
            return code
    late = view.arrivals[view.leave[node]][view.cell.zones[node]] - job.promise
    if search.rules.max_days_late is not None and late > search.rules.max_days_late:
        return LATE
    if bundle_units(bundle, node, view) >= bundle.quantity:
        return 0
    before = [
        (n.column.left.get(node, 0) + n.column.taken.get(node, 0)) // n.units for n in bundle.needs
    ]
    return TAKEN if min(before) >= bundle.quantity else NO_STOCK


def _rank(finding: NodeFinding) -> tuple[bool, int, int, str]:
    cost = finding.cost.total if finding.cost else 0
    return (finding.reason is not None, cost, finding.distance_km, finding.node)


def although_cheaper(decision: Decision, choose: str) -> str:
    """Why a runner-up that costs less was not taken, under what the policy puts first."""
    chosen, other = decision.candidates[:2]
    open_for_money = (
        choose == "cost" and decision.chosen.unfilled and not decision.joint_delta_minor
    )
    if other.penalty_minor > chosen.penalty_minor or open_for_money:
        return "but what it leaves open weighs more"
    return _PUT_FIRST[choose]


_PUT_FIRST = {
    "nearest": "but farther away",
    "fewest_nodes": "but more parcels",
    # Only the joint view of a batch takes what costs more.
    "cost": "but its units went to other orders of the batch",
}
