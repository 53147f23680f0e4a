"""What data lack is filled from the seed: by who and what, never by the order of asking."""

from __future__ import annotations

from hashlib import blake2b

_SCALE = 1.0 / 2**64


def fraction(seed: int, what: str, who: str) -> float:
    """Uniform in [0, 1): the same for the same seed, question and name."""
    key = seed.to_bytes(8, "big", signed=True)
    drawn = blake2b(f"{what}\x1f{who}".encode(), digest_size=8, key=key).digest()
    return int.from_bytes(drawn, "big") * _SCALE


def between(seed: int, what: str, who: str, low: float, high: float) -> float:
    """Uniform in [low, high)."""
    return low + (high - low) * fraction(seed, what, who)
