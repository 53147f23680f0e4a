"""On which local days a node's work leaves: its hours, closures, cut-off and lead, in its own zone.

Days are proleptic Gregorian ordinals (`date.toordinal`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from crossdock.sourcing.model import ANY_SERVICE
from crossdock.sourcing.network import Network, Schedule

LONGEST_LEAD_DAYS = 60


class Departures:
    """The days each schedule of a network can leave for one service, as of `now`."""

    def __init__(self, network: Network, service: str, now: datetime, max_wait_days: int) -> None:
        self.service = service
        self.valid_from = now
        self.valid_until = now + timedelta(days=1)
        self.days: list[tuple[int, ...]] = []
        """By schedule: rising ordinals; empty when it is closed for too long."""
        for schedule in network.schedules:
            days, until = departures(schedule, service, now, max_wait_days)
            self.days.append(days)
            self.valid_until = min(self.valid_until, until)
        self._network = network
        self._ship_by: dict[tuple[int, int], datetime] = {}

    def holds_at(self, now: datetime) -> bool:
        """Nothing has changed between then and `now`."""
        return self.valid_from <= now < self.valid_until

    def ship_by(self, node: int, day: int) -> datetime:
        """The moment the carrier collects on that day: the cut-off, in UTC."""
        number = self._network.schedule_of[node]
        found = self._ship_by.get((number, day))
        if found is None:
            zone, hours, _, _, _ = schedule = self._network.schedules[number]
            opened = hours[(day + 6) % 7]
            assert opened is not None
            minute = _last_minute(schedule, self.service, opened)
            local = datetime.combine(date.fromordinal(day), time(), ZoneInfo(zone))
            # Wall clock first: minutes are counted on the node's clock, not in elapsed time.
            found = (local + timedelta(minutes=minute)).astimezone(UTC)
            self._ship_by[(number, day)] = found
        return found


def departures(
    schedule: Schedule, service: str, now: datetime, max_wait_days: int
) -> tuple[tuple[int, ...], datetime]:
    """Days work taken now can leave, if started within the wait; and until when that holds."""
    zone, hours, closures, _, lead_days = schedule
    local = now.astimezone(ZoneInfo(zone))
    today = local.toordinal()
    midnight = datetime.combine(date.fromordinal(today + 1), time(), ZoneInfo(zone))
    until = midnight.astimezone(UTC)
    closed = set(closures)
    open_days: list[int] = []
    starts = 0
    for day in range(today, today + max_wait_days + LONGEST_LEAD_DAYS + 1):
        opened = hours[(day + 6) % 7]
        if opened is None or day in closed:
            continue
        if day == today:
            last = _last_minute(schedule, service, opened)
            if local.hour * 60 + local.minute >= last:
                continue
            wall = datetime.combine(local.date(), time(), ZoneInfo(zone)) + timedelta(minutes=last)
            until = min(until, wall.astimezone(UTC))
        open_days.append(day)
        starts += day <= today + max_wait_days
        if len(open_days) >= starts + lead_days and day > today + max_wait_days:
            break
    return tuple(open_days[lead_days : starts + lead_days]), until


def _last_minute(schedule: Schedule, service: str, opened: tuple[int, int]) -> int:
    cut_offs = dict(schedule[3])
    cut_off = cut_offs.get(service, cut_offs.get(ANY_SERVICE, opened[1]))
    return min(cut_off, opened[1])
