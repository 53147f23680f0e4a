"""Where the SKUs of a planning run are: arrays per SKU, near the destinations or everywhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from crossdock.allocation import store
from crossdock.allocation.demand import method_bits, skus_of
from crossdock.allocation.store import SEPARATOR, Available
from crossdock.engine.transaction import Transaction
from crossdock.sourcing.model import OrderDemand, SkuFacts, StockColumn
from crossdock.sourcing.network import Network

Columns = dict[str, StockColumn]


class Candidates:
    """Reads a zone's stock columns for the demands of one policy."""

    def __init__(
        self,
        tx: Transaction,
        zone: str,
        network: Network,
        products: Mapping[str, SkuFacts],
        nearest: int,
    ) -> None:
        self._tx = tx
        self._zone = zone
        self._network = network
        self._products = products
        self._nearest = nearest
        self.divided: set[str] = set()
        """SKUs of which some is kept by owner or lot."""

    def is_everywhere(self, demand: OrderDemand) -> bool:
        """Whether reading near the destination reads every node of the zone already."""
        return (
            bool(demand.only_nodes)
            or demand.latitude is None
            or demand.longitude is None
            or self._nearest + len(self._network.centers) >= len(self._network)
        )

    def near(self, demands: Sequence[OrderDemand]) -> Columns:
        """Columns with the nodes nearest to the destinations and all distribution centers."""
        places = [(demand.latitude, demand.longitude) for demand in demands]
        near = self._network.nearest_many(places, self._nearest)
        nodes_of: dict[str, set[str] | tuple[str, ...]] = {}
        bits_of: dict[str, int] = {}
        for demand, nodes in zip(demands, near, strict=True):
            bits = method_bits(demand.method)
            wanted: Collection[str] = demand.only_nodes or nodes
            for sku in skus_of(demand, self._products):
                known = nodes_of.get(sku)
                if known is None:
                    nodes_of[sku] = tuple(wanted)
                elif known is not wanted:
                    nodes_of[sku] = {*known, *wanted}
                bits_of[sku] = bits_of.get(sku, 0) | bits
        skus = list(nodes_of)
        joined = [SEPARATOR.join(sorted(nodes_of[sku])) for sku in skus]
        rows = store.available_near(self._tx, skus, joined, [bits_of[sku] for sku in skus])
        return self._columns(rows)

    def everywhere(self, demands: Sequence[OrderDemand]) -> Columns:
        """Columns with all nodes of the zone."""
        bits_of: dict[str, int] = {}
        for demand in demands:
            bits = method_bits(demand.method)
            for sku in skus_of(demand, self._products):
                bits_of[sku] = bits_of.get(sku, 0) | bits
        rows = store.available_in_zone(self._tx, list(bits_of), self._zone, list(bits_of.values()))
        return self._columns(rows)

    def _columns(self, rows: Sequence[Available]) -> Columns:
        divided = [row for row in rows if row.is_divided]
        columns = {row.sku: StockColumn(row.nodes, row.units) for row in rows if not row.is_divided}
        if divided:
            self.divided.update(row.sku for row in divided)
            columns |= self._divided_columns(divided)
        return columns

    def _divided_columns(self, rows: Sequence[Available]) -> Columns:
        """Columns with the lots of each node, where the date of any is known."""
        places = {(row.sku, node): None for row in rows for node in row.nodes}
        free = store.free_by_level(self._tx, places)
        columns: Columns = {}
        for row in rows:
            nodes = [node for node in dict.fromkeys(row.nodes) if (row.sku, node) in free]
            levels = [free[row.sku, node] for node in nodes]
            units = [sum(level.units for level in of_node) for of_node in levels]
            lots = None
            if any(level.lives_until < date.max for of_node in levels for level in of_node):
                lots = [tuple((each.lives_until, each.units) for each in of) for of in levels]
            columns[row.sku] = StockColumn(nodes, units, lots=lots)
        return columns
