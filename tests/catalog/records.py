"""A small retailer with one of everything, as master data."""

from __future__ import annotations

from datetime import date, time

from crossdock.catalog.model import (
    Brand,
    Channel,
    ChannelKind,
    Component,
    CutOff,
    HierarchyLink,
    LegalEntity,
    Listing,
    Network,
    Node,
    NodeGroup,
    NodeKind,
    NodeProduct,
    Opening,
    Pack,
    Product,
    ProductKind,
    Region,
    ScopeMode,
    ScopeSwitch,
    SpecialDay,
    Zone,
)
from crossdock.model.orders import Method

OAK_STREET = Node(
    code="S014",
    kind=NodeKind.STORE,
    name="Oak Street",
    allocation_zone="east",
    brands=("lumen",),
    region="us",
    operating_entity="lumen-us",
    gln="5412345000013",
    country="US",
    postal_code="02139",
    administrative_area="MA",
    city="Cambridge",
    latitude=42.3647,
    longitude=-71.1042,
    time_zone="America/New_York",
    methods=(Method.SHIP, Method.PICKUP),
    capabilities=("gift_wrap",),
    daily_capacity=40,
    lead_days=1,
    pick_failure_probability=0.06,
    cost_currency="USD",
    cost_per_order=150,
    cost_per_unit=40,
    cost_at_full_load=200,
    safety_stock=1,
    buffer=1,
    openings=(
        Opening(weekday=1, opens=time(9), closes=time(13)),
        Opening(weekday=1, opens=time(14), closes=time(19)),
        Opening(weekday=6, opens=time(10), closes=time(16, 30)),
    ),
    special_days=(
        SpecialDay(day=date(2026, 11, 26)),
        SpecialDay(day=date(2026, 11, 27), opens=time(6), closes=time(22)),
    ),
    cut_offs=(CutOff(service="standard", at=time(15, 30), carrier="ups"),),
    attributes={"lumen.format": "flagship"},
)

RIVER_DC = Node(
    code="DC1",
    kind=NodeKind.DC,
    name="River DC",
    allocation_zone="east",
    country="US",
    time_zone="America/New_York",
)

BRASS_LAMP = Product(
    sku="LAMP-BRASS",
    name="Brass lamp \N{EM DASH} 40 cm",
    gtin="4006381333931",
    brand="lumen",
    weight_grams=1850,
    length_mm=420,
    width_mm=200,
    height_mm=200,
    currency="USD",
    price=8900,
    cost=3120,
    season_end=date(2027, 1, 31),
    first_received_on=date(2026, 9, 1),
    markdown_percent=30,
    dangerous_goods="9",
    shelf_life_days=900,
    minimum_remaining_days=30,
    tracks_serials=True,
    max_transit_days=5,
    ships_alone=True,
    requires=("hazmat",),
    methods=(Method.SHIP,),
    substitutes=("LAMP-STEEL", "BULB-E27"),
    packs=(Pack(unit="carton", base_quantity=6, gtin="14006381333938"),),
    country_of_origin="PT",
    customs_code="940511",
    attributes={"lumen.line": "heritage"},
)
STEEL_LAMP = Product(sku="LAMP-STEEL", name="Steel lamp")
BULB = Product(sku="BULB-E27", name="Bulb E27")
LAMP_SET = Product(
    sku="LAMP-SET",
    name="Lamp with two bulbs",
    kind=ProductKind.KIT,
    components=(Component("BULB-E27", 2), Component("LAMP-STEEL", 1)),
)

RETAILER = Network(
    legal_entities=(LegalEntity(code="lumen-us", name="Lumen Inc.", country="US", currency="USD"),),
    brands=(Brand(code="lumen", name="Lumen"),),
    regions=(Region(code="us", name="United States"),),
    zones=(Zone(code="east", name="East"),),
    nodes=(RIVER_DC, OAK_STREET),
    node_groups=(
        NodeGroup(code="boston", kind="district", name="Greater Boston"),
        NodeGroup(code="new-england", kind="area", name="New England"),
    ),
    hierarchy=(
        HierarchyLink(child="S014", parent="boston", valid_from=date(2025, 1, 1)),
        HierarchyLink(child="boston", parent="new-england", child_is_group=True),
    ),
    scope_switches=(ScopeSwitch(mode=ScopeMode.SHADOW, brand="lumen", method="pickup"),),
    products=(BULB, BRASS_LAMP, LAMP_SET, STEEL_LAMP),
    node_products=(
        NodeProduct(sku="LAMP-BRASS", node="S014", methods_off=(Method.PICKUP,), safety_stock=3),
    ),
    channels=(
        Channel(
            code="market",
            name="Marketplace",
            kind=ChannelKind.MARKETPLACE,
            brand="lumen",
            selling_entity="lumen-us",
            currency="USD",
            zones=("east",),
            threshold=2,
            paid=True,
        ),
    ),
    listings=(
        Listing(channel="market", channel_sku="B00LAMP6", sku="LAMP-BRASS", pack_quantity=6),
    ),
)
