"""Who sends a request, and what they may do and see."""

from __future__ import annotations

from typing import Literal

import msgspec

Mode = Literal["live", "test"]


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """One authenticated client.

    `nodes` and `channels` are all that the caller sees, with its brands and regions already counted
    in: a query narrows by these two alone. None stands for all, an empty set for none.
    """

    id: str
    """The same for the life of a client: a rotated key keeps it."""
    name: str
    mode: Mode = "live"
    permissions: frozenset[str] = frozenset()
    nodes: frozenset[str] | None = None
    brands: frozenset[str] | None = None
    regions: frozenset[str] | None = None
    channels: frozenset[str] | None = None

    def may(self, permission: str) -> bool:
        """Whether the caller has a permission such as `orders:write`."""
        return permission in self.permissions

    def sees_node(self, code: str) -> bool:
        """Whether the caller may read and change the work and stock of a node."""
        return self.nodes is None or code in self.nodes

    def sees_channel(self, code: str) -> bool:
        """Whether the caller may read and change the orders of a channel."""
        return self.channels is None or code in self.channels

    def sees_brand(self, code: str) -> bool:
        """Whether the caller may read and change what is a brand's."""
        return self.brands is None or code in self.brands

    def sees_region(self, code: str) -> bool:
        """Whether the caller may read and change what is a region's."""
        return self.regions is None or code in self.regions
