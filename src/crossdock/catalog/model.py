"""Master data as everybody sees it: nodes, products, channels and what ties them together.

Keys are the retailer's own codes. Money is integer minor units of the record's currency, weights
are grams, lengths millimetres, times of day those of the node's zone. Each struct is a record of a
network file (`record` says which) and a row of the table of the same name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from enum import StrEnum
from functools import cache
from typing import Any

import msgspec

from crossdock.kernel.quantity import Unit
from crossdock.model.orders import Method

FOREVER = date.min
"""`valid_from` of what was always so."""


class NodeKind(StrEnum):
    """What sort of place a node is."""

    STORE = "store"
    DC = "dc"
    DARK_STORE = "dark_store"
    THIRD_PARTY = "3pl"
    VENDOR = "vendor"


class ProductKind(StrEnum):
    """What sort of thing is sold; only goods have stock of their own."""

    GOODS = "goods"
    KIT = "kit"
    DIGITAL = "digital"
    SERVICE = "service"
    GIFT_CARD = "gift_card"


class ChannelKind(StrEnum):
    """Where demand comes from."""

    WEB = "web"
    APP = "app"
    MARKETPLACE = "marketplace"
    POS = "pos"
    CALL_CENTER = "call_center"
    SOCIAL = "social"
    WHOLESALE = "wholesale"


class OnInvalid(StrEnum):
    """What becomes of an order that makes no sense."""

    REFUSE = "refuse"
    HOLD = "hold"


class OnShortage(StrEnum):
    """What becomes of units an order wants and nobody has."""

    BACKORDER = "backorder"
    REFUSE = "refuse"


class ScopeMode(StrEnum):
    """Whether Crossdock acts for a part of the business."""

    OFF = "off"
    SHADOW = "shadow"
    """It decides and records, and sends nothing."""
    LIVE = "live"


class Record(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="record",
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """A line of a network file."""


@cache
def defaults_of(record: type[Record]) -> Mapping[str, Any]:
    """The fields that JSON of a record leaves out because they have their defaults, as JSON."""
    return {
        field.name: msgspec.to_builtins(
            field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        )
        for field in msgspec.structs.fields(record)
        if not field.required
    }


class LegalEntity(Record, frozen=True, kw_only=True, tag="legal_entity"):
    """A company: sells, operates nodes, owns stock."""

    code: str
    name: str
    country: str
    currency: str
    gln: str = ""


class Brand(Record, frozen=True, kw_only=True, tag="brand"):
    """A name the retailer sells under."""

    code: str
    name: str


class Region(Record, frozen=True, kw_only=True, tag="region"):
    """A part of the world the retailer steers as one."""

    code: str
    name: str


class Zone(Record, frozen=True, kw_only=True, tag="zone"):
    """An AllocationZone: the unit of the allocation lock, and of a cell."""

    code: str
    name: str
    cell: str = "main"


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours of one weekday; ISO 8601 numbers, 1 is Monday."""

    weekday: int
    opens: time
    closes: time


class SpecialDay(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A day that differs from its weekday; without hours the node is closed."""

    day: date
    opens: time | None = None
    closes: time | None = None


class CutOff(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Until when work must be ready for a carrier's pickup; service `*` is every service."""

    service: str
    at: time
    carrier: str = ""
    weekdays: tuple[int, ...] = (1, 2, 3, 4, 5)


class Node(Record, frozen=True, kw_only=True, tag="node"):
    """A place that can hold stock or fulfill."""

    code: str
    kind: NodeKind = NodeKind.STORE
    name: str
    allocation_zone: str = "main"
    enabled: bool = True
    brands: tuple[str, ...] = ()
    """Brands it serves; empty is every brand."""
    region: str | None = None
    operating_entity: str | None = None
    gln: str = ""
    country: str
    postal_code: str = ""
    administrative_area: str = ""
    city: str = ""
    latitude: float | None = None
    longitude: float | None = None
    time_zone: str
    methods: tuple[Method, ...] = (Method.SHIP,)
    capabilities: tuple[str, ...] = ()
    """Words products and policies ask for: gift_wrap, hazmat, oversize ..."""
    daily_capacity: int | None = None
    """FulfillmentOrders per local day; None is without limit."""
    lead_days: int = 0
    """Open days it needs before it hands over."""
    pick_failure_probability: float = 0.0
    """How likely a line sent here is not found."""
    cost_currency: str = ""
    cost_per_order: int = 0
    cost_per_line: int = 0
    cost_per_unit: int = 0
    cost_at_full_load: int = 0
    """What an order costs extra when the day is full; it grows with the square of the load."""
    safety_stock: int = 0
    """Units of each SKU never newly sold; a NodeProduct overrides it."""
    buffer: int = 0
    """Units held back because the node's count may be wrong."""
    openings: tuple[Opening, ...] = ()
    """None at all means that it never closes."""
    special_days: tuple[SpecialDay, ...] = ()
    cut_offs: tuple[CutOff, ...] = ()
    attributes: dict[str, str] = {}


class NodeGroup(Record, frozen=True, kw_only=True, tag="node_group"):
    """A district, a country organization, a franchise: what nodes are grouped by."""

    code: str
    kind: str
    name: str


class HierarchyLink(Record, frozen=True, kw_only=True, tag="node_hierarchy"):
    """A node, or a group, belongs to a group for a time; `valid_to` is exclusive."""

    child: str
    parent: str
    child_is_group: bool = False
    valid_from: date = FOREVER
    valid_to: date | None = None


class ScopeSwitch(Record, frozen=True, kw_only=True, tag="scope_switch"):
    """Off, shadow or live for a brand, zone and method; empty stands for all of them."""

    mode: ScopeMode
    brand: str = ""
    allocation_zone: str = ""
    method: str = ""


class Component(msgspec.Struct, frozen=True, array_like=True):
    """Units of another SKU in one kit."""

    sku: str
    quantity: int = 1


class Pack(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A unit the product is also handled in: `base_quantity` base units each."""

    unit: str
    base_quantity: int
    gtin: str = ""


class Product(Record, frozen=True, kw_only=True, tag="product"):
    """What is sold, by SKU."""

    sku: str
    name: str
    kind: ProductKind = ProductKind.GOODS
    enabled: bool = True
    gtin: str = ""
    brand: str = ""
    category: str = ""
    base_unit: Unit = Unit.EACH
    weight_grams: int = 0
    length_mm: int = 0
    width_mm: int = 0
    height_mm: int = 0
    currency: str = ""
    price: int = 0
    """List price of one base unit."""
    cost: int = 0
    """Standard cost of one base unit."""
    season_end: date | None = None
    first_received_on: date | None = None
    markdown_percent: int | None = None
    """Share of the price lost when the season ends; None leaves it to the policy."""
    dangerous_goods: str = ""
    """UN class such as `3` or `9`; empty is harmless."""
    shelf_life_days: int | None = None
    minimum_remaining_days: int | None = None
    """Days of life the customer is owed on arrival."""
    tracks_lots: bool = False
    tracks_serials: bool = False
    max_transit_days: int | None = None
    ships_alone: bool = False
    """Each unit is a package of its own."""
    ship_together: str = ""
    """Lines of an order with the same word here leave from one node."""
    requires: tuple[str, ...] = ()
    """Capabilities a node must have to send it."""
    node_groups: tuple[str, ...] = ()
    """Only nodes in one of these groups send it; empty is all."""
    owner: str | None = None
    """The legal entity whose nodes alone may send it."""
    methods: tuple[Method, ...] | None = None
    """None allows every method."""
    substitutes: tuple[str, ...] = ()
    """Best first."""
    components: tuple[Component, ...] = ()
    """What a kit is made of; a kit has no stock of its own."""
    packs: tuple[Pack, ...] = ()
    country_of_origin: str = ""
    customs_code: str = ""
    attributes: dict[str, str] = {}


class Price(Record, frozen=True, kw_only=True, tag="price"):
    """Of a product, what it is sold for and what it costs: one base unit, in minor units."""

    sku: str
    currency: str
    price: int
    cost: int = 0


class NodeProduct(Record, frozen=True, kw_only=True, tag="product_node"):
    """Where a product differs at a node; None leaves the node's own value."""

    sku: str
    node: str
    enabled: bool = True
    methods_off: tuple[Method, ...] = ()
    safety_stock: int | None = None
    buffer: int | None = None
    cost: int | None = None


class Channel(Record, frozen=True, kw_only=True, tag="channel"):
    """Where demand comes from, and how its orders are treated."""

    code: str
    name: str
    kind: ChannelKind = ChannelKind.WEB
    enabled: bool = True
    brand: str | None = None
    selling_entity: str | None = None
    currency: str = ""
    """What its orders are in; empty leaves it to each order."""
    country: str = ""
    methods: tuple[Method, ...] = (Method.SHIP,)
    zones: tuple[str, ...] = ()
    """Allocation zones asked in this order; empty is every zone."""
    threshold: int = 0
    """Units of each SKU this channel never sells; a Listing overrides it."""
    priority: int = 3
    paid: bool = False
    """The channel has the money already (marketplace, POS)."""
    on_invalid: OnInvalid = OnInvalid.HOLD
    on_shortage: OnShortage = OnShortage.BACKORDER
    checkout_minutes: int = 30
    """How long a checkout's soft reservation lives."""
    attributes: dict[str, str] = {}


class Listing(Record, frozen=True, kw_only=True, tag="listing"):
    """The channel's SKU is `pack_quantity` of ours, for a time; `valid_to` is exclusive."""

    channel: str
    channel_sku: str
    sku: str
    pack_quantity: int = 1
    valid_from: date = FOREVER
    valid_to: date | None = None
    threshold: int | None = None
    enabled: bool = True


class NodeStock(Record, frozen=True, kw_only=True, tag="stock"):
    """Opening balances of one node and bucket, by SKU. Inventory takes them, not the catalog."""

    node: str
    quantities: dict[str, int]
    bucket: str = "sellable"
    owner: str = ""


class NodeLot(Record, frozen=True, kw_only=True, tag="lot"):
    """Sellable units of one lot at a node at first; inventory takes them, too."""

    sku: str
    node: str
    lot: str
    quantity: int
    expires_on: date | None = None
    """The lot's last day of life, wherever it lies."""


class Network(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything a network folder or file says, in its order."""

    legal_entities: tuple[LegalEntity, ...] = ()
    brands: tuple[Brand, ...] = ()
    regions: tuple[Region, ...] = ()
    zones: tuple[Zone, ...] = ()
    nodes: tuple[Node, ...] = ()
    node_groups: tuple[NodeGroup, ...] = ()
    hierarchy: tuple[HierarchyLink, ...] = ()
    scope_switches: tuple[ScopeSwitch, ...] = ()
    products: tuple[Product, ...] = ()
    node_products: tuple[NodeProduct, ...] = ()
    channels: tuple[Channel, ...] = ()
    listings: tuple[Listing, ...] = ()
    stock: tuple[NodeStock, ...] = ()
    lots: tuple[NodeLot, ...] = ()


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """Each goes up with every change of its kind of master data."""

    network: int
    products: int
    channels: int
