"""Master data as sourcing reads it: kept by each worker until a version number changes."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from typing import NamedTuple

import msgspec

from crossdock.catalog import store as catalog
from crossdock.catalog.model import FOREVER, HierarchyLink, Node, NodeProduct, Product
from crossdock.db import Connection
from crossdock.sourcing.model import ALWAYS_OPEN, Hours, NodeFacts, Pickups, SkuFacts
from crossdock.sourcing.network import Network

MINUTES_PER_DAY = 1440


class Facts(NamedTuple):
    """What a planning batch knows of nodes and products, and under which hash nodes are kept."""

    zones: Mapping[str, Network]
    """The nodes of each zone that has any."""
    zone_hashes: Mapping[str, bytes]
    products: Mapping[str, SkuFacts]

    def hash_of(self, zone: str) -> bytes:
        """16 bytes that stand for the zone's nodes with all their facts."""
        return self.zone_hashes[zone]


class FactsShelf:
    """A worker's copy of master data; `current` reads it again only when it changed."""

    def __init__(self) -> None:
        self._network: tuple[object, Mapping[str, Network], Mapping[str, bytes]] | None = None
        self._products: tuple[object, Mapping[str, SkuFacts]] | None = None

    def current(self, connection: Connection, today: date) -> Facts:
        """Facts as of now; the hierarchy as of `today`."""
        versions = catalog.versions(connection)
        network_key = (versions.network, today)
        if self._network is None or self._network[0] != network_key:
            zones = zone_networks(
                catalog.load_nodes(connection), catalog.load_hierarchy(connection), today
            )
            hashes = {zone: network_hash(network) for zone, network in zones.items()}
            if self._network is None or self._network[2] != hashes:
                self._network = (network_key, zones, hashes)
            else:  # The same facts: what planners have learned about them stays good.
                self._network = (network_key, *self._network[1:])
        if self._products is None or self._products[0] != versions.products:
            products = product_facts(
                catalog.load_products(connection), catalog.load_node_products(connection)
            )
            self._products = (versions.products, products)
            # Tens of thousands of facts live as long as the worker: the collector need not walk
            # them again and again.
            gc.collect()
            gc.freeze()
        return Facts(self._network[1], self._network[2], self._products[1])


def network_hash(network: Network) -> bytes:
    """16 bytes over everything sourcing knows of the nodes."""
    return hashlib.blake2b(encode_nodes(network), digest_size=16).digest()


def encode_nodes(network: Network) -> bytes:
    """The nodes as they are stored for replay."""
    return msgspec.msgpack.encode(network.nodes)


def decode_nodes(body: bytes) -> Network:
    """The inverse of `encode_nodes`."""
    return Network(nodes_in(body))


def nodes_in(body: bytes) -> tuple[NodeFacts, ...]:
    """The nodes of `encode_nodes` one by one, not made ready for planning."""
    return msgspec.msgpack.decode(body, type=tuple[NodeFacts, ...])


def zone_networks(
    nodes: Iterable[Node], hierarchy: Sequence[HierarchyLink], today: date
) -> dict[str, Network]:
    """Sourcing's nodes by allocation zone."""
    groups = _groups_of_nodes(hierarchy, today)
    zones: dict[str, list[NodeFacts]] = {}
    for node in nodes:
        facts = node_facts(node, groups.get(node.code, ()))
        zones.setdefault(node.allocation_zone, []).append(facts)
    return {zone: Network(facts) for zone, facts in sorted(zones.items())}


def node_facts(node: Node, groups: tuple[str, ...] = ()) -> NodeFacts:
    """A node as sourcing sees it. Without coordinates it is off: no distance can be told."""
    located = node.latitude is not None and node.longitude is not None
    return NodeFacts(
        code=node.code,
        kind=node.kind.value,
        allocation_zone=node.allocation_zone,
        country=node.country,
        postal_code=node.postal_code,
        latitude=node.latitude or 0.0,
        longitude=node.longitude or 0.0,
        time_zone=node.time_zone,
        hours=_hours(node),
        closures=tuple(day.day for day in node.special_days if day.opens is None),
        special_hours={
            day.day: (_minute(day.opens), _minute(day.closes) or MINUTES_PER_DAY)
            for day in node.special_days
            if day.opens is not None and day.closes is not None
        },
        cut_offs=_cut_offs(node),
        lead_days=node.lead_days,
        daily_capacity=node.daily_capacity,
        methods=tuple(method.value for method in node.methods),
        capabilities=node.capabilities,
        groups=groups,
        brands=node.brands,
        region=node.region or "",
        legal_entity=node.operating_entity or "",
        currency=node.cost_currency,
        handling_order_minor=node.cost_per_order,
        handling_line_minor=node.cost_per_line,
        handling_unit_minor=node.cost_per_unit,
        load_minor=node.cost_at_full_load,
        failed_pick_rate=node.pick_failure_probability,
        active=node.enabled and located,
    )


def product_facts(
    products: Iterable[Product], exceptions: Iterable[NodeProduct]
) -> dict[str, SkuFacts]:
    """Products as sourcing sees them, by SKU; a node where one is off never sends it."""
    blocked: dict[str, list[str]] = {}
    for exception in exceptions:
        if not exception.enabled:
            blocked.setdefault(exception.sku, []).append(exception.node)
    return {
        product.sku: SkuFacts(
            sku=product.sku,
            weight_grams=product.weight_grams,
            dimensions_mm=(product.length_mm, product.width_mm, product.height_mm),
            currency=product.currency,
            price_minor=product.price,
            cost_minor=product.cost,
            season_end=product.season_end,
            first_received_on=product.first_received_on,
            markdown_percent=product.markdown_percent,
            dangerous_goods=product.dangerous_goods,
            shelf_life_days=product.minimum_remaining_days if product.tracks_lots else None,
            max_transit_days=product.max_transit_days,
            requires=product.requires,
            methods=tuple(method.value for method in product.methods or ()),
            node_groups=product.node_groups,
            blocked_nodes=tuple(sorted(blocked.get(product.sku, ()))),
            owner=product.owner or "",
            substitutes=product.substitutes,
            components=tuple((part.sku, part.quantity) for part in product.components),
            ship_together=product.ship_together,
            ships_alone=product.ships_alone,
        )
        for product in products
    }


def _hours(node: Node) -> tuple[Hours, ...]:
    """From the first opening of a weekday to the last closing; a pause at noon does not count."""
    if not node.openings:
        return ALWAYS_OPEN
    week: list[Hours] = [None] * 7
    for opening in node.openings:
        day = opening.weekday - 1
        opens, closes = _minute(opening.opens), _minute(opening.closes) or MINUTES_PER_DAY
        known = week[day]
        week[day] = (
            (opens, closes) if known is None else (min(known[0], opens), max(known[1], closes))
        )
    return tuple(week)


def _cut_offs(node: Node) -> dict[str, Pickups]:
    """By service each weekday's last pickup, whichever carrier makes it."""
    last: dict[str, list[int | None]] = {}
    for cut_off in node.cut_offs:
        week = last.setdefault(cut_off.service, [None] * 7)
        for weekday in cut_off.weekdays:
            week[weekday - 1] = max(week[weekday - 1] or 0, _minute(cut_off.at))
    return {service: tuple(week) for service, week in last.items()}


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute


def _groups_of_nodes(hierarchy: Sequence[HierarchyLink], today: date) -> dict[str, tuple[str, ...]]:
    """Every group a node belongs to today, directly or through another group."""
    parents: dict[tuple[bool, str], list[str]] = {}
    for link in hierarchy:
        begun = link.valid_from == FOREVER or link.valid_from <= today
        if begun and (link.valid_to is None or today < link.valid_to):
            parents.setdefault((link.child_is_group, link.child), []).append(link.parent)
    groups: dict[str, tuple[str, ...]] = {}
    for is_group, child in parents:
        if is_group:
            continue
        found: set[str] = set()
        ahead = list(parents[False, child])
        while ahead:
            group = ahead.pop()
            if group not in found:
                found.add(group)
                ahead += parents.get((True, group), ())
        groups[child] = tuple(sorted(found))
    return groups
