"""The registry: every object, message and event type with its version, owner and rule."""

from __future__ import annotations

import importlib
import pkgutil
import re
from enum import StrEnum

import msgspec

import crossdock
from crossdock.catalog import model as catalog
from crossdock.kernel.messages import registered
from crossdock.model import effects, fulfillment, outside, parties, stock, work
from crossdock.model.envelope import Envelope, border_types
from crossdock.model.events import Event
from crossdock.model.orders import SalesOrder
from crossdock.model.problems import Problem
from crossdock.model.schemas import Published

DECLARING = ("model", "messages", "effects", "events")
"""Names of modules that may declare message types: the registry imports all of these."""


class Direction(StrEnum):
    """Which way a type crosses the border; what may change about it follows from that."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"
    BOTH = "both"
    INTERNAL = "internal"


RULES = {
    Direction.INCOMING: "What was valid stays valid: fields are only added, and may be left out.",
    Direction.OUTGOING: "Readers of today read what is sent tomorrow: fields and values are only "
    "added, nothing that is always there becomes optional; ignore fields you do not know.",
    Direction.BOTH: "What was valid stays valid, and readers of today read what is sent tomorrow.",
    Direction.INTERNAL: "Stored: every later version reads it, as it is or through an upcaster.",
}
"""The compatibility rule of each direction. Anything else is a new version beside the old one."""

# All objects are in their first version; a second gets a name of its own beside it.
_OBJECTS: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "the border": (Envelope, Problem),
    "sales channels": (outside.OutsideOrder, outside.OutsideCancel, SalesOrder),
    "customers": (parties.Party, parties.Address, parties.ExternalRef),
    "retail operations": (
        fulfillment.LineUnits,
        fulfillment.LineMoney,
        fulfillment.Promise,
        fulfillment.FulfillmentOrder,
        fulfillment.Shipment,
        fulfillment.Cancellation,
        fulfillment.ReturnClaim,
        work.Hold,
        work.Task,
        work.Case,
    ),
    "inventory": (stock.StockLevel, stock.Supply, stock.Reservation, stock.LedgerMove),
    "connectors": (
        effects.PaymentRequest,
        effects.InterceptRequest,
        effects.Document,
        effects.Notice,
    ),
    "master data": (
        catalog.LegalEntity,
        catalog.Brand,
        catalog.Region,
        catalog.Zone,
        catalog.Node,
        catalog.NodeGroup,
        catalog.HierarchyLink,
        catalog.ScopeSwitch,
        catalog.Product,
        catalog.NodeProduct,
        catalog.Channel,
        catalog.Listing,
        catalog.NodeLot,
        catalog.NodeStock,
    ),
}

_WRITTEN_OUTSIDE = (outside.OutsideOrder, outside.OutsideCancel)
"""Objects that only Crossdock reads."""

# Who sends what comes from outside; the rest is said by the part of Crossdock that declares it.
_SENDERS = {
    "order": "sales channels",
    "checkout": "sales channels",
    "fulfillment": "nodes",
    "shipment": "carriers",
    "inventory": "stock sources",
    "payment": "payment provider",
    "document": "ERP",
    "customer": "notification service",
}
EVENTS_OWNER = "retail operations"


def published() -> tuple[Published, ...]:
    """Every object, in the order of the list above, and every message type, by name."""
    _import_messages()
    objects = [
        Published(name=f"crossdock.{_snake(kind.__name__)}.v1", kind=kind, owner=owner)
        for owner, kinds in _OBJECTS.items()
        for kind in kinds
    ]
    messages = [
        Published(name=name, kind=kind, owner=_owner_of(name, kind))
        for name, kind in registered().items()
        # A retailer's own types, and those of tests, are not ours to publish.
        if kind.__module__.startswith("crossdock.")
    ]
    return (*objects, *messages)


def direction_of(one: Published) -> Direction:
    """Which way it crosses the border."""
    if one.kind in _WRITTEN_OUTSIDE:
        return Direction.INCOMING
    if not one.is_message:
        return Direction.BOTH
    if issubclass(one.kind, Event):
        return Direction.OUTGOING
    return Direction.INCOMING if one.name in border_types() else Direction.INTERNAL


def kind_of(one: Published) -> str:
    """object, event or message; the folder of its file is named after it."""
    if not one.is_message:
        return "object"
    return "event" if issubclass(one.kind, Event) else "message"


def _import_messages() -> None:
    """A message type is known once its module is imported."""
    for module in pkgutil.walk_packages(crossdock.__path__, "crossdock."):
        if module.name.rpartition(".")[2] in DECLARING:
            importlib.import_module(module.name)


def _owner_of(name: str, kind: type[msgspec.Struct]) -> str:
    package = kind.__module__.split(".")[1]
    if issubclass(kind, Event):
        return EVENTS_OWNER
    return _SENDERS[name.split(".")[1]] if package == "model" else package


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def event_types() -> tuple[str, ...]:
    """The names of all events that Crossdock publishes."""
    return tuple(name for name, kind in registered().items() if issubclass(kind, Event))
