"""Opening stock as columns: millions of (node, SKU, quantity) without an object for each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossdock.catalog.model import NodeStock

Indices = NDArray[np.int32]


class StockRow(NamedTuple):
    """Sellable units of one SKU at one node."""

    node: str
    sku: str
    quantity: int


class StockColumns(NamedTuple):
    """Row i is `quantity[i]` sellable units of `skus[sku[i]]` at `nodes[node[i]]`.

    Ordered by node, then SKU; each pair once; quantities above 0.
    """

    nodes: Sequence[str]
    skus: Sequence[str]
    node: Indices
    sku: Indices
    quantity: Indices

    @property
    def units(self) -> int:
        """All of them together."""
        return int(self.quantity.sum(dtype=np.int64))

    @property
    def row_count(self) -> int:
        """How many pairs of node and SKU hold stock (len() is the tuple's)."""
        return len(self.quantity)

    def rows(self) -> Iterator[StockRow]:
        """One tuple per row, ready for COPY."""
        for node, skus, quantities in self.by_node():
            for sku, quantity in zip(skus, quantities, strict=True):
                yield StockRow(node, sku, quantity)

    def by_node(self) -> Iterator[tuple[str, list[str], list[int]]]:
        """Each node that has stock, with its SKUs and quantities side by side."""
        bounds = np.searchsorted(self.node, np.arange(len(self.nodes) + 1)).tolist()
        for index, node in enumerate(self.nodes):
            start, end = bounds[index], bounds[index + 1]
            if start == end:
                continue
            skus = [self.skus[i] for i in self.sku[start:end].tolist()]
            yield node, skus, self.quantity[start:end].tolist()

    def only(self, skus: Collection[str]) -> StockColumns:
        """The rows of these SKUs."""
        wanted = set(skus)
        keep = np.array([sku in wanted for sku in self.skus], dtype=bool)[self.sku]
        return StockColumns(
            self.nodes, self.skus, self.node[keep], self.sku[keep], self.quantity[keep]
        )

    def records(self) -> Iterator[NodeStock]:
        """As lines of a network file."""
        for node, skus, quantities in self.by_node():
            yield NodeStock(node=node, quantities=dict(zip(skus, quantities, strict=True)))


def columns(
    nodes: Sequence[str],
    skus: Sequence[str],
    node: Indices,
    sku: Indices,
    quantity: Indices,
) -> StockColumns:
    """Columns in their order, without empty rows. The pairs are distinct already."""
    filled = quantity > 0
    node, sku, quantity = node[filled], sku[filled], quantity[filled]
    order = np.lexsort((sku, node))
    return StockColumns(nodes, skus, node[order], sku[order], quantity[order])


def is_plain(stock: NodeStock) -> bool:
    """Whether it is sellable units of no owner of their own."""
    return stock.bucket == "sellable" and not stock.owner


def from_records(stocks: Iterable[NodeStock]) -> StockColumns:
    """The plain ones as columns; several records of a pair add up."""
    sums: dict[tuple[str, str], int] = {}
    for stock in stocks:
        if not is_plain(stock):
            continue
        for sku, quantity in stock.quantities.items():
            key = (stock.node, sku)
            sums[key] = sums.get(key, 0) + quantity
    nodes = list(dict.fromkeys(node for node, _ in sums))
    skus = sorted({sku for _, sku in sums})
    node_at = {node: index for index, node in enumerate(nodes)}
    sku_at = {sku: index for index, sku in enumerate(skus)}
    return columns(
        nodes,
        skus,
        np.array([node_at[node] for node, _ in sums], dtype=np.int32),
        np.array([sku_at[sku] for _, sku in sums], dtype=np.int32),
        np.array(list(sums.values()), dtype=np.int32),
    )


def empty() -> StockColumns:
    """No stock anywhere."""
    nothing = np.zeros(0, dtype=np.int32)
    return StockColumns((), (), nothing, nothing, nothing)
