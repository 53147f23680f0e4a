"""The policy's numbers the search needs, for one step."""

from __future__ import annotations

from crossdock.sourcing.jobs import Desk
from crossdock.sourcing.policy import Step

OPEN_UNIT = 10**12
"""What a unit left open weighs against money: no saving buys one."""
FIRST = 10**10
"""What one metre or one node weighs against money where the policy puts it first."""
OPEN_UNIT_OVER_FIRST = 10**22


class Rules:
    """The policy's numbers the search needs, for one step."""

    __slots__ = (
        "by_distance",
        "day_minor",
        "day_percent",
        "evaluations",
        "kept",
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
        self.kept = max(policy.record.candidates, 2)
