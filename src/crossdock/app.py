"""The one place where everything is put together."""

from __future__ import annotations

from pathlib import Path

from crossdock.allocation import upkeep as allocation_upkeep
from crossdock.allocation.station import Allocation
from crossdock.engine.registry import Registry
from crossdock.events import publisher
from crossdock.inventory import upkeep as inventory_upkeep
from crossdock.inventory.facts.station import InventoryFacts
from crossdock.inventory.reservations.capability import Reservations
from crossdock.ordering import payloads
from crossdock.ordering.capability import Ordering
from crossdock.ordering.policy import load_order_policies
from crossdock.processes.checkout import checkout
from crossdock.processes.checkout import store as checkout_store
from crossdock.processes.fulfillment import fulfillment
from crossdock.processes.order_to_fulfillment import order_to_fulfillment

CHORES = (
    inventory_upkeep.keep_up,
    inventory_upkeep.give_up_expired,
    allocation_upkeep.keep_up,
    checkout_store.keep_up,
    publisher.keep_up,
    payloads.expire,
)
"""What workers do for the capabilities once a minute, each chore one of them at a time."""


def registry(order_policies: Path | None = None) -> Registry:
    """All processes, stations and capabilities of this build; one for each worker.

    `order_policies` names a TOML file; without it the shipped policies are in force.
    """
    return Registry(
        processes=(order_to_fulfillment, fulfillment, checkout),
        stations=(InventoryFacts(), Allocation()),
        capabilities=(Ordering(load_order_policies(order_policies)), Reservations()),
    )
