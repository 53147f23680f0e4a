"""What master data must be, within each record and between them: pure, all problems at once.

Paths begin with the record: `node S014.time_zone`, `product LAMP-BRASS.gtin`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise

from crossdock.catalog.model import (
    Channel,
    HierarchyLink,
    Listing,
    Network,
    Node,
    NodeLot,
    NodeProduct,
    NodeStock,
    Product,
    ProductKind,
    ScopeSwitch,
)
from crossdock.model.checks import Findings
from crossdock.model.orders import Method
from crossdock.model.problems import Problem
from crossdock.model.stock import LEVEL_BUCKETS
from crossdock.model.text import unstorable

UNKNOWN_REFERENCE = "unknown_reference"
MOST_DAYS = 36_500
"""That goods live: a century."""


def problems_of(network: Network, known: Network | None = None) -> list[Problem]:
    """Everything wrong with a network. `known` is what is saved already and may be referred to."""
    problems = unstorable(network)
    found = Findings(problems)
    names = _Names(network, known or Network())
    _check_once(network, found)
    for entity in network.legal_entities:
        at = f"legal_entity {entity.code}."
        found.key(entity.code, at, "code")
        found.country(entity.country, at)
        found.currency(entity.currency, at, "currency")
        found.gln(entity.gln, at)
    for kind in ("brands", "regions", "zones", "node_groups"):
        for named in getattr(network, kind):
            found.key(named.code, f"{kind[:-1]} {named.code}.", "code")
    for node in network.nodes:
        _check_node(node, names, found)
    _check_hierarchy(network.hierarchy, names, found)
    for switch in network.scope_switches:
        _check_scope(switch, names, found)
    for product in network.products:
        _check_product(product, names, found)
    _check_kits(network.products, found)
    for exception in network.node_products:
        _check_node_product(exception, names, found)
    for channel in network.channels:
        _check_channel(channel, names, found)
    _check_listings(network.listings, names, found)
    _check_stock(network.stock, names, found)
    _check_lots(network.lots, names, found)
    return problems


class _Names:
    """Every code there is, by the kind of record."""

    def __init__(self, *networks: Network) -> None:
        self.of: dict[str, set[str]] = {
            "legal_entity": {e.code for n in networks for e in n.legal_entities},
            "brand": {b.code for n in networks for b in n.brands},
            "region": {r.code for n in networks for r in n.regions},
            "zone": {z.code for n in networks for z in n.zones},
            "node": {o.code for n in networks for o in n.nodes},
            "node_group": {g.code for n in networks for g in n.node_groups},
            "product": {p.sku for n in networks for p in n.products},
            "channel": {c.code for n in networks for c in n.channels},
        }

    def check(self, kind: str, name: str | None, found: Findings, at: str, field: str) -> None:
        """Adds a problem unless nothing or something known is named."""
        if name and name not in self.of[kind]:
            found.add(
                at + field,
                UNKNOWN_REFERENCE,
                f"There is no {kind} {name[:60]!r}.",
                f"Correct the name, or add the {kind}.",
            )


def _check_once(network: Network, found: Findings) -> None:
    keys: Mapping[str, Iterable[object]] = {
        "legal_entity": (entity.code for entity in network.legal_entities),
        "brand": (brand.code for brand in network.brands),
        "region": (region.code for region in network.regions),
        "zone": (zone.code for zone in network.zones),
        "node": (node.code for node in network.nodes),
        "node_group": (group.code for group in network.node_groups),
        "product": (product.sku for product in network.products),
        "channel": (channel.code for channel in network.channels),
        "product_node": (f"{e.sku} at {e.node}" for e in network.node_products),
        "scope_switch": (
            f"{s.brand}/{s.allocation_zone}/{s.method}" for s in network.scope_switches
        ),
        "gtin": (product.gtin for product in network.products if product.gtin),
        "stock": (f"{s.node} {s.bucket} {s.owner}".rstrip() for s in network.stock),
        "lot": (f"{each.lot} of {each.sku} at {each.node}" for each in network.lots),
    }
    for kind, values in keys.items():
        for value, count in Counter(values).items():
            if count > 1:
                found.add(
                    f"{kind} {value}", "duplicate", f"It is there {count} times.", "Keep one."
                )


def _check_stock(stocks: Iterable[NodeStock], names: _Names, found: Findings) -> None:
    for stock in stocks:
        at = f"stock of {stock.node}."
        names.check("node", stock.node, found, at, "node")
        names.check("legal_entity", stock.owner, found, at, "owner")
        if stock.bucket not in LEVEL_BUCKETS:
            said = f"{stock.bucket[:60]!r} is no bucket that is counted."
            found.add(f"{at}bucket", "unknown_bucket", said, f"One of {', '.join(LEVEL_BUCKETS)}.")
        for sku, quantity in stock.quantities.items():
            if quantity < 0 or sku not in names.of["product"]:
                names.check("product", sku, found, at, "quantities")
                found.quantity(quantity, at, f"quantities.{sku}", least=0)


def _check_lots(lots: Iterable[NodeLot], names: _Names, found: Findings) -> None:
    dates: dict[tuple[str, str], date | None] = {}
    for lot in lots:
        at = f"lot {lot.lot} of {lot.sku} at {lot.node}."
        names.check("node", lot.node, found, at, "node")
        names.check("product", lot.sku, found, at, "sku")
        found.key(lot.lot, at, "lot")
        found.quantity(lot.quantity, at, "quantity", least=0)
        known = dates.setdefault((lot.sku, lot.lot), lot.expires_on)
        if known != lot.expires_on:
            said = f"Elsewhere its last day is {known}."
            found.add(f"{at}expires_on", "two_dates", said, "A lot has one date everywhere.")


def _check_node(node: Node, names: _Names, found: Findings) -> None:
    at = f"node {node.code}."
    found.key(node.code, at, "code")
    found.country(node.country, at)
    found.place(node.latitude, node.longitude, at)
    found.time_zone(node.time_zone, at)
    found.gln(node.gln, at)
    names.check("zone", node.allocation_zone, found, at, "allocation_zone")
    names.check("region", node.region, found, at, "region")
    names.check("legal_entity", node.operating_entity, found, at, "operating_entity")
    for brand in node.brands:
        names.check("brand", brand, found, at, "brands")
    _check_node_figures(node, found, at)
    _check_calendar(node, found, at)
    found.attributes(node.attributes, at)


def _check_node_figures(node: Node, found: Findings, at: str) -> None:
    costs = ("cost_per_order", "cost_per_line", "cost_per_unit", "cost_at_full_load")
    for name in costs:
        found.amount(getattr(node, name), at, name)
    if node.cost_currency or any(getattr(node, name) for name in costs):
        found.currency(node.cost_currency, at, "cost_currency")
    found.quantity(node.daily_capacity or 0, at, "daily_capacity", least=0)
    found.quantity(node.lead_days, at, "lead_days", least=0)
    found.quantity(node.safety_stock, at, "safety_stock", least=0)
    found.quantity(node.buffer, at, "buffer", least=0)
    if not 0 <= node.pick_failure_probability <= 1:
        found.add(
            f"{at}pick_failure_probability",
            "bad_probability",
            f"{node.pick_failure_probability} is no probability.",
            "Send 0 to 1.",
        )


def _check_calendar(node: Node, found: Findings, at: str) -> None:
    for day in node.special_days:
        if (day.opens is None) != (day.closes is None):
            found.add(
                f"{at}special_days", "half_hours", f"{day.day} has one hour.", "Send both or none."
            )
        elif day.opens is not None and day.closes is not None and day.opens >= day.closes:
            _hours_backwards(found, f"{at}special_days", str(day.day))
    if len({day.day for day in node.special_days}) < len(node.special_days):
        found.add(f"{at}special_days", "duplicate", "A day is there twice.", "Keep one.")
    by_weekday = sorted((o.weekday, o.opens, o.closes) for o in node.openings)
    for weekday, opens, closes in by_weekday:
        if not 1 <= weekday <= 7:
            _bad_weekday(found, f"{at}openings", weekday)
        if opens >= closes:
            _hours_backwards(found, f"{at}openings", f"weekday {weekday}")
    for earlier, later in pairwise(by_weekday):
        if earlier[0] == later[0] and later[1] < earlier[2]:
            found.add(
                f"{at}openings",
                "overlap",
                f"Hours of weekday {later[0]} overlap.",
                "Join them, or let one begin when the other has ended.",
            )
    for cut_off in node.cut_offs:
        found.key(cut_off.service, f"{at}cut_offs.", "service")
        for weekday in cut_off.weekdays or (0,):
            if not 1 <= weekday <= 7:
                _bad_weekday(found, f"{at}cut_offs", weekday)


def _bad_weekday(found: Findings, path: str, weekday: int) -> None:
    found.add(path, "bad_weekday", f"{weekday} is no weekday.", "Send 1 (Monday) to 7 (Sunday).")


def _hours_backwards(found: Findings, path: str, day: str) -> None:
    found.add(
        path,
        "hours_backwards",
        f"On {day} it closes before it opens.",
        "Split hours over midnight into two days.",
    )


def _check_hierarchy(links: Sequence[HierarchyLink], names: _Names, found: Findings) -> None:
    for link in links:
        at = f"node_hierarchy {link.child}."
        names.check("node_group" if link.child_is_group else "node", link.child, found, at, "child")
        names.check("node_group", link.parent, found, at, "parent")
        _check_dates(link.valid_from, link.valid_to, found, at)
    parents: dict[str, list[str]] = {}
    for link in links:
        if link.child_is_group:
            parents.setdefault(link.child, []).append(link.parent)
    for start in parents:
        if start in _above(start, parents):
            found.add(
                f"node_hierarchy {start}",
                "cycle",
                "The group is part of itself.",
                "Take out one of the links.",
            )


def _above(start: str, parents: Mapping[str, Sequence[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        for parent in parents.get(waiting.pop(), ()):
            if parent not in reached:
                reached.add(parent)
                waiting.append(parent)
    return reached


def _check_scope(switch: ScopeSwitch, names: _Names, found: Findings) -> None:
    at = f"scope_switch {switch.brand}/{switch.allocation_zone}/{switch.method}."
    names.check("brand", switch.brand, found, at, "brand")
    names.check("zone", switch.allocation_zone, found, at, "allocation_zone")
    if switch.method and switch.method not in set(Method):
        found.add(
            f"{at}method", "unknown_method", f"{switch.method!r} is none.", "Send one, or nothing."
        )


def _check_product(product: Product, names: _Names, found: Findings) -> None:
    at = f"product {product.sku}."
    found.key(product.sku, at, "sku")
    found.gtin(product.gtin, at)
    for name in ("weight_grams", "length_mm", "width_mm", "height_mm"):
        found.quantity(getattr(product, name), at, name, least=0)
    found.amount(product.price, at, "price")
    found.amount(product.cost, at, "cost")
    if product.currency or product.price or product.cost:
        found.currency(product.currency, at, "currency")
    if product.country_of_origin:
        found.country(product.country_of_origin, at, "country_of_origin")
    if product.markdown_percent is not None and not 0 <= product.markdown_percent <= 100:
        found.add(
            f"{at}markdown_percent",
            "bad_percent",
            f"{product.markdown_percent} is no share.",
            "Send 0 to 100.",
        )
    for name in ("shelf_life_days", "minimum_remaining_days"):
        days = getattr(product, name)
        if days is not None and not 0 <= days <= MOST_DAYS:
            said = f"{days} days are no life of goods."
            found.add(f"{at}{name}", "bad_days", said, f"Send 0 to {MOST_DAYS:,}.")
    if (product.minimum_remaining_days or 0) > (product.shelf_life_days or 0):
        found.add(
            f"{at}minimum_remaining_days",
            "longer_than_shelf_life",
            "The customer is owed more days than the product ever has.",
            "Send shelf_life_days too, and not less.",
        )
    names.check("legal_entity", product.owner, found, at, "owner")
    for group in product.node_groups:
        names.check("node_group", group, found, at, "node_groups")
    for substitute in product.substitutes:
        names.check("product", substitute, found, at, "substitutes")
        if substitute == product.sku:
            found.add(f"{at}substitutes", "itself", "It substitutes itself.", "Take it out.")
    for pack in product.packs:
        found.quantity(pack.base_quantity, f"{at}packs.", "base_quantity")
        found.gtin(pack.gtin, f"{at}packs.")
    for component in product.components:
        names.check("product", component.sku, found, at, "components")
        found.quantity(component.quantity, f"{at}components.", "quantity")
    found.attributes(product.attributes, at)


def _check_kits(products: Sequence[Product], found: Findings) -> None:
    kits = {product.sku for product in products if product.kind is ProductKind.KIT}
    for product in products:
        at = f"product {product.sku}.components"
        if (product.kind is ProductKind.KIT) != bool(product.components):
            found.add(at, "kit_or_not", "A kit, and only a kit, has components.", "Correct kind.")
        parts = [component.sku for component in product.components]
        if len(set(parts)) < len(parts):
            found.add(at, "duplicate", "A component is there twice.", "Add up its quantities.")
        for part in parts:
            # Availability of a kit is computed from stock, which a kit in it would not have.
            if part in kits:
                found.add(at, "kit_in_kit", f"{part} is a kit itself.", "Name its components.")


def _check_node_product(exception: NodeProduct, names: _Names, found: Findings) -> None:
    at = f"product_node {exception.sku} at {exception.node}."
    names.check("product", exception.sku, found, at, "sku")
    names.check("node", exception.node, found, at, "node")
    found.quantity(exception.safety_stock or 0, at, "safety_stock", least=0)
    found.quantity(exception.buffer or 0, at, "buffer", least=0)
    found.amount(exception.cost or 0, at, "cost")


def _check_channel(channel: Channel, names: _Names, found: Findings) -> None:
    at = f"channel {channel.code}."
    found.key(channel.code, at, "code")
    names.check("brand", channel.brand, found, at, "brand")
    names.check("legal_entity", channel.selling_entity, found, at, "selling_entity")
    for zone in channel.zones:
        names.check("zone", zone, found, at, "zones")
    if channel.currency:
        found.currency(channel.currency, at, "currency")
    if channel.country:
        found.country(channel.country, at)
    found.quantity(channel.threshold, at, "threshold", least=0)
    found.quantity(channel.checkout_minutes, at, "checkout_minutes")
    if not 1 <= channel.priority <= 5:
        found.add(f"{at}priority", "bad_priority", f"{channel.priority} is none.", "Send 1 to 5.")
    found.attributes(channel.attributes, at)


def _check_listings(listings: Sequence[Listing], names: _Names, found: Findings) -> None:
    of_one: dict[tuple[str, str], list[Listing]] = {}
    for listing in listings:
        at = f"listing {listing.channel}/{listing.channel_sku}."
        found.key(listing.channel_sku, at, "channel_sku")
        names.check("channel", listing.channel, found, at, "channel")
        names.check("product", listing.sku, found, at, "sku")
        found.quantity(listing.pack_quantity, at, "pack_quantity")
        found.quantity(listing.threshold or 0, at, "threshold", least=0)
        _check_dates(listing.valid_from, listing.valid_to, found, at)
        of_one.setdefault((listing.channel, listing.channel_sku), []).append(listing)
    for (channel, channel_sku), versions in of_one.items():
        versions.sort(key=lambda listing: listing.valid_from)
        for earlier, later in pairwise(versions):
            if (earlier.valid_to or date.max) > later.valid_from:
                found.add(
                    f"listing {channel}/{channel_sku}",
                    "overlap",
                    f"Two listings hold on {later.valid_from}.",
                    "Let one end (valid_to) when the next begins.",
                )


def _check_dates(begins: date, ends: date | None, found: Findings, at: str) -> None:
    if ends is not None and ends <= begins:
        found.add(
            f"{at}valid_to", "dates_backwards", f"It ends on {ends} and begins later.", "Swap them."
        )
