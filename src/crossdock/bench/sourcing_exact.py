"""The batch as one mixed-integer program, solved to optimality by HiGHS.

A column is one order's parcel from one node: how many of each line. Freight depends on the whole
parcel, so nothing about it is linearized: its cost is on the column, exact. Rows:

    each line:                units in parcels + units left open = units ordered
    each order:               parcels <= the step's nodes
    each order:               split cost for every parcel but the first
    each SKU at each node:    units in parcels = units of risk taken <= available
    each node:                parcels = places of the day taken <= capacity left

Stock-out risk and load depend on how much all orders take together. Both rise with every unit, so
one variable from 0 to 1 for each unit, with the cost of that unit, is exact: the cheaper units
fill first. Where only one parcel can take from a shelf its risk goes onto the column.

Both sides keep the policy's rules: a line that some node can fill is not split. The program may
split the others as it likes, not only so that all nodes but the last give all they have, and it
looks at more nodes than the planner: if anything, the gap measured is too large.
"""

from __future__ import annotations

import importlib.util
import time
from itertools import product
from typing import NamedTuple

import numpy as np

from crossdock.bench.sourcing_instance import Instance
from crossdock.sourcing.eligibility import FAR
from crossdock.sourcing.jobs import Job, View
from crossdock.sourcing.model import Decision
from crossdock.sourcing.run import Run
from crossdock.sourcing.tools import Tools

HOLDERS = 100
"""Nearest nodes holding a line's SKU that the program may use, beside the centers and the nodes
the planner used: more than the planner looks at."""


class Parcel(NamedTuple):
    """Units of each line of an order from one node, and what that costs alone."""

    order: int
    node: int
    units: tuple[int, ...]
    cost: int


class Solution(NamedTuple):
    """The optimum, or the best found and the bound when time ran out."""

    cost: float
    bound: float
    open_units: int
    seconds: float
    optimal: bool
    columns: int
    rows: int


class Ledger:
    """The costs both sides are measured by."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        tools = Tools(instance.network, instance.policy)
        self.run = Run(tools, instance.stock, instance.products, instance.now, "bench")
        self.jobs: list[Job] = []
        self.views: list[View] = []
        for i, order in enumerate(instance.orders):
            job = self.run.orders.job(i, order)
            self.jobs.append(job)
            self.views.append(self.run.view(order, 0))

    def parcel_cost(self, order: int, node: int, units: tuple[int, ...]) -> int:
        """Freight, handling, markdown, failed pick and lateness of a parcel: all but what depends
        on other orders."""
        job, view, desk = self.jobs[order], self.views[order], self.run.desk
        zone = view.cell.zones[node]
        grams = dimensional = cost = 0
        for k, quantity in enumerate(units):
            if quantity:
                bundle = job.bundles[k]
                grams += bundle.grams * quantity
                dimensional += bundle.dimensional * quantity
                unit = desk.unit[node] + bundle.freight_unit - bundle.needs[0].product.markdown_unit
                cost += unit * quantity + bundle.freight_line + desk.line[node] + desk.fail[node]
        late = max(view.arrivals[view.leave[node]][zone] - job.promise, 0)
        rules = self.run.policy.cost.lateness
        cost += late * (rules.day_minor + job.value * rules.day_percent // 100)
        return cost + desk.order_cost[node] + view.rows[max(grams, dimensional) + desk.tare][zone]

    def risk(self, order: int, k: int, node: int) -> list[int]:
        """Cost of the first, second ... unit taken from a shelf."""
        need = self.jobs[order].bundles[k].needs[0]
        table = need.product.at_risk[self.run.desk.kind[node]]
        left = need.column.left.get(node, 0)
        padded = [*table, *([0] * (left + 1))]
        return [padded[left - taken - 1] - padded[left - taken] for taken in range(left)]

    def load(self, node: int) -> list[int] | None:
        """Cost of the first, second ... order of the day at a node; None without a limit."""
        capacity = self.run.state.capacity
        limit = self.instance.network.capacity[node]
        if limit is None:
            return None
        day = max(view.leave[node] for view in self.views[:1])
        used = capacity.used[node].get(day, 0)
        return [capacity.load_minor(node, count) if count else 0 for count in range(used, limit)]

    def planned(self, decisions: list[Decision]) -> list[Parcel]:
        """The parcels of a plan."""
        position = self.instance.network.position
        parcels = []
        for i, decision in enumerate(decisions):
            place = {b.needs[0].product.facts.sku: k for k, b in enumerate(self.jobs[i].bundles)}
            for share in decision.chosen.nodes:
                units = [0] * len(place)
                for line in share.lines:
                    units[place[line.sku]] += line.taken
                node = position[share.node]
                chosen = tuple(units)
                parcels.append(Parcel(i, node, chosen, self.parcel_cost(i, node, chosen)))
        return parcels

    def total(self, parcels: list[Parcel]) -> tuple[int, int]:
        """What a set of parcels costs in all, open units included, and how many are open.

        Refuses one that takes more than there is.
        """
        policy = self.run.policy
        total = sum(parcel.cost for parcel in parcels)
        shelves: dict[tuple[str, int], list[int]] = {}
        taken: dict[tuple[str, int], int] = {}
        at: dict[int, int] = {}
        by_order: dict[int, int] = {}
        for order, node, units, _ in parcels:
            at[node] = at.get(node, 0) + 1
            by_order[order] = by_order.get(order, 0) + 1
            for k, quantity in enumerate(units):
                sku = self.jobs[order].bundles[k].needs[0].product.facts.sku
                if quantity:
                    shelves[sku, node] = self.risk(order, k, node)
                    taken[sku, node] = taken.get((sku, node), 0) + quantity
        for shelf, quantity in taken.items():
            assert quantity <= len(shelves[shelf]), f"{shelf} is oversold"
            total += sum(shelves[shelf][:quantity])
        for node, count in at.items():
            load = self.load(node)
            if load is not None:
                assert count <= len(load), f"node {node} is over its capacity"
                total += sum(load[:count])
        total += sum((count - 1) * policy.split.cost_minor for count in by_order.values())
        wanted = sum(bundle.quantity for job in self.jobs for bundle in job.bundles)
        open_units = wanted - sum(taken.values())
        return total + open_units * policy.unfilled.penalty_minor, open_units


def parcels_of(ledger: Ledger, order: int, also: set[tuple[int, tuple[int, ...]]]) -> list[Parcel]:
    """Every parcel the program may choose for an order, those in `also` among them."""
    job, view = ledger.jobs[order], ledger.views[order]
    near: dict[int, None] = {}
    for bundle in job.bundles:
        left = bundle.needs[0].column.left
        holding = [node for node in view.cell.nearest_first() if left.get(node)]
        open_nodes = [n for n in holding if not view.mask[n] and view.cell.zones[n] != FAR]
        near |= dict.fromkeys(open_nodes[:HOLDERS])
        near |= dict.fromkeys(n for n in open_nodes if n in ledger.instance.network.centers)
    # A line that some node can fill is not split.
    fillable = [max(b.needs[0].column.left.values(), default=0) >= b.quantity for b in job.bundles]
    wanted = set(also)
    for node in near:
        held = [b.needs[0].column.left.get(node, 0) for b in job.bundles]
        choices = [
            ((0, b.quantity) if most >= b.quantity else (0,)) if full else range(most + 1)
            for b, most, full in zip(job.bundles, held, fillable, strict=True)
        ]
        wanted.update((node, units) for units in product(*choices) if any(units))
    return [
        Parcel(order, node, units, ledger.parcel_cost(order, node, units))
        for node, units in sorted(wanted)
    ]


class _Model:
    """The program as it is put together, column by column."""

    def __init__(self) -> None:
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.cost: list[float] = []
        self.most: list[float] = []
        self.integer: list[bool] = []
        self.starts: list[int] = [0]
        self.index: list[int] = []
        self.value: list[float] = []
        self.open_columns: list[int] = []

    def row(self, lower: float, upper: float) -> int:
        self.lower.append(lower)
        self.upper.append(upper)
        return len(self.lower) - 1

    def column(
        self, cost: float, most: float, entries: list[tuple[int, float]], *, integer: bool
    ) -> None:
        self.cost.append(cost)
        self.most.append(most)
        self.integer.append(integer)
        self.index += [row for row, _ in entries]
        self.value += [value for _, value in entries]
        self.starts.append(len(self.index))


def solver_is_installed() -> bool:
    """HiGHS can be imported."""
    return importlib.util.find_spec("highspy") is not None


def solve(ledger: Ledger, planned: list[Parcel], seconds: float) -> Solution:
    """The cheapest set of parcels, to a relative gap of a millionth. `planned` parcels are among
    those it may choose, so that it is never dearer than the plan it is compared with."""
    used: dict[int, set[tuple[int, tuple[int, ...]]]] = {}
    for parcel in planned:
        used.setdefault(parcel.order, set()).add((parcel.node, parcel.units))
    choices = [parcels_of(ledger, i, used.get(i, set())) for i in range(len(ledger.jobs))]
    model = _Model()
    _fill(model, ledger, choices)
    return _highs(model, seconds)


def _fill(model: _Model, ledger: Ledger, choices: list[list[Parcel]]) -> None:
    policy = ledger.run.policy
    wanting: dict[tuple[str, int], set[int]] = {}
    skus = [[b.needs[0].product.facts.sku for b in job.bundles] for job in ledger.jobs]
    for parcels in choices:
        for order, node, units, _ in parcels:
            for k, quantity in enumerate(units):
                if quantity:
                    wanting.setdefault((skus[order][k], node), set()).add(order)
    shelf_rows: dict[tuple[str, int], int] = {}
    node_rows: dict[int, int] = {}
    infinite = float("inf")
    for order, parcels in enumerate(choices):
        job = ledger.jobs[order]
        lines = [model.row(b.quantity, b.quantity) for b in job.bundles]
        nodes = model.row(-infinite, policy.steps[0].max_nodes)
        first = model.row(0, infinite)
        for k, bundle in enumerate(job.bundles):
            penalty = policy.unfilled.penalty_minor
            model.open_columns.append(len(model.cost))
            model.column(penalty, bundle.quantity, [(lines[k], 1)], integer=True)
        # One parcel is not a split: its surcharge comes back, once, if there is one.
        model.column(-policy.split.cost_minor, 1, [(first, -1)], integer=False)
        for parcel in parcels:
            cost = parcel.cost + policy.split.cost_minor
            entries = [(nodes, 1.0), (first, 1.0)]
            for k, quantity in enumerate(parcel.units):
                if not quantity:
                    continue
                entries.append((lines[k], quantity))
                shelf = (skus[order][k], parcel.node)
                if len(wanting[shelf]) == 1:
                    cost += sum(ledger.risk(order, k, parcel.node)[:quantity])
                    continue
                row = shelf_rows.get(shelf)
                if row is None:
                    row = shelf_rows[shelf] = model.row(0, 0)
                    for step in ledger.risk(order, k, parcel.node):
                        model.column(step, 1, [(row, -1)], integer=False)
                entries.append((row, quantity))
            load = ledger.load(parcel.node)
            if load is not None:
                row = node_rows.get(parcel.node)
                if row is None:
                    row = node_rows[parcel.node] = model.row(0, 0)
                    for step, times in _runs(load):
                        model.column(step, times, [(row, -1)], integer=False)
                entries.append((row, 1))
            model.column(cost, 1, entries, integer=True)


def _runs(costs: list[int]) -> list[tuple[int, int]]:
    """Equal neighbors counted: (cost, how many)."""
    found: list[tuple[int, int]] = []
    for cost in costs:
        if found and found[-1][0] == cost:
            found[-1] = (cost, found[-1][1] + 1)
        else:
            found.append((cost, 1))
    return found


def _highs(model: _Model, seconds: float) -> Solution:
    import highspy

    columns, rows = len(model.cost), len(model.lower)
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = columns, rows
    program.col_cost_ = np.array(model.cost, dtype=float)
    program.col_lower_ = np.zeros(columns)
    program.col_upper_ = np.array(model.most, dtype=float)
    program.row_lower_ = np.array(model.lower, dtype=float)
    program.row_upper_ = np.array(model.upper, dtype=float)
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = np.array(model.starts, dtype=np.int32)
    program.a_matrix_.index_ = np.array(model.index, dtype=np.int32)
    program.a_matrix_.value_ = np.array(model.value, dtype=float)
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    program.integrality_ = [kinds[integer] for integer in model.integer]
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("mip_rel_gap", 1e-6)
    solver.setOptionValue("time_limit", float(seconds))
    solver.passModel(program)
    started = time.process_time()
    solver.run()
    took = time.process_time() - started
    info = solver.getInfo()
    optimal = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    values = np.array(solver.getSolution().col_value)
    open_units = round(float(values[model.open_columns].sum())) if len(values) else 0
    return Solution(
        info.objective_function_value, info.mip_dual_bound, open_units, took, optimal, columns, rows
    )
