"""The order as the outside writes it: recipient, address and customer inline, ids not needed.

One such object per line is Crossdock's own file format (JSON Lines). `take_apart` is the border:
personal data go to parties and addresses, the SalesOrder keeps their ids and what decisions need.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec

from crossdock.kernel.ids import Id, derive
from crossdock.kernel.money import rounded_to_minor
from crossdock.model.messages import LineQuantity
from crossdock.model.orders import (
    Adjustment,
    Charge,
    DeliveryGroup,
    Method,
    OrderLine,
    SalesOrder,
    TaxLine,
    Tender,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for the time of what has none, such as a customer known by number."""


class OutsideParty(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A person or an organization. `number` is the channel's customer number, if there is one."""

    name: str = ""
    number: str = ""
    kind: str = "person"
    company: str = ""
    email: str = ""
    phone: str = ""
    language: str = ""


class OutsideAddress(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Where a group goes. Coordinates are degrees; without them the postal code must do."""

    country: str
    """ISO 3166-1 alpha-2."""
    postal_code: str = ""
    lines: tuple[str, ...] = ()
    city: str = ""
    administrative_area: str = ""
    instructions: str = ""
    latitude: float | None = None
    longitude: float | None = None


class OutsideLine(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """`quantity` units of one SKU at an exact price in major units of the order's currency."""

    number: int
    sku: str
    quantity: int
    unit_price: Decimal
    total: int | None = None
    """Minor units, before adjustments; quantity times price, rounded half up, when not given."""
    group: int = 1
    channel_sku: str = ""
    """What the channel calls it, where that is not `sku`."""
    owner: str = ""
    """The legal entity whose stock it must come from; empty leaves it open."""
    attributes: dict[str, str] = {}


class OutsideGroup(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Lines with one method, one recipient and place, one service, one promise."""

    number: int = 1
    method: Method = Method.SHIP
    service: str = "standard"
    recipient: OutsideParty | None = None
    """The customer, when not given."""
    address: OutsideAddress
    pickup_node: str | None = None
    requested_by: datetime | None = None
    promised_by: datetime | None = None


class OutsideOrder(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One line of an order file. Its identity is (channel, number)."""

    channel: str
    number: str
    placed_at: datetime
    currency: str
    """ISO 4217."""
    lines: tuple[OutsideLine, ...]
    groups: tuple[OutsideGroup, ...]
    total: int | None = None
    """Minor units: lines, charges, adjustments and added taxes; summed up when not given."""
    customer: OutsideParty | None = None
    charges: tuple[Charge, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    taxes: tuple[TaxLine, ...] = ()
    tenders: tuple[Tender, ...] = ()
    brand: str = ""
    selling_entity: str = ""
    presentment_currency: str = ""
    """What the customer saw, where it is not `currency`."""
    presentment_total: int | None = None
    """Minor units of `presentment_currency`."""
    exchange_rate: Decimal | None = None
    """Units of `currency` for one of `presentment_currency`, as the channel used it."""
    exchanged_at: datetime | None = None
    priority: int = 3
    test: bool = False
    substitutes_allowed: bool = False
    """Where what was ordered cannot be had, its product's substitutes may be sent, at no other
    price."""
    attributes: dict[str, str] = {}
    checkout_id: str | None = None
    """The checkout whose reserved units it takes over."""

    @property
    def id(self) -> Id:
        """Ours, derived: the same order has the same id wherever it is read."""
        return derive(self.placed_at, "order", self.channel, self.number)


class OutsideCancel(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="cancel",
):
    """A line of an order file by which the customer wants an order, or some of it, back.

    It names an order of the same file; no lines means all that is left.
    """

    channel: str
    number: str
    at: datetime
    lines: tuple[LineQuantity, ...] = ()
    reason: str = "customer"


class TakenApart(NamedTuple):
    """An order without personal data, and the personal data by the ids it refers to."""

    order: SalesOrder
    parties: tuple[tuple[Id, OutsideParty], ...]
    addresses: tuple[tuple[Id, Id | None, OutsideAddress], ...]
    """Address id, party id, address."""
    checkout_id: str | None = None


def take_apart(outside: OutsideOrder) -> TakenApart:
    """Move names and streets to rows of their own; fill the totals that were left out."""
    parties: dict[Id, OutsideParty] = {}
    addresses: list[tuple[Id, Id | None, OutsideAddress]] = []
    order_id = outside.id
    customer = _party_id(outside, outside.customer, "customer")
    if customer is not None and outside.customer is not None:
        parties[customer] = outside.customer
    groups = []
    for group in outside.groups:
        recipient = _party_id(outside, group.recipient, f"recipient {group.number}") or customer
        if recipient is not None and group.recipient is not None:
            parties[recipient] = group.recipient
        address_id = derive(outside.placed_at, "address", order_id, str(group.number))
        addresses.append((address_id, recipient, group.address))
        groups.append(_group(group, recipient, address_id))
    order = _order(outside, order_id, customer, tuple(groups))
    return TakenApart(order, tuple(parties.items()), tuple(addresses), outside.checkout_id)


def _party_id(outside: OutsideOrder, party: OutsideParty | None, role: str) -> Id | None:
    if party is None:
        return None
    if party.number:
        return derive(EPOCH, "party", outside.channel, party.number)
    return derive(outside.placed_at, "party", outside.channel, outside.number, role)


def _group(group: OutsideGroup, recipient: Id | None, address_id: Id) -> DeliveryGroup:
    return DeliveryGroup(
        number=group.number,
        method=group.method,
        service=group.service,
        recipient_id=recipient,
        address_id=address_id,
        country=group.address.country,
        postal_code=group.address.postal_code,
        latitude=group.address.latitude,
        longitude=group.address.longitude,
        pickup_node=group.pickup_node,
        requested_by=group.requested_by,
        promised_by=group.promised_by,
    )


def _order(
    outside: OutsideOrder, order_id: Id, customer: Id | None, groups: tuple[DeliveryGroup, ...]
) -> SalesOrder:
    return SalesOrder(
        id=order_id,
        channel=outside.channel,
        number=outside.number,
        placed_at=outside.placed_at,
        currency=outside.currency,
        total=summed(outside) if outside.total is None else outside.total,
        lines=tuple(
            OrderLine(
                number=line.number,
                sku=line.sku,
                quantity=line.quantity,
                unit_price=line.unit_price,
                total=line_total(line, outside.currency),
                group=line.group,
                attributes=line.attributes,
                channel_sku=line.channel_sku,
                owner=line.owner,
            )
            for line in outside.lines
        ),
        groups=groups,
        charges=outside.charges,
        adjustments=outside.adjustments,
        taxes=outside.taxes,
        tenders=outside.tenders,
        customer_id=customer,
        brand=outside.brand,
        selling_entity=outside.selling_entity,
        presentment_currency=outside.presentment_currency,
        presentment_total=outside.presentment_total,
        exchange_rate=outside.exchange_rate,
        exchanged_at=outside.exchanged_at,
        priority=outside.priority,
        test=outside.test,
        substitutes_allowed=outside.substitutes_allowed,
        attributes=outside.attributes,
    )


def line_total(line: OutsideLine, currency: str) -> int:
    """The line's total in minor units: the channel's, else quantity times price.

    Raises UnknownCurrency; the price is finite and of a size that can be meant.
    """
    if line.total is not None:
        return line.total
    return rounded_to_minor(line.unit_price * line.quantity, currency)


def summed(outside: OutsideOrder) -> int:
    """What lines, charges, adjustments and added taxes come to, in minor units."""
    return (
        sum(line_total(line, outside.currency) for line in outside.lines)
        + sum(charge.amount for charge in outside.charges)
        + sum(adjustment.amount for adjustment in outside.adjustments)
        + sum(tax.amount for tax in outside.taxes if not tax.included)
    )
