"""Outside systems as a run sees them: fakes in a mood, and who counts what was asked of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from crossdock.connectors.fakes import (
    CarrierFake,
    ErpFake,
    Mood,
    NotificationFake,
    PaymentFake,
)
from crossdock.connectors.fakes.mood import Fake
from crossdock.engine.effects import EffectResult, PendingEffect, Repeat, TryLater, Unknown
from crossdock.kernel.clock import Clock
from crossdock.kernel.messages import Message
from crossdock.simulator.outcome import EffectCount


class Moods(msgspec.Struct, frozen=True, kw_only=True):
    """How the outside systems behave. Probabilities are per call of one effect."""

    payment_refuses: float = 0.01
    """Of payment requests, for good."""
    fails: float = 0.004
    """Asks to come again."""
    loses_answer: float = 0.002
    """Does it, and its answer never arrives."""
    erp_refuses: float = 0.0
    erp_down_after_hours: float = 20.0
    erp_down_hours: float = 5.0
    """The ERP answers nothing for so long."""


CALM = Moods(payment_refuses=0.0, fails=0.0, loses_answer=0.0, erp_refuses=0.0, erp_down_hours=0.0)


class Counting:
    """A port that counts, per operation, what it was asked and what it answered."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self.name = fake.name
        self.most_per_second: float | None = None
        self.operations: dict[str, str] = {}
        self.calls: Counter[str] = Counter()
        self.later = 0
        self.unknown = 0

    def repeats(self, operation: str) -> Repeat:
        return self.fake.repeats(operation)

    def send(self, effects: Sequence[PendingEffect]) -> list[EffectResult]:
        """Pass them on, and count."""
        for effect in effects:
            self.operations[effect.key] = effect.operation
            self.calls[effect.operation] += 1
        results = self.fake.send(effects)
        for result in results:
            self.later += isinstance(result, TryLater)
            self.unknown += isinstance(result, Unknown)
        return results

    def look_up(self, effects: Sequence[PendingEffect]) -> list[Message | None]:
        return self.fake.look_up(effects)

    def counts(self) -> list[EffectCount]:
        """One line per operation."""
        asked = Counter(self.operations.values())
        done: Counter[str] = Counter()
        doubled: Counter[str] = Counter()
        for key, times in self.fake.times_done.items():
            done[self.operations[key]] += times > 0
            doubled[self.operations[key]] += times > 1
        return [
            EffectCount(
                connector=self.name,
                operation=operation,
                asked=asked[operation],
                done=done[operation],
                calls=self.calls[operation],
                doubled=doubled[operation],
            )
            for operation in sorted(asked)
        ]


class Outside:
    """The four outside systems of a run."""

    def __init__(self, clock: Clock, seed: int, moods: Moods, start: datetime) -> None:
        shaky = Mood(seed=seed, fails=moods.fails, loses_answer=moods.loses_answer)
        down: tuple[tuple[datetime, datetime], ...] = ()
        if moods.erp_down_hours > 0:
            begins = start + timedelta(hours=moods.erp_down_after_hours)
            down = ((begins, begins + timedelta(hours=moods.erp_down_hours)),)
        self.carrier = CarrierFake(clock, shaky)
        fakes: tuple[Fake, ...] = (
            PaymentFake(clock, msgspec.structs.replace(shaky, refuses=moods.payment_refuses)),
            self.carrier,
            ErpFake(clock, msgspec.structs.replace(shaky, refuses=moods.erp_refuses, down=down)),
            NotificationFake(clock, shaky),
        )
        self.ports = {fake.name: Counting(fake) for fake in fakes}
        self.outage_hours = moods.erp_down_hours

    def counts(self) -> tuple[EffectCount, ...]:
        """What was asked of each and done, per operation."""
        return tuple(one for port in self.ports.values() for one in port.counts())

    def faults(self) -> dict[str, int]:
        """What went wrong on the other side, by kind."""
        found = {}
        for port in self.ports.values():
            found[f"{port.name} asks to come again"] = port.later
            found[f"{port.name} loses its answer"] = port.unknown
        found["ERP outage, hours"] = round(self.outage_hours)
        return found
