"""Identifiers: canonical UUID text, derived and never drawn, dense in time."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import NewType
from uuid import UUID

Id = NewType("Id", str)

ORDER_SHARDS = 64
"""Shards that process instances hash to; fixed for the life of a database."""


def derive(at: datetime, *parts: str) -> Id:
    """A UUID (version 8): 48 bits of `at` in milliseconds, then a hash of `parts`.

    The same time and parts give the same id, so a retried handler names the same things.
    """
    hashed = blake2b("\x1f".join(parts).encode(), digest_size=10).hexdigest()
    return Id(f"{_prefix(at)}{hashed[1:4]}-{_VARIANT[hashed[4]]}{hashed[5:8]}-{hashed[8:]}")


@lru_cache(maxsize=1024)
def _prefix(at: datetime) -> str:
    """Time and version, which all ids of a batch share."""
    milliseconds = f"{int(at.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-8"


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def shard_of(route: str) -> int:
    """The order shard (0..63) of a routing id; the last two hex digits are hash bits.

    Raises ValueError for what is no routing id, such as the code of a zone without a shard.
    """
    shard = _SHARDS.get(route[-2:])
    if shard is None:
        raise ValueError(f"{route!r} is neither a routing id nor a zone that has a shard")
    return shard


_SHARDS = {f"{bits:02x}": bits & (ORDER_SHARDS - 1) for bits in range(256)}


def is_id(text: str) -> bool:
    """Whether a text is an id in canonical form (lower case, with hyphens)."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
