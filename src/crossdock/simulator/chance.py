"""Randomness that depends on who and what, never on when it is asked.

Every draw is a hash of (seed, what, entity): two runs agree whatever the order of their events.
"""

from __future__ import annotations

import math
from hashlib import blake2b

_SCALE = 1.0 / 2**64


class Chance:
    """Draws for one run; `what` names the question, `entity` whom it concerns."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._key = seed.to_bytes(8, "big", signed=True)

    def fraction(self, what: str, entity: str) -> float:
        """Uniform in [0, 1)."""
        drawn = blake2b(f"{what}\x1f{entity}".encode(), digest_size=8, key=self._key).digest()
        return int.from_bytes(drawn, "big") * _SCALE

    def happens(self, probability: float, what: str, entity: str) -> bool:
        """True with that probability."""
        return probability > 0 and self.fraction(what, entity) < probability

    def between(self, low: float, high: float, what: str, entity: str) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * self.fraction(what, entity)

    def wait(self, mean: float, what: str, entity: str) -> float:
        """Exponential with that mean, cut at six times the mean."""
        return min(-math.log(1.0 - self.fraction(what, entity)), 6.0) * mean

    def one_of(self, weighted: tuple[tuple[str, float], ...], what: str, entity: str) -> str:
        """One name, by weight."""
        left = self.fraction(what, entity) * sum(weight for _, weight in weighted)
        for name, weight in weighted:
            left -= weight
            if left < 0:
                return name
        return weighted[-1][0]
