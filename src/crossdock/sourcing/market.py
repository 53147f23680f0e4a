"""Prices for what orders of a batch compete for: units of a shelf, places of a node's day.

Lagrangian relaxation: every order picks the cheapest of its plans at the prices of the moment; what
is asked for more often than there is of it gets dearer, what is left over gets cheaper. At good
prices the orders that can do without step aside, and planning one after the other comes close to
the joint optimum. (Fisher, The Lagrangian Relaxation Method for Solving Integer Programming
Problems, Management Science 27, 1981.)

A place costs the node's load, which rises with each order: only the places that cost no more than
their price are offered.
"""

from __future__ import annotations

import numpy as np

from crossdock.sourcing.state import Capacity, Column, Floats, places_within

ROUNDS = 120
FIRST_STEP_MINOR = 150.0
"""How far a price moves at first, of a resource asked for twice as often as it is there."""
HALVED_AFTER_ROUNDS = 8
NO_ALTERNATIVE = 1 << 60

Resource = tuple[int, int]
"""The identity of a column (0 for places of a day) and a node."""
Prices = dict[Resource, int]
Takes = dict[int, int]
"""Units of each resource a plan takes, by the resource's number."""


class Market:
    """The plans that orders could choose, and what each takes."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.bidders: list[int] = []
        self._numbers: dict[Resource, int] = {}
        self._resources: list[tuple[Column | None, int]] = []
        self.prices: Prices = {}
        self._limits: list[int] = []
        """By resource: how many there are, how many of them are gone, and what a place's load is
        reckoned with. A shelf has none: all its units are offered at any price."""
        self._gone: list[int] = []
        self._loads: list[int] = []
        self._costs: list[int] = []
        self._starts: list[int] = []
        self._plan: list[int] = []
        """By take: the plan, the resource and the units."""
        self._resource: list[int] = []
        self._units: list[int] = []

    def shelf(self, column: Column, node: int) -> int:
        """The number of a shelf."""
        number = self._numbers.get((id(column), node))
        if number is None:
            number = self._number((id(column), node), column, node)
            self._offer(column.left.get(node, 0), 0, 0)
        return number

    def places(self, node: int, day: int) -> int | None:
        """The number of a node's places; None when it has no limit."""
        limit = self.capacity.limit(node)
        if limit is None:
            return None
        number = self._numbers.get((0, node))
        if number is None:
            number = self._number((0, node), None, node)
            used = self.capacity.used[node].get(day, 0)
            self._offer(limit, used, self.capacity.load_factor(node))
        return number

    def bid(self, order: int, plans: list[tuple[int, Takes]]) -> None:
        """Adds an order with the plans it could choose: cost, and what each takes."""
        self.bidders.append(order)
        self._starts.append(len(self._costs))
        for cost, takes in plans:
            for number, units in takes.items():
                self._plan.append(len(self._costs))
                self._resource.append(number)
                self._units.append(units)
            self._costs.append(cost)

    def clear(self) -> list[int]:
        """Finds prices and puts them where the search sees them; returns the orders, first those
        that lose most by taking their second plan."""
        if not self.bidders:
            return []
        costs = np.array(self._costs, dtype=np.float64)
        plan = np.array(self._plan, dtype=np.int64)
        resource = np.array(self._resource, dtype=np.int64)
        units = np.array(self._units, dtype=np.float64)
        starts = np.array(self._starts)
        sizes = np.diff(np.append(starts, len(costs)))
        order = np.repeat(np.arange(len(starts)), sizes)
        limits = np.array(self._limits, dtype=np.float64)
        gone = np.array(self._gone, dtype=np.float64)
        loads = np.array(self._loads, dtype=np.float64)
        count = len(self._resources)
        scale = np.maximum(limits - gone, 1.0)
        prices = np.zeros(count)
        for turn in range(ROUNDS):
            priced = costs + np.bincount(plan, prices[resource] * units, len(costs))
            cheapest = priced <= np.minimum.reduceat(priced, starts)[order]
            places = np.flatnonzero(cheapest)
            # Of equally cheap plans the first.
            chosen = np.zeros(len(costs))
            chosen[places[np.diff(order[places], prepend=-1) > 0]] = 1.0
            asked = np.bincount(resource, units * chosen[plan], count)
            supply = np.maximum(places_within(prices, limits, loads) - gone, 0.0)
            step = FIRST_STEP_MINOR / (1 + turn / HALVED_AFTER_ROUNDS)
            prices = np.maximum(prices + step * np.clip((asked - supply) / scale, -1, 2), 0)
        self._put(prices)
        priced = costs + np.bincount(plan, prices[resource] * units, len(costs))
        return self._by_regret(priced)

    def close(self) -> None:
        """Takes all prices away."""
        for column, _ in self._resources:
            if column is not None:
                column.prices.clear()
        self.capacity.price({})
        self.capacity.trading = False

    def _number(self, key: Resource, column: Column | None, node: int) -> int:
        number = self._numbers[key] = len(self._resources)
        self._resources.append((column, node))
        return number

    def _offer(self, limit: int, gone: int, load: int) -> None:
        self._limits.append(limit)
        self._gone.append(gone)
        self._loads.append(load)

    def _put(self, prices: Floats) -> None:
        places: dict[int, int] = {}
        rounded = [round(price) for price in prices.tolist()]
        self.prices = {
            key: price for key, price in zip(self._numbers, rounded, strict=True) if price
        }
        for (column, node), price in zip(self._resources, rounded, strict=True):
            if price <= 0:
                continue
            if column is None:
                places[node] = price
            else:
                column.prices[node] = price
        self.capacity.price(places)
        self.capacity.trading = True

    def _by_regret(self, priced: Floats) -> list[int]:
        ranked = []
        ends = [*self._starts[1:], len(priced)]
        for turn, (start, end) in enumerate(zip(self._starts, ends, strict=True)):
            regret = NO_ALTERNATIVE
            if end - start > 1:
                first, second = np.partition(priced[start:end], 1)[:2].tolist()
                regret = round(second - first)
            ranked.append((-regret, turn))
        return [self.bidders[turn] for _, turn in sorted(ranked)]
