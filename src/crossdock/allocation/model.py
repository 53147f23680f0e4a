"""What an order's process asks of an allocation zone, and the answer.

The request goes to the station `allocation` of one zone; the answer comes back to the process
named in `reply_to`. Quantities are base units; money is minor units of the order's currency.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

import msgspec

from crossdock.engine.process import Address, Send
from crossdock.kernel.messages import Message, message_type
from crossdock.model.messages import LineQuantity, LineSubstitute

STATION = "allocation"


class Action(StrEnum):
    """What a policy says should become of units no node of the zone could take."""

    NEXT_ZONE = "next_zone"
    """Other zones may have it: ask the next one not in `zones_tried`."""
    BACKORDER = "backorder"
    HOLD = "hold"
    CANCEL = "cancel"


class LineToSource(msgspec.Struct, frozen=True, array_like=True):
    """Units of an order line that need a node."""

    line: int
    sku: str
    quantity: int
    group: int = 1
    unit_value: int = 0
    """What the customer pays for one unit, in minor units."""
    excluded_nodes: tuple[str, ...] = ()
    """Nodes that failed or refused this line before."""


class GroupToSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where, how and by when the lines of a delivery group should arrive."""

    number: int = 1
    method: str = "ship"
    service: str = "standard"
    country: str = ""
    postal_code: str = ""
    latitude: float | None = None
    longitude: float | None = None
    pickup_node: str | None = None
    promised_by: datetime | None = None


@message_type("crossdock.allocation.requested.v1")
class AllocateOrder(Message, frozen=True, kw_only=True):
    """Find nodes of one zone for these units and reserve there; answered by OrderAllocated.

    The units must have live reservations of the order, soft or backordered; what is no longer
    reserved (canceled meanwhile) is answered as unsourced with reason `not_open`.
    """

    order_id: str
    attempt: int
    """Counts the requests of one order; the answer carries it, so that a late one is known."""
    channel: str
    placed_at: datetime
    currency: str
    lines: tuple[LineToSource, ...]
    groups: tuple[GroupToSource, ...]
    brand: str = ""
    priority: int = 3
    value: int = 0
    """Order total in minor units."""
    zones_tried: tuple[str, ...] = ()
    """Zones asked before, without this one."""
    final: bool = False
    """Do not answer `next_zone`: the caller will ask no other zone."""
    selling_entity: str = ""
    substitutes_allowed: bool = False
    """Units that no node of the zone has of what was ordered may be of a product's substitutes."""
    reply_to: str = "order-to-fulfillment"
    """The process that gets the answer, under the order's id."""


class PlannedFulfillment(msgspec.Struct, frozen=True, array_like=True):
    """Units of one delivery group reserved at one node: one FulfillmentOrder to open."""

    node: str
    group: int
    lines: tuple[LineQuantity, ...]
    estimated_cost_minor: int = 0
    """Minor units of the order's currency."""
    ship_by: datetime | None = None
    """When the node should hand it over to keep the promise."""
    counted_on: date | None = None
    """The node's local day whose daily capacity it takes a place of; None: there is no limit."""
    substitutes: tuple[LineSubstitute, ...] = ()
    """What the node sends in place of what lines name; the other lines are sent as ordered."""


class UnsourcedLine(msgspec.Struct, frozen=True, array_like=True):
    """Units of a line that got no node, why, and what the policy does with them."""

    line: int
    quantity: int
    reason: str
    action: Action
    until: datetime | None = None
    """When the policy stops waiting; then the units are canceled."""


@message_type("crossdock.order.allocated.v1")
class OrderAllocated(Message, frozen=True, kw_only=True):
    """What one zone reserved for the order, and what it could not.

    Reserved units are in state allocated at their node. Of the others, `backorder` ones are
    backordered; the rest stays queued as it was until the process frees it or asks again.
    """

    order_id: str
    attempt: int
    zone: str
    decision_id: str
    fulfillments: tuple[PlannedFulfillment, ...] = ()
    unsourced: tuple[UnsourcedLine, ...] = ()


@message_type("crossdock.capacity.given_back.v1")
class CapacityGivenBack(Message, frozen=True, kw_only=True):
    """A FulfillmentOrder has ended and sent nothing: its node can take another one that day."""

    node: str
    day: date


def allocate_order_address(zone: str) -> Address:
    """Where AllocateOrder for a zone is sent."""
    return Address(STATION, zone, zone)


def give_capacity_back(zone: str, node: str, day: date) -> Send:
    """Tells the zone, which alone writes what its nodes have taken on."""
    return Send(allocate_order_address(zone), CapacityGivenBack(node=node, day=day))
