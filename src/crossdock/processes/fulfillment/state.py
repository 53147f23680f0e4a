"""What one node's work remembers: its units by step, its open recalls, its packages on the way."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from crossdock.engine.process import State
from crossdock.model.events import Event
from crossdock.ordering.model import FulfillmentOpened


class WorkLine(msgspec.Struct, array_like=True, gc=False):
    """Units of one order line. Picked counts those packed and shipped too, packed the shipped."""

    line: int
    quantity: int
    picked: int = 0
    short: int = 0
    packed: int = 0
    shipped: int = 0
    given_back: int = 0
    assumed: int = 0
    """Of the picked, those that only a later step told of."""
    bare: int = 0
    """Of those in hand, the ones that the books lost: their reservations are queued, not here."""
    substitute: str = ""
    """The SKU to pick in place of the line's."""

    @property
    def left(self) -> int:
        """Units that are here and have not left."""
        return self.quantity - self.short - self.given_back - self.shipped

    @property
    def unpicked(self) -> int:
        """Units that nobody has in hand."""
        return self.quantity - self.short - self.given_back - self.picked

    def assume_picked(self, quantity: int) -> None:
        """What is packed or shipped was picked, told or not."""
        if quantity > self.picked:
            self.assumed += quantity - self.picked
            self.picked = quantity


class Package(msgspec.Struct, array_like=True, gc=False):
    """A package that left, until it arrived, was stopped or was given up."""

    shipment_id: str
    number: int
    reference: str
    """What the node calls the shipment."""
    tracking: str
    carrier: str
    lines: list[tuple[int, int]]
    status: str = "on_way"
    """on_way, delivered, lost or stopped."""
    asked: str = ""
    """The key under which the carrier was asked to stop it, until it answers."""


class Recall(msgspec.Struct, array_like=True, gc=False):
    """Units the node was asked to give back, and has not answered for."""

    request_id: str
    line: int
    quantity: int
    intercept: bool
    given: int = 0
    """Of what it asked for, given back already with the answer to another recall."""


class Tidings(msgspec.Struct, array_like=True, gc=False):
    """What a carrier told of a package that nobody had shipped yet."""

    reference: str
    tracking: str
    status: str
    at: datetime | None
    reason: str = ""


class News:
    """What one batch changed, for the tables. Never stored with the state."""

    __slots__ = ("changed", "lines", "opened", "recalls", "told")

    def __init__(self) -> None:
        self.opened: tuple[FulfillmentOpened, datetime] | None = None
        self.changed = False
        """Whether work, acknowledgement or closing time changed."""
        self.lines: set[int] = set()
        self.recalls: dict[tuple[str, int], list[Any]] = {}
        """By (request, line): quantity, given back, reason, asked at, answered at, is new."""
        self.told: list[Event] = []
        """What the world is told because of the message at hand; the log takes it."""


class FulfillmentState(State, kw_only=True, dict=True):
    """One FulfillmentOrder, with its two axes: `work` and `acknowledgement`."""

    order_id: str
    node: str
    lines: list[WorkLine]
    work: str = "open"
    acknowledgement: str = "submitted"
    packages: list[Package] = msgspec.field(default_factory=list)
    recalls: list[Recall] = msgspec.field(default_factory=list)
    tidings: list[Tidings] = msgspec.field(default_factory=list)
    closed_at: datetime | None = None
    zone: str = ""
    counted_on: date | None = None
    """The local day on which it takes a place of the node's capacity; `zone` keeps count."""

    @classmethod
    def opened(cls, instance: str, message: FulfillmentOpened, now: datetime) -> FulfillmentState:
        sent = {one.line: one.sku for one in message.substitutes}
        state = cls(
            id=instance,
            order_id=message.order_id,
            node=message.node,
            lines=[
                WorkLine(one.line, one.quantity, substitute=sent.get(one.line, ""))
                for one in message.lines
            ],
            zone=message.zone,
            counted_on=message.counted_on,
        )
        state.news.opened = (message, now)
        return state

    @property
    def news(self) -> News:
        """What is to be written to tables; not part of the stored state."""
        found: News | None = self.__dict__.get("news")
        if found is None:
            found = self.__dict__["news"] = News()
        return found

    def line(self, number: int) -> WorkLine | None:
        """The part of an order line that is here, noted as changed."""
        found = next((line for line in self.lines if line.line == number), None)
        if found is not None:
            self.news.lines.add(number)
        return found
