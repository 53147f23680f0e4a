"""An order made ready for the search: its bundles, what they need, and where they can be had.

A bundle is what must leave from one node together: a line, the lines of one SKU, lines that ship
together, or a kit. The node options of a bundle are its cost by the position of the node.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from crossdock.sourcing.eligibility import (
    DISTANCE,
    EXCLUDED,
    FAR,
    NO_STOCK,
    SHELF_LIFE,
    TAKEN,
    Profile,
    product_code,
)
from crossdock.sourcing.freight import Arrivals, Lateness
from crossdock.sourcing.model import DemandLine, OrderDemand
from crossdock.sourcing.network import Network
from crossdock.sourcing.places import Cell
from crossdock.sourcing.policy import SourcingPolicy
from crossdock.sourcing.products import KIND_NUMBER, Product
from crossdock.sourcing.state import Column, Wave

NO_PROMISE = 1 << 40

FEW_HOLDERS = 150
"""So many nodes that hold a product are sorted by distance faster than all nodes are looked
through, nearest first."""
CACHED_QUANTITIES = 256

Options = dict[int, int]
"""By node, the cost of a bundle there."""
Piece = tuple[int, int, int]
"""Node, bundle, how many of it."""


class Need(NamedTuple):
    """`units` of a SKU for one unit of a bundle."""

    product: Product
    column: Column
    units: int
    instead_of: str


class Share(NamedTuple):
    """A line's part of a bundle: `units` order-line units for one unit of the bundle."""

    line: DemandLine
    needs: tuple[Need, ...]


class Bundle:
    """Lines that leave together; `quantity` bundles of them are wanted."""

    __slots__ = (
        "dimensional",
        "excluded",
        "freight_line",
        "freight_unit",
        "grams",
        "needs",
        "plain",
        "quantity",
        "shares",
        "unit_gain",
        "unit_value",
        "whole",
    )

    def __init__(self, shares: list[Share], quantity: int, *, whole: bool) -> None:
        self.shares = shares
        self.quantity = quantity
        self.whole = whole
        """It ships together: one bundle of all its units, never split."""
        self.needs: tuple[Need, ...] = shares[0].needs
        """For one bundle."""
        line = shares[0].line
        self.excluded: tuple[str, ...] = line.excluded_nodes
        self.unit_value = line.unit_value_minor
        if whole or len(shares) > 1:
            self._of_lines(shares)
        if len(self.needs) == 1 and self.needs[0].units == 1:
            product, column, _, _ = self.needs[0]
            self.plain = product.plain and column.plain
            """One ordinary SKU: the hot path."""
            alone = product.facts.ships_alone
            self.grams = 0 if alone else product.grams
            self.dimensional = 0 if alone else product.dimensional
            self.freight_unit = product.freight_unit
            self.freight_line = product.freight_line
            self.unit_gain = self.unit_value - product.facts.cost_minor
            """What one leaves before freight and handling."""
        else:
            self._of_needs()

    def _of_lines(self, shares: list[Share]) -> None:
        """Several lines of one SKU, or (whole) what ships together."""
        if self.whole:
            self.needs = _one_for_each_column(shares)
        self.excluded = sum((share.line.excluded_nodes for share in shares), ())
        worth = sum(s.line.unit_value_minor * s.line.quantity for s in shares)
        self.unit_value = worth // self.quantity

    def _of_needs(self) -> None:
        """Several SKUs, or several units of one: kits and products that ship together."""
        self.plain = False
        boxed = [need for need in self.needs if not need.product.facts.ships_alone]
        self.grams = sum(need.product.grams * need.units for need in boxed)
        self.dimensional = sum(need.product.dimensional * need.units for need in boxed)
        self.freight_unit = sum(need.product.freight_unit * need.units for need in self.needs)
        self.freight_line = sum(need.product.freight_line for need in self.needs)
        goods = sum(need.product.facts.cost_minor * need.units for need in self.needs)
        self.unit_gain = self.unit_value - goods

    def billable(self, quantity: int, tare: int) -> int:
        """Grams a package of so many is charged for; 0 when each unit is a package."""
        if not self.grams:
            return 0
        return max(self.grams, self.dimensional) * quantity + tare


def _one_for_each_column(shares: list[Share]) -> tuple[Need, ...]:
    found: dict[int, Need] = {}
    for share in shares:
        for need in share.needs:
            known = found.get(id(need.column))
            units = need.units + (known.units if known else 0)
            found[id(need.column)] = need._replace(units=units)
    return tuple(found.values())


class View:
    """What an order sees in one step of the policy."""

    __slots__ = (
        "arrivals",
        "cell",
        "late",
        "leave",
        "mask",
        "open_cost",
        "profile",
        "rows",
        "wave",
    )

    def __init__(
        self,
        profile: Profile,
        mask: bytearray,
        wave: Wave,
        cell: Cell,
        arrivals: Arrivals,
        rows: dict[int, tuple[int, ...]],
        late: dict[tuple[int, int], Lateness],
    ) -> None:
        self.profile = profile
        self.mask = mask
        """Reason code of each node, 0 for those that take part."""
        self.wave = wave
        self.leave = wave.leave
        self.open_cost = wave.open_cost
        self.cell = cell
        self.arrivals = arrivals
        self.rows = rows
        """Billable grams -> freight by zone, the destination's surcharges included."""
        self.late = late
        """By promise and what a day costs, made when first asked for."""


class Job:
    """One order on its way through the planner."""

    __slots__ = (
        "budget",
        "bundles",
        "contended",
        "demand",
        "number",
        "overlap",
        "promise",
        "rejected",
        "value",
    )

    def __init__(self, number: int, demand: OrderDemand) -> None:
        self.number = number
        self.demand = demand
        self.bundles: list[Bundle] = []
        self.overlap = False
        """Two bundles draw on the same column."""
        self.promise = NO_PROMISE
        """Ordinal of the day it was promised for, at the destination."""
        self.value = 0
        self.budget: int | None = None
        """What freight and handling may cost under the margin floor."""
        self.rejected: dict[int, list[int]] = {}
        """By reason code, the nodes left out in the step that was taken."""
        self.contended: list[tuple[int, int]] = []
        """Bundle and node whose units went to earlier orders of the batch."""


class Desk:
    """Columns by node position that the option builders read."""

    __slots__ = (
        "by_quantity",
        "centers",
        "fail",
        "heaviest",
        "kind",
        "line",
        "nearest",
        "network",
        "now",
        "order_cost",
        "policy",
        "tare",
        "unit",
    )

    def __init__(self, network: Network, policy: SourcingPolicy) -> None:
        rates = policy.cost
        self.network = network
        self.policy = policy
        self.nearest = policy.candidates.holders
        self.tare = policy.freight.tare_grams
        self.heaviest = policy.freight.weights_grams[-1]
        self.centers = sorted(network.centers)
        self.now = datetime.min.replace(tzinfo=UTC)
        self.unit = [
            node.handling_unit_minor or rates.handling.unit_minor for node in network.nodes
        ]
        """Handling of a unit."""
        self.line = [node.handling_line_minor for node in network.nodes]
        """Handling of a line, whatever its units."""
        self.order_cost = [
            node.handling_order_minor or rates.handling.order_minor for node in network.nodes
        ]
        """Handling of an order."""
        self.fail = [
            round(node.failed_pick_rate * rates.failed_pick_minor) for node in network.nodes
        ]
        """Expected cost of a failed pick of a line."""
        self.by_quantity: dict[int, list[int]] = {}
        self.kind = bytes(KIND_NUMBER[node.kind] for node in network.nodes)

    def line_cost(self, quantity: int) -> list[int]:
        """By node, handling and failed pick of a line of so many units."""
        found = self.by_quantity.get(quantity)
        if found is None:
            if len(self.by_quantity) >= CACHED_QUANTITIES:
                self.by_quantity.clear()
            rates = zip(self.unit, self.line, self.fail, strict=True)
            found = [unit * quantity + line + fail for unit, line, fail in rates]
            self.by_quantity[quantity] = found
        return found


def options_of(job: Job, number: int, view: View, desk: Desk, short: dict[int, int]) -> Options:
    """Nodes that can fill a bundle alone, with its cost there: the nearest, and every dc.

    `short` receives the nodes that may send but hold too little, with the bundles they hold.
    """
    bundle = job.bundles[number]
    options = _nearest_options(job, number, view, desk, short)
    for need in bundle.needs:
        prices = need.column.prices
        if prices:
            units = need.units * bundle.quantity
            options = {node: cost + prices.get(node, 0) * units for node, cost in options.items()}
    return options


def _nearest_options(
    job: Job, number: int, view: View, desk: Desk, short: dict[int, int]
) -> Options:
    bundle = job.bundles[number]
    build = plain_options if bundle.plain else general_options
    if bundle.excluded:
        view = without(view, bundle.excluded, desk.network)
    left = bundle.needs[0].column.left
    if len(left) <= desk.nearest:
        return build(job, number, view, desk, short, left.items())
    nearest = _holders(left, view.cell)
    options: Options = {}
    looked_at: set[int] = set()
    while len(options) < desk.nearest:
        chunk = [(node, left[node]) for node in islice(nearest, desk.nearest - len(options))]
        if not chunk:
            break
        looked_at.update([node for node, _ in chunk])
        options |= build(job, number, view, desk, short, chunk)
    chunk = [(node, left[node]) for node in desk.centers if node in left and node not in looked_at]
    return options | build(job, number, view, desk, short, chunk) if chunk else options


def _holders(left: dict[int, int], cell: Cell) -> Iterator[int]:
    """The nodes of a column by distance, then by code."""
    if len(left) <= FEW_HOLDERS:
        return iter(sorted(sorted(left), key=cell.meters.__getitem__))
    return (node for node in cell.nearest_first() if node in left)


def plain_options(
    job: Job,
    number: int,
    view: View,
    desk: Desk,
    short: dict[int, int],
    pairs: Iterable[tuple[int, int]],
) -> Options:
    """Options of a bundle of one ordinary SKU: the hot path."""
    bundle = job.bundles[number]
    product = bundle.needs[0].product
    quantity = bundle.quantity
    mask, zones = view.mask, view.cell.zones
    line_cost, kind, risk = desk.line_cost(quantity), desk.kind, product.risk_of(quantity)
    constant = bundle.freight_line + (bundle.freight_unit - product.markdown_unit) * quantity
    options: Options = {}
    for node, available in pairs:
        if mask[node] or zones[node] == FAR:
            reject(job, mask[node], node, zones[node] == FAR)
            continue
        left = available - quantity
        if left < 0:
            lack(job, number, node, available, short)
            continue
        table = risk[kind[node]]
        cost = constant + line_cost[node]
        options[node] = cost + table[left] if left < len(table) else cost
    return options


def general_options(
    job: Job,
    number: int,
    view: View,
    desk: Desk,
    short: dict[int, int],
    pairs: Iterable[tuple[int, int]],
) -> Options:
    """Options of any bundle: kits, products with rules, lots, known age; slower."""
    bundle = job.bundles[number]
    zones = view.cell.zones
    options: Options = {}
    for node, _ in pairs:
        far = zones[node] == FAR
        code = view.mask[node] or (0 if far else by_product(bundle, node, view, desk))
        if code or far:
            reject(job, code, node, far)
            continue
        available = bundle_units(bundle, node, view)
        if available < bundle.quantity:
            lack(job, number, node, available, short)
            continue
        options[node] = bundle_cost(bundle, node, bundle.quantity, view, desk)
    return options


def bundle_units(bundle: Bundle, node: int, view: View) -> int:
    """How many of the bundle a node can make from its stock; lots must live long enough."""
    arrives = view.arrivals[view.leave[node]][view.cell.zones[node]]
    return min(
        need.column.fresh(node, first_day(need.product, arrives)) // need.units
        for need in bundle.needs
    )


def units_there(need: Need, node: int, view: View) -> int:
    """What a node has for a need, of lots only what lives until it arrives from there."""
    zone, leaves = view.cell.zones[node], view.leave[node]
    if need.column.lots is None:
        return need.column.left.get(node, 0)
    if zone == FAR or not leaves:
        return 0
    return need.column.fresh(node, first_day(need.product, view.arrivals[leaves][zone]))


def first_day(product: Product, arrives: int) -> int:
    """The day a lot must live to, to be sent with arrival on that day."""
    return arrives + (product.facts.shelf_life_days or 0)


def bundle_cost(bundle: Bundle, node: int, quantity: int, view: View, desk: Desk) -> int:
    """Cost of `quantity` bundles at a node, without what the package and the node cost."""
    return sum(
        sum(need_parts(need, node, need.units * quantity, view, desk)) for need in bundle.needs
    )


def need_parts(
    need: Need, node: int, units: int, view: View, desk: Desk
) -> tuple[int, int, int, int, int]:
    """Freight of its own, handling, markdown, stock-out risk and failed pick of a line's units."""
    product, column = need.product, need.column
    available = column.left.get(node, 0)
    freight = product.freight_line + product.freight_unit * units
    if product.facts.ships_alone:
        freight += view.rows[product.billable(desk.tare)][view.cell.zones[node]] * units
    markdown = product.markdown_unit
    if column.row:
        row, facts = column.row[node], column.facts
        age = facts.age_days[row] if facts.age_days is not None else None
        sales = facts.weekly_sales[row] if facts.weekly_sales is not None else None
        markdown = product.markdown_at(desk.policy, desk.now, available, age, sales)
    table = product.at_risk[desk.kind[node]]
    left, risk = max(available - units, 0), 0
    if left < len(table):
        risk = table[left] - (table[available] if available < len(table) else 0)
    handling = desk.unit[node] * units + desk.line[node]
    return freight, handling, -markdown * units, risk, desk.fail[node]


def reject(job: Job, code: int, node: int, far: bool) -> None:
    """Notes why a node takes no part; distance comes before what comes later in `Reason`."""
    if far and (not code or code > DISTANCE):
        code = DISTANCE
    found = job.rejected.get(code)
    if found is None:
        job.rejected[code] = [node]
    else:
        found.append(node)


def lack(job: Job, number: int, node: int, available: int, short: dict[int, int]) -> None:
    """Notes a node that holds too little now, and whether this batch took the rest."""
    bundle = job.bundles[number]
    if available > 0:
        short[node] = available
    code = NO_STOCK
    for need in bundle.needs:
        taken = need.column.taken.get(node, 0)
        if taken and (need.column.left[node] + taken) // need.units >= bundle.quantity:
            code = TAKEN
            job.contended.append((number, node))
            break
    reject(job, code, node, far=False)


def by_product(bundle: Bundle, node: int, view: View, desk: Desk) -> int:
    """Why the products of a bundle may not leave a node, as a reason code; 0 if they may."""
    leaves = view.leave[node]
    transit = view.arrivals[leaves][view.cell.zones[node]] - leaves
    facts = desk.network.nodes[node]
    codes = [
        product_code(need.product.facts, facts, desk.policy, view.profile, transit)
        for need in bundle.needs
    ]
    code = min((code for code in codes if code), default=0)
    if (
        not code
        and not bundle_units(bundle, node, view)
        and any(n.column.lots for n in bundle.needs)
    ):
        return SHELF_LIFE
    return code


def without(view: View, codes: tuple[str, ...], network: Network) -> View:
    """The view without some nodes."""
    mask = bytearray(view.mask)
    for code in codes:
        node = network.position.get(code)
        if node is not None:
            mask[node] = EXCLUDED
    return View(view.profile, mask, view.wave, view.cell, view.arrivals, view.rows, view.late)
