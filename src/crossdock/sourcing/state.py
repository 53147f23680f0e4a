"""What a batch consumes as it is planned: stock columns, capacity, and the profiles they close.

Every change can be taken back, so that the joint view may try an exchange.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crossdock.sourcing.departures import Departures
from crossdock.sourcing.eligibility import CAPACITY, CLOSED
from crossdock.sourcing.model import Stock, StockColumn
from crossdock.sourcing.network import Network
from crossdock.sourcing.policy import SourcingPolicy

Lots = list[list[int]]
"""Last day of life (ordinal) and units left, shortest life first."""

LotTakes = list[tuple[list[int], int]]

Floats = npt.NDArray[np.float64]

NO_COLUMN = StockColumn((), ())


class Column:
    """One SKU's available units by node position, and what the batch has taken so far."""

    __slots__ = ("facts", "left", "lots", "plain", "prices", "row", "taken", "users")

    def __init__(self, facts: StockColumn, position: dict[str, int]) -> None:
        self.facts = facts
        try:
            places = list(map(position.__getitem__, facts.nodes))
            self.left: dict[int, int] = dict(zip(places, facts.available, strict=True))
        except KeyError:
            # Nodes the network does not know take no part.
            places = [position.get(code, -1) for code in facts.nodes]
            self.left = dict(zip(places, facts.available, strict=True))
            self.left.pop(-1, None)
        self.taken: dict[int, int] = {}
        self.prices: dict[int, int] = {}
        """By node, what a unit is worth to the orders that compete for it."""
        self.users: dict[int, set[int]] = {}
        """By node, the numbers of the orders that hold units of it now."""
        self.row: dict[int, int] = {}
        self.lots: dict[int, Lots] | None = None
        if facts.age_days is not None or facts.weekly_sales is not None:
            self.row = {place: i for i, place in enumerate(places)}
        if facts.lots is not None:
            self.lots = {
                place: sorted([day.toordinal(), units] for day, units in lots)
                for place, lots in zip(places, facts.lots, strict=True)
            }
        self.plain = not self.row and self.lots is None
        """Nothing is known but how many there are."""

    def fresh(self, node: int, first_day: int) -> int:
        """Units that live on `first_day` or longer."""
        left = self.left.get(node, 0)
        if self.lots is None:
            return left
        return min(
            left,
            sum(units for day, units in self.lots.get(node, ()) if day >= first_day),
        )

    def take(self, node: int, units: int, order: int, first_day: int) -> LotTakes:
        """Takes units for an order, of lots the shortest-lived that live long enough."""
        self.left[node] -= units
        self.taken[node] = self.taken.get(node, 0) + units
        self.users.setdefault(node, set()).add(order)
        takes: LotTakes = []
        if self.lots is not None:
            for lot in self.lots.get(node, ()):
                step = min(units, lot[1]) if lot[0] >= first_day else 0
                if step:
                    lot[1] -= step
                    units -= step
                    takes.append((lot, step))
        return takes

    def give_back(self, node: int, units: int, order: int, takes: LotTakes) -> None:
        """The inverse of `take`, with what it returned."""
        self.left[node] += units
        self.taken[node] -= units
        self.users[node].discard(order)
        for lot, step in takes:
            lot[1] += step


class Wave:
    """The next departure of every node for one service, and what an order costs there."""

    __slots__ = ("departures", "leave", "load", "open_cost", "profiles")

    def __init__(self, departures: Departures, size: int) -> None:
        self.departures = departures
        self.leave: list[int] = [0] * size
        """Ordinal of the local day the next order leaves; 0 when there is none."""
        self.open_cost: list[int] = [0] * size
        """Handling of an order, load on that day, and the price of a place while there is one."""
        self.load: list[int] = [0] * size
        """The load part of it."""
        self.profiles: list[tuple[bytes, bytearray]] = []
        """Masks that follow this wave: without and with calendar and capacity."""


class Capacity:
    """FulfillmentOrders by node and day, and the waves they move."""

    def __init__(
        self,
        network: Network,
        policy: SourcingPolicy,
        stock: Stock,
        order_cost: list[int],
    ) -> None:
        self._network = network
        self._limits = network.capacity
        self._order_cost = order_cost
        percent = policy.cost.load_percent
        self._load = [node.load_minor * percent for node in network.nodes]
        self.used: list[dict[int, int]] = [{} for _ in network.nodes]
        self.squeezed: set[int] = set()
        """Nodes whose departure was moved or closed by this batch."""
        self.at: list[set[int]] = [set() for _ in network.nodes]
        """By node, the numbers of the orders planned there."""
        self.trading = False
        """Orders are planned at prices, to share out what they compete for."""
        self.prices: dict[int, int] = {}
        """What a place at a node is worth to the orders that compete for it."""
        self.waves: dict[str, Wave] = {}
        for code, days in stock.capacity_used.items():
            place = network.position.get(code)
            if place is not None:
                self.used[place] = {day.toordinal(): units for day, units in days.items()}

    def wave(self, departures: Departures) -> Wave:
        """The wave of a service, made when first asked for."""
        found = self.waves.get(departures.service)
        if found is None:
            found = Wave(departures, len(self._limits))
            for node in range(len(self._limits)):
                self._place(found, node)
            self.waves[departures.service] = found
        return found

    def follow(self, wave: Wave, static: bytes) -> bytearray:
        """A profile's mask with what the wave closes; it stays up to date."""
        mask = bytearray(static)
        leave = wave.leave
        for node, code in enumerate(static):
            if not code and not leave[node]:
                mask[node] = self._closed_code(wave, node)
        wave.profiles.append((static, mask))
        return mask

    def take(self, node: int, day: int, order: int) -> None:
        """One more order leaves the node on that day."""
        self.at[node].add(order)
        if self._limits[node] is None:
            return
        used = self.used[node]
        used[day] = used.get(day, 0) + 1
        self._settle(node, day)

    def give_back(self, node: int, day: int, order: int) -> None:
        """The inverse of `take`."""
        self.at[node].discard(order)
        if self._limits[node] is None:
            return
        self.used[node][day] -= 1
        self._settle(node, day)

    def price(self, prices: dict[int, int]) -> None:
        """Puts prices on places, instead of those before; it never costs less than its load."""
        nodes = self.prices.keys() | prices.keys()
        self.prices = prices
        for node in nodes:
            for wave in self.waves.values():
                self._place(wave, node)

    def limit(self, node: int) -> int | None:
        """FulfillmentOrders a day."""
        return self._limits[node]

    def lend(self, node: int) -> list[int]:
        """Makes room for one more on each full day that this batch has used; names the days."""
        limit, used = self._limits[node], self.used[node]
        days = [day for day, count in used.items() if limit is not None and count >= limit]
        for day in days:
            used[day] -= 1
            self._settle(node, day)
        return days

    def claim_back(self, node: int, day: int) -> None:
        """The inverse of `lend` for one day."""
        self.used[node][day] += 1
        self._settle(node, day)

    def _settle(self, node: int, day: int) -> None:
        for wave in self.waves.values():
            before = wave.leave[node]
            if before and before < day:
                continue
            self._place(wave, node)
            after = wave.leave[node]
            if after == before:
                continue
            self.squeezed.add(node)
            code = 0 if after else self._closed_code(wave, node)
            for static, mask in wave.profiles:
                if not static[node]:
                    mask[node] = code

    def _place(self, wave: Wave, node: int) -> None:
        limit, used = self._limits[node], self.used[node]
        for day in wave.departures.days[self._network.schedule_of[node]]:
            count = used.get(day, 0) if used else 0
            if limit is None or count < limit:
                wave.leave[node] = day
                load = self.load_minor(node, count) if limit and count else 0
                wave.load[node] = load
                wave.open_cost[node] = self._order_cost[node] + max(load, self.prices.get(node, 0))
                return
        wave.leave[node] = 0

    def load_minor(self, node: int, used: int) -> int:
        """What the next order costs where `used` are planned: it grows with the square."""
        limit = self._limits[node]
        if not limit:
            return 0
        return (2 * self._load[node] * used * used + 100 * limit * limit) // (200 * limit * limit)

    def load_factor(self, node: int) -> int:
        """What `load_minor` reckons with: minor units of money a hundred times over."""
        return self._load[node]

    def load_on(self, node: int, day: int) -> int:
        """The load part of the next order on that day."""
        used = self.used[node].get(day, 0)
        return self.load_minor(node, used) if used else 0

    def _closed_code(self, wave: Wave, node: int) -> int:
        days = wave.departures.days[self._network.schedule_of[node]]
        return CAPACITY if days else CLOSED


def places_within(prices: Floats, limits: Floats, factors: Floats) -> Floats:
    """The inverse of `Capacity.load_minor`, node by node: how many of `limits` places a day come
    before the first whose load costs more than the price."""
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = limits * limits * (100.0 * np.floor(prices) + 50.0) / factors
    # Where there are neither places nor a load, it is not a number.
    return np.fmin(np.ceil(np.sqrt(squares)), limits)


class BatchState:
    """Everything one run of the planner changes."""

    def __init__(
        self,
        network: Network,
        policy: SourcingPolicy,
        stock: Stock,
        order_cost: list[int],
    ) -> None:
        self._network = network
        self._stock = stock
        self._columns: dict[str, Column] = {}
        self.capacity = Capacity(network, policy, stock, order_cost)

    def column(self, sku: str) -> Column:
        """The SKU's column; an empty one when nothing is known of it."""
        found = self._columns.get(sku)
        if found is None:
            facts = self._stock.columns.get(sku, NO_COLUMN)
            found = self._columns[sku] = Column(facts, self._network.position)
        return found
