"""Which shard a message belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from crossdock.engine.process import Address
from crossdock.kernel.ids import shard_of


def route_of_text(text: str) -> str:
    """A routing id for something that has a code and no id, such as a node's stock."""
    return blake2b(text.encode(), digest_size=4).hexdigest()


def shard_number(to: Address, zones: Mapping[str, int]) -> int:
    """The shard of an address: a zone's own one, else one of the 64 by its routing id."""
    zone = zones.get(to.route)
    return shard_of(to.route) if zone is None else zone
