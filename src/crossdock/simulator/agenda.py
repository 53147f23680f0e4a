"""What simulated people and systems mean to do, by the time at which they will do it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from crossdock.engine.inbox import Inbound

Act = Callable[[str, float], Iterable[Inbound]]
"""Called with the entity and the time the act was due; says what to tell Crossdock."""


class Planned(NamedTuple):
    """An act of one entity. Ordered by (due, entity, step), whatever the order of planning."""

    due: float
    entity: str
    step: str
    act: Act


class Agenda:
    """A queue of acts; times are seconds since 1970 in UTC."""

    def __init__(self) -> None:
        self._queue: list[tuple[float, str, str, int, Act]] = []
        self._counter = 0
        self.done = 0

    def plan(self, due: float, entity: str, step: str, act: Act) -> None:
        """Have `act` done for `entity` when `due`; `step` tells acts of one entity apart."""
        self._counter += 1
        heapq.heappush(self._queue, (due, entity, step, self._counter, act))

    def next_due(self) -> float | None:
        """When the next act is due; None when nobody means to do anything."""
        return self._queue[0][0] if self._queue else None

    def due_for(self, now: float, steps: frozenset[str]) -> list[str]:
        """Entities with one of these steps due by `now`, in no order."""
        return [planned[1] for planned in self._queue if planned[0] <= now and planned[2] in steps]

    def due_by(self, now: float) -> list[Inbound]:
        """Do everything that has fallen due, in order; what it leads to may be due as well."""
        told: list[Inbound] = []
        while self._queue and self._queue[0][0] <= now:
            due, entity, _, _, act = heapq.heappop(self._queue)
            told.extend(act(entity, due))
            self.done += 1
        return told


def seconds(moment: datetime) -> float:
    """A time as the agenda counts it."""
    return moment.timestamp()
