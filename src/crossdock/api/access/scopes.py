"""From what a client is limited to (nodes, brands, regions, channels) to the codes that it sees."""

from __future__ import annotations

from typing import NamedTuple

from crossdock.api.access.permissions import EVERYTHING, Codes, Scope


class NodePlace(NamedTuple):
    """What scopes ask of a node. A node without brands serves all of them."""

    code: str
    region: str | None
    brands: tuple[str, ...]


class ChannelPlace(NamedTuple):
    """What scopes ask of a channel."""

    code: str
    brand: str | None


class Places(NamedTuple):
    """The retailer's nodes and channels."""

    nodes: tuple[NodePlace, ...] = ()
    channels: tuple[ChannelPlace, ...] = ()


def seen_nodes(scope: Scope, places: Places) -> Codes:
    """The nodes that every one of the scope's limits lets through; None for all.

    A node that is named and not yet in the master data counts: its key may be made before it.
    """
    named, regions, brands = map(limit, (scope.nodes, scope.regions, scope.brands))
    if regions is None and brands is None:
        return named
    return frozenset(
        node.code
        for node in places.nodes
        if (named is None or node.code in named)
        and (regions is None or node.region in regions)
        and (brands is None or not node.brands or not brands.isdisjoint(node.brands))
    )


def seen_channels(scope: Scope, places: Places) -> Codes:
    """The channels that every one of the scope's limits lets through; None for all."""
    named, brands = limit(scope.channels), limit(scope.brands)
    if brands is None:
        return named
    return frozenset(
        channel.code
        for channel in places.channels
        if (named is None or channel.code in named) and channel.brand in brands
    )


def limit(codes: Codes) -> Codes:
    """The codes that a scope limits to; None where it is open or says all on purpose."""
    return None if codes is None or EVERYTHING in codes else codes
