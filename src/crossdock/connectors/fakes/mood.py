"""How a fake behaves, and the bookkeeping that all fakes share."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec

from crossdock.engine.effects import Done, EffectResult, PendingEffect, Repeat, TryLater, Unknown
from crossdock.kernel.clock import Clock
from crossdock.kernel.messages import Message


class Mood(msgspec.Struct, frozen=True, kw_only=True):
    """Probabilities are per attempt, drawn from (seed, key, attempt): the same for every run."""

    seed: int = 0
    fails: float = 0.0
    """Certainly did nothing; asks to come again."""
    loses_answer: float = 0.0
    """Did it, and the answer never came."""
    refuses: float = 0.0
    """Says no for good (per key, whatever the attempt)."""
    down: tuple[tuple[datetime, datetime], ...] = ()
    """Spans in which nothing answers at all."""
    delay_seconds: float = 0.0
    """Of wall-clock time, per call."""


class Fake:
    """Remembers what it did by idempotency key: the same key is done once and answered alike.

    `times_done` counts what really happened per key; more than 1 would be a doubled effect.
    Subclasses give `name` and one method per operation, `(effect, refused) -> answer`.
    """

    name = "fake"
    most_per_second: float | None = None

    def __init__(self, clock: Clock, mood: Mood | None = None) -> None:
        self.clock = clock
        self.mood = mood or Mood()
        self.answers: dict[str, Message] = {}
        self.times_done: Counter[str] = Counter()
        self.calls = 0
        self._lock = threading.Lock()

    def repeats(self, operation: str) -> Repeat:
        return Repeat.IDEMPOTENT

    def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
        """Do all of them, as the mood allows."""
        if self.mood.delay_seconds:
            time.sleep(self.mood.delay_seconds)
        with self._lock:
            self.calls += 1
            now = self.clock.now()
            if any(start <= now < end for start, end in self.mood.down):
                return [TryLater(f"{self.name} is down")] * len(effects)
            return [self._answer(effect) for effect in effects]

    def look_up(self, effects: Sequence[PendingEffect]) -> list[Message | None]:
        """What became of effects, by their keys."""
        with self._lock:
            return [self.answers.get(effect.key) for effect in effects]

    def _answer(self, effect: PendingEffect) -> EffectResult:
        attempt = f"{effect.key}/{effect.attempt}"
        if self.chance(self.mood.fails, "fails", attempt):
            return TryLater(f"{self.name} is busy")
        known = self.answers.get(effect.key)
        if known is None:
            operation: Callable[[PendingEffect, bool], Message] = getattr(self, effect.operation)
            known = operation(effect, self.chance(self.mood.refuses, "refuses", effect.key))
            self.answers[effect.key] = known
            self.times_done[effect.key] += 1
        if self.chance(self.mood.loses_answer, "loses", attempt):
            return Unknown(f"{self.name} did not answer in time")
        return Done(known)

    def chance(self, probability: float, *about: str) -> bool:
        """Whether something of that probability happens, drawn from the seed and its names."""
        if probability <= 0.0:
            return False
        named = "\x1f".join((str(self.mood.seed), self.name, *about)).encode()
        drawn = int.from_bytes(blake2b(named, digest_size=7).digest(), "big") / (1 << 56)
        return drawn < probability
