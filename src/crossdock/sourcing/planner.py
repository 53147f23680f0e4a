"""`plan`: the orders of a batch, one after the other, each consuming what the next may not.

Pure and deterministic: the same orders, stock, network, products, policy and time give the same
decisions, whatever the order they are passed in and whatever was planned before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from crossdock.sourcing.model import Decision, OrderDemand, SkuFacts, Stock
from crossdock.sourcing.network import Network
from crossdock.sourcing.policy import SourcingPolicy
from crossdock.sourcing.run import Run
from crossdock.sourcing.tools import Tools

KEPT_PLANNERS = 4


def plan(
    orders: Sequence[OrderDemand],
    stock: Stock,
    network: Network,
    products: Mapping[str, SkuFacts],
    policy: SourcingPolicy,
    now: datetime,
    batch_id: str = "",
) -> list[Decision]:
    """A Decision for each order, in the order they were passed.

    Orders are planned by (priority, sequence, order id); each sees the stock and capacity that
    those before it left. Quantities must be above zero; a SKU without facts is never sent.
    """
    return planner_of(network, policy).plan(orders, stock, products, now, batch_id)


def planner_of(network: Network, policy: SourcingPolicy) -> Planner:
    """The planner of a network and a policy; the last few are kept with what they have learned."""
    for i, planner in enumerate(_kept):
        if planner.network is network and planner.policy is policy:
            _kept.append(_kept.pop(i))
            return planner
    planner = Planner(network, policy)
    _kept.append(planner)
    del _kept[:-KEPT_PLANNERS]
    return planner


_kept: list[Planner] = []


class Planner:
    """Plans batches under one network and policy. Between batches it keeps only look-ups."""

    def __init__(self, network: Network, policy: SourcingPolicy) -> None:
        self.network = network
        self.policy = policy
        self._tools = Tools(network, policy)

    def plan(
        self,
        orders: Sequence[OrderDemand],
        stock: Stock,
        products: Mapping[str, SkuFacts],
        now: datetime,
        batch_id: str = "",
    ) -> list[Decision]:
        """See the module's `plan`."""
        return Run(self._tools, stock, products, now, batch_id).plan(orders)
