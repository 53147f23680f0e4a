"""A node's working day in its own time zone. Instants are seconds since 1970 in UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

LOOK_AHEAD_DAYS = 60
"""A place that does not open for so long is treated as always open: somebody lets them in."""


EVERY_SERVICE = "*"


class Span(NamedTuple):
    """Open from `start` to `end`."""

    start: float
    end: float


class CutOff(NamedTuple):
    """Until when work must be ready for a pickup; weekdays are ISO (1 is Monday)."""

    weekdays: frozenset[int]
    at: time
    service: str = EVERY_SERVICE


class Hours:
    """Opening hours and carrier pickups of one or many nodes that keep the same ones."""

    def __init__(
        self,
        time_zone: str,
        weekly: Mapping[int, Sequence[tuple[time, time]]],
        special: Mapping[date, Sequence[tuple[time, time]]] | None = None,
        cut_offs: Sequence[CutOff] = (),
    ) -> None:
        self._zone = ZoneInfo(time_zone)
        self._weekly = weekly
        self._special = special or {}
        self._cut_offs = tuple(cut_offs)
        self._spans: dict[date, tuple[Span, ...]] = {}
        self._pickups: dict[tuple[date, str], tuple[float, ...]] = {}

    def local_day(self, instant: float) -> date:
        return datetime.fromtimestamp(instant, self._zone).date()

    def first_open(self, instant: float) -> float:
        """The instant itself when open, else when it next opens."""
        return self.after(instant, 0.0)

    def after(self, instant: float, seconds: float) -> float:
        """When `seconds` of open time have passed since `instant`."""
        if not self._weekly and not self._special:
            return instant + seconds
        day, left = self.local_day(instant), seconds
        for offset in range(-1, LOOK_AHEAD_DAYS):
            for start, end in self._open_on(day + timedelta(days=offset)):
                if end <= instant:
                    continue
                begin = max(start, instant)
                if end - begin >= left:
                    return begin + left
                left -= end - begin
        return instant + seconds

    def next_pickup(self, instant: float, service: str = EVERY_SERVICE) -> float:
        """The first pickup of a service at or after `instant`; without any, half an hour later."""
        if self._cut_offs_of(service):
            day = self.local_day(instant)
            for offset in range(LOOK_AHEAD_DAYS):
                for pickup in self._pickups_on(day + timedelta(days=offset), service):
                    if pickup >= instant:
                        return pickup
        return self.after(instant, 1800.0)

    def open_seconds_per_week(self) -> float:
        """Open time of an ordinary week; a node without hours never closes."""
        if not self._weekly:
            return 7 * 86400.0
        day = date(2024, 1, 1)
        return sum(
            (datetime.combine(day, closes) - datetime.combine(day, opens)).total_seconds()
            for spans in self._weekly.values()
            for opens, closes in spans
        )

    def _open_on(self, day: date) -> tuple[Span, ...]:
        known = self._spans.get(day)
        if known is None:
            hours = self._special.get(day)
            if hours is None:
                hours = self._weekly.get(day.isoweekday(), ())
            known = self._spans[day] = tuple(
                sorted(Span(self._at(day, opens), self._at(day, closes)) for opens, closes in hours)
            )
        return known

    def _pickups_on(self, day: date, service: str) -> tuple[float, ...]:
        known = self._pickups.get((day, service))
        if known is None:
            known = self._pickups[day, service] = tuple(
                sorted(
                    self._at(day, cut_off.at)
                    for cut_off in self._cut_offs_of(service)
                    if day.isoweekday() in cut_off.weekdays
                )
            )
        return known

    def _cut_offs_of(self, service: str) -> list[CutOff]:
        """A service's own ones go before those for all, as where sourcing plans with them."""
        own = [cut_off for cut_off in self._cut_offs if cut_off.service == service]
        return own or [one for one in self._cut_offs if one.service == EVERY_SERVICE]

    def _at(self, day: date, moment: time) -> float:
        return datetime.combine(day, moment, self._zone).timestamp()


def instant(seconds: float) -> datetime:
    """Seconds since 1970 as a time in UTC, to the millisecond."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)
