"""What sourcing reads and what it decides: values, no behavior.

Natural keys are text (SKU, node). Money is integer minor units of the policy's currency, the
settlement currency: callers convert an order's values before they ask. Weights are grams, lengths
millimetres. Structs that are stored in bulk are arrays on the wire; fields are only ever appended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

import msgspec

NodeKind = Literal["store", "dc", "dark_store", "3pl", "vendor"]
Hours = tuple[int, int] | None
"""Opening and closing minute of a local day, (0, 1440) for around the clock; None is closed."""

ALWAYS_OPEN: tuple[Hours, ...] = ((0, 1440),) * 7
ANY_SERVICE = "*"
Pickups = tuple[int | None, ...]
"""Monday to Sunday: the minute of a carrier's last pickup; None on a day without one."""


class Reason(StrEnum):
    """Why a node takes no part, in order of precedence: the first that applies is recorded.

    The last three are not about the node alone: units given to other orders of the batch, a rule
    about the whole plan, or a limit of the search.
    """

    EXCLUDED = "excluded"
    """The order names it: it failed or declined before, or another node was asked for."""
    NODE_OFF = "node_off"
    """The node is inactive or does not offer the method."""
    GROUP = "group"
    """The policy's kinds, groups or brands leave it out."""
    DISTANCE = "distance"
    CAPABILITY = "capability"
    """It lacks what the method or the product needs."""
    PRODUCT = "product"
    """This product is not sent from this node, or not by this method."""
    LANE = "lane"
    """Owner, entity or border: goods may not go from this node to this order."""
    CURRENCY = "currency"
    """Its rates are in another currency than the policy's: nobody gives us exchange rates."""
    DANGEROUS_GOODS = "dangerous_goods"
    SHELF_LIFE = "shelf_life"
    CLOSED = "closed"
    """By its calendar and cut-off it cannot send within the days the policy waits."""
    CAPACITY = "capacity"
    LATE = "late"
    """It could only arrive later than the policy's last limit."""
    MARGIN_FLOOR = "margin_floor"
    """Sending from here would leave less than the margin floor."""
    NO_STOCK = "no_stock"
    """Too few units for the line."""
    TAKEN = "taken"
    """Enough units at first, but other orders of this batch got them."""
    SPLIT_RULE = "split_rule"
    """Good for some lines only, and the split rules forbid the plans it would be in."""
    NOT_NEAREST = "not_nearest"
    """More than the policy's number of nearer nodes hold the product."""


class Outcome(StrEnum):
    """What the policy does with units that no node could take."""

    BACKORDER = "backorder"
    HOLD = "hold"
    CANCEL = "cancel"


class DemandLine(msgspec.Struct, frozen=True, array_like=True):
    """Units of one order line that need a node."""

    line_number: int
    sku: str
    quantity: int
    group_number: int = 1
    unit_value_minor: int = 0
    """What the customer pays for one unit."""
    excluded_nodes: tuple[str, ...] = ()
    """Nodes that failed or declined this line before."""


class OrderDemand(msgspec.Struct, frozen=True, array_like=True):
    """What one order needs at one destination by one method and service.

    An order with delivery groups to several places is one OrderDemand for each. `priority` 1 is
    planned first; within a priority the lower `sequence`, then the lower `order_id`.
    """

    order_id: str
    sequence: int
    lines: tuple[DemandLine, ...]
    channel: str = ""
    method: str = "ship"
    service: str = "standard"
    priority: int = 3
    placed_at: datetime | None = None
    arrive_by: datetime | None = None
    """The promise. Its day at the destination counts; the zone is taken from the longitude."""
    country: str = "US"
    postal_code: str = ""
    latitude: float | None = None
    longitude: float | None = None
    excluded_nodes: tuple[str, ...] = ()
    only_nodes: tuple[str, ...] = ()
    """When not empty, no other node will do (pickup)."""
    value_minor: int = 0
    """Order total; 0 lets the lines' values stand for it."""
    currency: str = ""
    brand: str = ""
    legal_entity: str = ""
    """The selling entity."""
    substitutes_allowed: bool = False
    barred_substitutes: tuple[str, ...] = ()
    """Substitutes that may not be sent: what is left of them was promised to others."""


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place that can hold stock or fulfill, as master data knows it."""

    code: str
    kind: NodeKind = "store"
    allocation_zone: str = "main"
    country: str = "US"
    postal_code: str = ""
    latitude: float
    longitude: float
    time_zone: str = "UTC"
    hours: tuple[Hours, ...] = ALWAYS_OPEN
    """Monday to Sunday."""
    closures: tuple[date, ...] = ()
    """Local days it does not work: holidays, stocktaking."""
    special_hours: dict[date, tuple[int, int]] = {}
    """Local days that differ from their weekday."""
    cut_offs: dict[str, Pickups] = {}
    """By service, after which minute of the local day work leaves on another one; "*" is any
    service that is not named. Without any, work leaves whenever the node is open."""
    lead_days: int = 0
    """Open days it needs before it hands over."""
    daily_capacity: int | None = None
    """FulfillmentOrders a local day; None is without limit."""
    methods: tuple[str, ...] = ("ship",)
    capabilities: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    """Brands it serves; empty is all."""
    region: str = ""
    legal_entity: str = ""
    currency: str = ""
    """Of its rates; empty is the policy's."""
    handling_order_minor: int = 0
    handling_line_minor: int = 0
    handling_unit_minor: int = 0
    load_minor: int = 0
    """What an order costs extra when the day is full; it grows with the square of the load."""
    failed_pick_rate: float = 0.0
    """Probability that a line sent here is not found."""
    active: bool = True


class SkuFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A product as sourcing needs it. Empty tuples mean no restriction."""

    sku: str
    weight_grams: int = 500
    dimensions_mm: tuple[int, int, int] = (0, 0, 0)
    currency: str = ""
    """Of price and cost; empty is the policy's."""
    price_minor: int = 0
    cost_minor: int = 0
    season_end: date | None = None
    first_received_on: date | None = None
    """Since when the stock ages, where nothing is known of a node's own."""
    markdown_percent: int | None = None
    """Overrides the policy's."""
    dangerous_goods: str = ""
    """UN class or a word of the policy (`lithium`, `limited_quantity`); empty is harmless."""
    shelf_life_days: int | None = None
    """Days of life the customer is owed on arrival; checked where the stock has lots with dates."""
    max_transit_days: int | None = None
    requires: tuple[str, ...] = ()
    """Capabilities a node must have to send it."""
    methods: tuple[str, ...] = ()
    node_groups: tuple[str, ...] = ()
    """Only nodes in one of these groups send it."""
    blocked_nodes: tuple[str, ...] = ()
    owner: str = ""
    """The entity that owns it, where only that entity's nodes may send it."""
    substitutes: tuple[str, ...] = ()
    """Best first."""
    components: tuple[tuple[str, int], ...] = ()
    """A kit: component SKU and units in one kit. A kit has no stock of its own."""
    ship_together: str = ""
    """Lines of an order with the same word here leave from one node."""
    ships_alone: bool = False
    """Each unit is a package of its own."""

    def price_in(self, currency: str) -> int:
        """0 where it has none in this currency: nobody gives us exchange rates."""
        return self.price_minor if self.currency in ("", currency) else 0

    def cost_in(self, currency: str) -> int:
        """The same of its cost."""
        return self.cost_minor if self.currency in ("", currency) else 0


class StockColumn(msgspec.Struct, frozen=True, array_like=True):
    """Where one SKU is and how much may be taken. The other columns are known or None."""

    nodes: Sequence[str]
    available: Sequence[int]
    age_days: Sequence[int] | None = None
    weekly_sales: Sequence[float] | None = None
    lots: Sequence[tuple[tuple[date, int], ...]] | None = None
    """Per node its lots: last day of life, units. They sum to `available`."""


class Stock(msgspec.Struct, frozen=True, array_like=True):
    """What changes between batches: stock columns by SKU, capacity used by node and local day."""

    columns: dict[str, StockColumn] = {}
    capacity_used: dict[str, dict[date, int]] = {}
    capacity_version: str = ""


class CostParts(msgspec.Struct, frozen=True, array_like=True):
    """The cost of sending from one node, in minor units. Markdown avoided is negative."""

    freight: int = 0
    handling: int = 0
    split: int = 0
    markdown: int = 0
    stockout: int = 0
    failed_pick: int = 0
    lateness: int = 0
    load: int = 0

    def __iter__(self) -> Iterator[int]:
        """The parts in the order of their fields."""
        return iter(
            (
                self.freight,
                self.handling,
                self.split,
                self.markdown,
                self.stockout,
                self.failed_pick,
                self.lateness,
                self.load,
            )
        )

    @property
    def total(self) -> int:
        """All parts together."""
        return (
            self.freight
            + self.handling
            + self.split
            + self.markdown
            + self.stockout
            + self.failed_pick
            + self.lateness
            + self.load
        )


class PlannedLine(msgspec.Struct, frozen=True, array_like=True):
    """Units of an order line at a node. For a kit there is one for each component."""

    line_number: int
    sku: str
    """The SKU whose stock is taken: a substitute's or a component's where it is one."""
    quantity: int
    """Units of the order line this stands for."""
    taken: int
    """Units of `sku` taken from stock."""
    instead_of: str = ""
    """The kit that `sku` is a component of, else the product ordered in whose place it is sent."""


class PlannedNode(msgspec.Struct, frozen=True, array_like=True):
    """One node's share of a plan."""

    node: str
    lines: tuple[PlannedLine, ...]
    packages: int
    billable_grams: int
    zone: int
    """Index of the freight zone; the last one is abroad."""
    distance_km: int
    ship_by: datetime
    """When the carrier collects: the cut-off of the local day it leaves."""
    ship_on: date
    arrive_on: date
    cost: CostParts


class Unfilled(msgspec.Struct, frozen=True, array_like=True):
    """Units without a node, the reason nearest to a fill, and what the policy does with them."""

    line_number: int
    sku: str
    quantity: int
    reason: Reason
    outcome: Outcome
    until: datetime | None = None
    """When the outcome ends; then the units are canceled."""


class SourcingPlan(msgspec.Struct, frozen=True, array_like=True):
    """Which nodes fulfill what, and what stays open. `total_minor` leaves out the unfilled."""

    nodes: tuple[PlannedNode, ...]
    unfilled: tuple[Unfilled, ...]
    total_minor: int
    penalty_minor: int = 0
    """What the policy counts for the unfilled units when it compares plans."""
    step: str = ""
    """The policy's step it comes from."""


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A costed plan that was looked at: its nodes, what it would have cost, by part."""

    nodes: tuple[str, ...]
    total_minor: int
    cost: CostParts
    penalty_minor: int = 0
    arrive_on: date | None = None


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """The stored record of one choice. With its batch's PlanningInputs it can be made again."""

    order_id: str
    sequence: int
    chosen: SourcingPlan
    candidates: tuple[Candidate, ...]
    """The chosen plan, the runner-up, and the next best: as many as the policy records."""
    eliminated: dict[Reason, tuple[str, ...]]
    """Of the nodes the stock columns named for this order."""
    policy_name: str
    policy_version: str
    batch_id: str
    exact: bool
    """No better plan exists for this order alone; False where the search was cut short."""
    joint_delta_minor: int = 0
    """What the joint view of the batch made this order dearer (+) or cheaper (-)."""
    value_minor: int = 0

    @property
    def runner_up(self) -> Candidate | None:
        """The best other plan; None when there was none."""
        return self.candidates[1] if len(self.candidates) > 1 else None

    @property
    def runner_up_delta_minor(self) -> int:
        """How much dearer the runner-up is; `explain.although_cheaper` says why below zero."""
        if len(self.candidates) < 2:
            return 0
        chosen, other = self.candidates[:2]
        return other.total_minor + other.penalty_minor - chosen.total_minor - chosen.penalty_minor

    @property
    def filled(self) -> bool:
        """Every unit has a node."""
        return not self.chosen.unfilled
