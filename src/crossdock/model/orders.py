"""The sales order as a channel hands it over, and the facts that follow it.

Personal data (names, street addresses, e-mails, phones) never appears here: it lives in `party`
and `address` rows and is referred to by id. Money is integer minor units of `currency`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec


class Method(StrEnum):
    """How a delivery group reaches its recipient."""

    SHIP = "ship"
    PICKUP = "pickup"
    SHIP_TO_STORE = "ship_to_store"
    LOCAL_DELIVERY = "local_delivery"
    DIGITAL = "digital"


COLLECTED_AT_A_NODE = frozenset((Method.PICKUP, Method.SHIP_TO_STORE))
"""Groups by these methods name the node where the customer comes for them."""


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`quantity` units of one SKU; `total` is the channel's authoritative line total."""

    number: int
    sku: str
    quantity: int
    unit_price: Decimal
    """Exact, in major units of the order's currency; may have more decimals than the currency."""
    total: int
    """Minor units, before adjustments and included or added taxes."""
    group: int = 1
    attributes: dict[str, str] = {}
    channel_sku: str = ""
    """What the channel calls it, where a listing led to `sku`."""
    owner: str = ""
    """The legal entity whose stock it must come from; empty leaves it open."""


class DeliveryGroup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lines with one method, one recipient and place, one service, one promise."""

    number: int = 1
    method: Method = Method.SHIP
    service: str = "standard"
    recipient_id: str | None = None
    address_id: str | None = None
    country: str
    """ISO 3166-1 alpha-2."""
    postal_code: str = ""
    latitude: float | None = None
    longitude: float | None = None
    pickup_node: str | None = None
    requested_by: datetime | None = None
    """When the customer asked to have it."""
    promised_by: datetime | None = None
    """The first promise for arrival (or readiness); never overwritten."""


class Charge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Shipping, wrap, duty, fee: attached to a line or a delivery group, else to the order."""

    number: int
    kind: str
    amount: int
    line: int | None = None
    group: int | None = None
    description: str = ""


class Adjustment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A discount (negative amount) or surcharge, with its source and who funds it."""

    number: int
    source: str
    amount: int
    funded_by: str = "retailer"
    line: int | None = None
    group: int | None = None


class TaxLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tax of a jurisdiction; `included` in the line total or added to it."""

    number: int
    jurisdiction: str
    rate: Decimal
    amount: int
    included: bool = False
    line: int | None = None
    charge: int | None = None


class Tender(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A way of paying. `paid` says the channel has the money already (marketplace, POS)."""

    number: int
    kind: str = "card"
    """card, gift_card, invoice, wallet, marketplace, cash ..."""
    amount: int
    reference: str = ""
    """The provider's token or the channel's payment reference."""
    paid: bool = False
    order_of_use: int = 1


class SalesOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the customer bought; its identity is (channel, number)."""

    id: str
    channel: str
    number: str
    placed_at: datetime
    currency: str
    total: int
    """Sum of line totals, charges, adjustments and added taxes, in minor units."""
    lines: tuple[OrderLine, ...]
    groups: tuple[DeliveryGroup, ...]
    charges: tuple[Charge, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    taxes: tuple[TaxLine, ...] = ()
    tenders: tuple[Tender, ...] = ()
    customer_id: str | None = None
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
    """1 most urgent .. 5."""
    revision: int = 1
    test: bool = False
    substitutes_allowed: bool = False
    """Where what was ordered cannot be had, its product's substitutes may be sent, at no other
    price."""
    attributes: dict[str, str] = {}
