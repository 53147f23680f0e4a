"""What an order remembers: its units by state, its tenders, and which node works on what.

Parts are arrays when stored, so that an order of two lines takes about 400 bytes. What readers see
in tables is noted beside the state (`news`) and written once per batch by the projector.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from crossdock.engine.process import State
from crossdock.model.messages import LineQuantity, LineSubstitute, OrderPlaced
from crossdock.model.orders import SalesOrder
from crossdock.ordering.policy import OrderPolicy
from crossdock.ordering.rules import shares_of, unit_share
from crossdock.processes.order_to_fulfillment.news import News


class Facts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What never changes."""

    channel: str
    number: str
    placed_at: datetime
    currency: str
    total: int
    priority: int
    brand: str
    company: str
    customer_id: str | None
    substitutes_allowed: bool = False


class Group(msgspec.Struct, array_like=True, gc=False):
    """A delivery group, as far as decisions need it."""

    number: int
    method: str
    service: str
    recipient_id: str | None
    country: str
    postal_code: str
    latitude: float | None
    longitude: float | None
    pickup_node: str | None
    promised_by: datetime | None


class Line(msgspec.Struct, array_like=True, gc=False):
    """Units of one SKU; each is in exactly one of the nine states from `open` to `canceled`."""

    number: int
    sku: str
    quantity: int
    group: int
    payable: int
    """What the customer pays for all units, shares of everything included."""
    open: int
    soft: int = 0
    backordered: int = 0
    allocated: int = 0
    released: int = 0
    picked: int = 0
    packed: int = 0
    shipped: int = 0
    canceled: int = 0
    delivered: int = 0
    lost: int = 0
    returned: int = 0
    wanted_back: int = 0
    """Units to be canceled that are not canceled yet."""
    demanded: int = 0
    """Open units whose AcceptDemand is under way."""
    settled: int = 0
    """Units whose share went to a shipment or a cancellation: the next one is unit `settled`."""
    owed: int = 0
    """Units sent again in place of lost ones: settled already, so that they cost nothing."""
    owed_amount: int = 0
    shipped_amount: int = 0
    canceled_amount: int = 0
    credited_amount: int = 0
    """Of what was shipped, given back: lost, stopped, or never sent again."""
    waiting: bool = False
    """Soft units wait for a person's decision instead of being sourced."""
    excluded: list[str] = []
    """Nodes that failed or declined it."""
    wait_until: datetime | None = None
    """When its backorder expires; kept while some of it waits, whatever arrives meanwhile."""

    @property
    def live(self) -> int:
        """Units that are neither shipped nor canceled."""
        return self.quantity - self.shipped - self.canceled

    def settle(self, quantity: int) -> int:
        """The money of the next units to be shipped or canceled, in the order fixed at the start.

        Units that replace lost ones bring none.
        """
        quantity -= self._pay_owed(quantity)[0]
        amount = unit_share(self.payable, self.quantity, self.settled, quantity)
        self.settled += quantity
        return amount

    def settle_canceled(self, quantity: int) -> tuple[int, int]:
        """The money of units that will not be sent: (never charged, charged before)."""
        owed, charged = self._pay_owed(quantity)
        amount = unit_share(self.payable, self.quantity, self.settled, quantity - owed)
        self.settled += quantity - owed
        return amount, charged

    def _pay_owed(self, quantity: int) -> tuple[int, int]:
        owed = min(quantity, self.owed)
        amount = unit_share(self.owed_amount, self.owed, 0, owed) if owed else 0
        self.owed -= owed
        self.owed_amount -= amount
        return owed, amount


class Authorization(msgspec.Struct, array_like=True, gc=False):
    """What a provider holds for us under one number, and took for us."""

    number: str
    held: int = 0
    """Captures take from it when they are answered, voids when they are asked for."""
    captured: int = 0
    """Less the refunds that were asked of it."""


class Capture(msgspec.Struct, array_like=True, gc=False):
    """A capture that is not answered."""

    shipment_id: str
    attempt: int
    amount: int
    authorization: str


class Tender(msgspec.Struct, array_like=True, gc=False):
    """A way of paying. What it grants is used for shipments or released by cancellations."""

    number: int
    kind: str
    amount: int
    reference: str
    status: str = "unused"
    granted: int = 0
    used: int = 0
    released: int = 0
    captured: int = 0
    voided: int = 0
    refunded: int = 0
    debt: int = 0
    """Due, and neither captured nor asked for the first time."""
    asking: int = 0
    """The amount of an authorization that is not answered."""
    refunding: int = 0
    """Of what was used, not due: what it paid for did not arrive."""
    voiding: int = 0
    """Asked to be let go, and not let go."""
    attempt: int = 0
    authorization: str = ""
    authorized_until: datetime | None = None
    withheld: int = 0
    """Of what is not due, not asked back: nobody knows yet, or ever, that it was captured."""
    voids: int = 0
    """Counts voids: their keys are made of it."""
    captures: list[Capture] = []
    authorizations: list[Authorization] = []
    """The latest one, and those before it that hold something or took something."""

    @property
    def free(self) -> int:
        """Granted, and neither used nor released."""
        return self.granted - self.used - self.released

    @property
    def capturing(self) -> int:
        """Asked for when it was shipped, and not answered."""
        return sum(one.amount for one in self.captures if one.attempt == 1)

    @property
    def collecting(self) -> int:
        """Of the debt, asked for again and not answered."""
        return sum(one.amount for one in self.captures if one.attempt > 1)

    def asked_on(self, authorization: str) -> int:
        """What is to be captured on an authorization, and not answered."""
        return sum(one.amount for one in self.captures if one.authorization == authorization)

    def on(self, number: str) -> Authorization:
        """The authorization of that number."""
        found = next((one for one in self.authorizations if one.number == number), None)
        if found is None:
            found = Authorization(number)
            self.authorizations.append(found)
        return found

    @property
    def is_asked_for(self) -> bool:
        """Whether a payment provider authorizes and captures it."""
        return self.status not in ("paid", "account")


class WorkLine(msgspec.Struct, array_like=True, gc=False):
    """Units of one line at one node or on their way from there."""

    line: int
    released: int
    picked: int = 0
    packed: int = 0
    on_way: int = 0
    recalling: int = 0
    """Units it was asked to give back or stop, and has not answered for."""
    substitute: str = ""
    """The SKU that is sent in place of the line's."""

    @property
    def held(self) -> int:
        """Units at the node."""
        return self.released + self.picked + self.packed


class Work(msgspec.Struct, array_like=True, gc=False):
    """A FulfillmentOrder of this order."""

    id: str
    node: str
    group: int
    lines: list[WorkLine]

    def of(self, number: int) -> WorkLine | None:
        """Its part of an order line."""
        return next((line for line in self.lines if line.line == number), None)

    def substitute_for(self, number: int) -> str:
        """The SKU it sends in place of a line's; empty where it sends the line's own."""
        at_node = self.of(number)
        return at_node.substitute if at_node is not None else ""

    def substitutes(self, numbers: Iterable[int]) -> tuple[LineSubstitute, ...]:
        """What it sends in place of what these lines name."""
        sent = ((number, self.substitute_for(number)) for number in numbers)
        return tuple(LineSubstitute(number, sku) for number, sku in sent if sku)


class Parcel(msgspec.Struct, array_like=True, gc=False):
    """A package on its way: what its lines cost, in case they have to be refunded."""

    shipment_id: str
    package: int
    fulfillment_id: str
    lines: list[tuple[int, int, int]]
    """(line, quantity, amount)."""


class Wish(msgspec.Struct, array_like=True, gc=False):
    """Units of a line that somebody wants canceled, until each is canceled, stopped or refused."""

    request_id: str
    line: int
    quantity: int
    reason: str
    ours: bool = False
    """No customer asked for it: it cannot be had or paid, or a person here gave it up."""


class Freeing(msgspec.Struct, array_like=True, gc=False):
    """Units of a FreeReservations under way; `node` None are queued ones."""

    line: int
    quantity: int
    node: str | None


MOST_ATTEMPTS = 60
"""Requests to allocation before an order is given to a person, who may allow more."""


class SalesOrderState(State, kw_only=True, dict=True):
    """See the parts above."""

    facts: Facts
    groups: list[Group]
    lines: list[Line]
    tenders: list[Tender]
    policy: OrderPolicy = OrderPolicy()
    zones: list[str] = msgspec.field(default_factory=list)
    zones_tried: list[str] = msgspec.field(default_factory=list)
    asked: list[int] = msgspec.field(default_factory=list)
    """Lines of the AllocateOrder under way; empty when there is none."""
    attempt: int = 0
    """Counts AllocateOrders: decisions, works and keys are named after it, so it only goes up."""
    most_attempts: int = MOST_ATTEMPTS
    refuse_shortage: bool = False
    """The channel has what is not there refused, not backordered."""
    works: list[Work] = msgspec.field(default_factory=list)
    parcels: list[Parcel] = msgspec.field(default_factory=list)
    wishes: list[Wish] = msgspec.field(default_factory=list)
    freeing: list[list[Freeing]] = msgspec.field(default_factory=list)
    """One entry per FreeReservations that is not answered, oldest first."""
    holds: list[str] = msgspec.field(default_factory=list)
    problems: list[str] = msgspec.field(default_factory=list)
    suspicions: list[str] = msgspec.field(default_factory=list)
    unneeded: int = 0
    """Money of canceled units that no tender has released yet."""
    charged_back: int = 0
    """Money of canceled units that was charged before, not refunded yet."""
    in_flight: int = 0
    """What payment providers were asked and have not answered, and debts still pursued."""
    entries: int = 0
    """Counts documents, refunds and recalls: their keys are made of it."""
    replaces: str | None = None
    """The FulfillmentOrder whose units are being sourced again."""
    posted: bool = False
    """The ERP was told of the order."""
    checkout_id: str | None = None
    """The checkout whose units it takes over when it is accepted."""
    revision: int = 1
    """Goes up with every edit."""

    @classmethod
    def opened(cls, instance: str, message: OrderPlaced, now: datetime) -> SalesOrderState:
        order = message.order
        shares = shares_of(order)
        state = cls(
            id=instance,
            facts=_facts(order),
            groups=[_group(order, number) for number in range(len(order.groups))],
            lines=[
                Line(
                    number=line.number,
                    sku=line.sku,
                    quantity=line.quantity,
                    group=line.group,
                    payable=line.total + sum(share),
                    open=line.quantity,
                )
                for line, share in zip(order.lines, shares, strict=True)
            ],
            tenders=_tenders(order),
            checkout_id=message.checkout_id,
            revision=order.revision,
        )
        state.news.placed = order
        state.news.shares = shares
        return state

    @property
    def news(self) -> News:
        """What is to be written to tables; not part of the stored state."""
        found: News | None = self.__dict__.get("news")
        if found is None:
            found = self.__dict__["news"] = News()
        return found

    def line(self, number: int) -> Line:
        """The line of that number, noted as changed."""
        self.news.lines.add(number)
        return self.look(number)

    def look(self, number: int) -> Line:
        """The line of that number, only to be read."""
        lines = self.lines
        if number <= len(lines) and lines[number - 1].number == number:
            return lines[number - 1]
        index: dict[int, Line] | None = self.__dict__.get("index")
        if index is None:
            index = self.__dict__["index"] = {line.number: line for line in lines}
        return index[number]

    def tender(self, number: int) -> Tender:
        """The tender of that number, noted as changed."""
        self.news.tenders.add(number)
        return next(tender for tender in self.tenders if tender.number == number)

    def group(self, number: int) -> Group:
        """The delivery group of that number."""
        return next(group for group in self.groups if group.number == number)

    def work(self, fulfillment_id: str) -> Work | None:
        """The work of that id, while units of it are at the node or on their way."""
        return next((work for work in self.works if work.id == fulfillment_id), None)


def _facts(order: SalesOrder) -> Facts:
    return Facts(
        order.channel,
        order.number,
        order.placed_at,
        order.currency,
        order.total,
        order.priority,
        order.brand,
        order.selling_entity,
        order.customer_id,
        order.substitutes_allowed,
    )


def _group(order: SalesOrder, position: int) -> Group:
    group = order.groups[position]
    return Group(
        group.number,
        group.method.value,
        group.service,
        group.recipient_id,
        group.country,
        group.postal_code,
        group.latitude,
        group.longitude,
        group.pickup_node,
        group.promised_by,
    )


NEVER_AUTHORIZED = frozenset(("account", "invoice", "cash", "marketplace"))
"""Kinds of tender that no payment provider is asked about."""


def _tenders(order: SalesOrder) -> list[Tender]:
    """In their order of use. An order without tenders is on the customer's account."""
    if not order.tenders:
        return [Tender(1, "account", order.total, "", "account", granted=order.total)]
    tenders = []
    for placed in sorted(order.tenders, key=lambda t: (t.order_of_use, t.number)):
        tender = Tender(placed.number, placed.kind, placed.amount, placed.reference)
        if placed.paid:
            tender.status, tender.granted, tender.captured = "paid", placed.amount, placed.amount
        elif placed.kind in NEVER_AUTHORIZED:
            tender.status, tender.granted = "account", placed.amount
        tenders.append(tender)
    return tenders


def quantities(units: dict[int, int]) -> tuple[LineQuantity, ...]:
    """Units by line, without those of none."""
    return tuple(LineQuantity(line, quantity) for line, quantity in units.items() if quantity)
