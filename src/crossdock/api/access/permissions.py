"""What can be permitted, the roles that bundle it, and what a limited client cannot be given.

A grant is the name of a role or of a permission. Each permission is about the data of one side of
the retailer: of channels (what was sold), of nodes (what is done about it), of anyone (common to
all, or narrowed by whatever limits a client has), or of the whole, where nothing can be told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

import msgspec


class Side(Enum):
    """Whose data a permission is about, and so which scopes narrow it."""

    CHANNELS = "channels"
    NODES = "nodes"
    ANYONE = "anyone"
    WHOLE = "whole"


class Permission(NamedTuple):
    """What `meaning` says, on the data of `side`."""

    side: Side
    meaning: str


PERMISSIONS: Mapping[str, Permission] = {
    "orders:read": Permission(Side.CHANNELS, "read and list orders"),
    "orders:write": Permission(Side.CHANNELS, "place, edit and cancel orders"),
    "ats:read": Permission(Side.CHANNELS, "read what is available to sell"),
    "promises:read": Permission(Side.CHANNELS, "ask by when an order could be there"),
    "reservations:write": Permission(Side.CHANNELS, "reserve stock for a checkout"),
    "payments:write": Permission(Side.CHANNELS, "report what was paid, captured or refused"),
    "work:read": Permission(Side.NODES, "pull the work given to nodes"),
    "work:write": Permission(Side.NODES, "acknowledge, decline, pick, pack and ship work"),
    "inventory:read": Permission(Side.NODES, "read stock levels and moves"),
    "inventory:write": Permission(Side.NODES, "report moves, snapshots and corrections of stock"),
    "shipments:write": Permission(Side.NODES, "report shipments and their tracking"),
    "master:read": Permission(Side.ANYONE, "read nodes, products, prices and channels"),
    "master:write": Permission(Side.WHOLE, "change nodes, products, prices and channels"),
    "records:read": Permission(Side.WHOLE, "read decisions, messages and effects"),
    "events:read": Permission(Side.ANYONE, "read published events"),
    "webhooks:write": Permission(Side.ANYONE, "subscribe to published events"),
    "files:write": Permission(Side.WHOLE, "load full files of stock, products and prices"),
    "metrics:read": Permission(Side.WHOLE, "read the figures of the installation"),
    "keys:write": Permission(Side.WHOLE, "create, rotate and revoke API keys"),
}

_CHANNEL = ("orders:read", "orders:write", "ats:read", "promises:read", "reservations:write")
_NODE = ("work:read", "work:write", "shipments:write", "inventory:read")

ROLES: Mapping[str, frozenset[str]] = {
    "administrator": frozenset(PERMISSIONS),
    "auditor": frozenset(name for name in PERMISSIONS if name.endswith(":read")),
    "channel": frozenset(_CHANNEL),
    "node": frozenset(_NODE),
    "warehouse": frozenset((*_NODE, "inventory:write")),
    "payments": frozenset(("orders:read", "payments:write")),
    "master_data": frozenset(("master:read", "master:write", "files:write")),
    "subscriber": frozenset(("events:read", "webhooks:write")),
}
"""The roles that every installation has; a retailer adds its own in [access.roles]."""

EVERYTHING = "*"
"""In a scope: all of them, and meant so."""

Codes = frozenset[str] | None


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is limited to. None: not said; with `*` in it: all, on purpose."""

    nodes: Codes = None
    brands: Codes = None
    regions: Codes = None
    channels: Codes = None

    def is_limited(self) -> bool:
        """Whether anything at all is kept from the client."""
        scopes = (self.nodes, self.brands, self.regions, self.channels)
        return any(codes is not None and EVERYTHING not in codes for codes in scopes)

    def speaks_of(self, side: Side) -> bool:
        """Whether the scope says which nodes, or which channels, are meant."""
        own = (self.nodes, self.regions) if side is Side.NODES else (self.channels,)
        return any(codes is not None for codes in (*own, self.brands))


def expand(
    grants: Iterable[str], own_roles: Mapping[str, Iterable[str]]
) -> tuple[frozenset[str], tuple[str, ...]]:
    """The permissions that grants stand for, and the grants that stand for none."""
    roles: Mapping[str, Iterable[str]] = {**own_roles, **ROLES}
    permissions: set[str] = set()
    unknown = []
    for grant in grants:
        if grant in PERMISSIONS:
            permissions.add(grant)
        elif grant in roles:
            permissions.update(name for name in roles[grant] if name in PERMISSIONS)
        else:
            unknown.append(grant)
    return frozenset(permissions), tuple(unknown)


def out_of_reach(permissions: Iterable[str], scope: Scope) -> frozenset[str]:
    """The permissions that a client of this scope cannot have.

    What is about the whole cannot be narrowed. And a client limited on one side sees all of the
    other unless its scope says so, which nobody wants by oversight.
    """
    if not scope.is_limited():
        return frozenset()
    return frozenset(
        name
        for name in permissions
        if (side := PERMISSIONS[name].side) is Side.WHOLE
        or (side is not Side.ANYONE and not scope.speaks_of(side))
    )
