"""On which local days a node's work leaves: its hours, cut-offs and lead, on its own clock.

Days are proleptic Gregorian ordinals (`date.toordinal`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from crossdock.sourcing.model import ANY_SERVICE, Hours, Pickups
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
            schedule = self._network.schedules[number]
            opened = _opened(schedule, day)
            assert opened is not None
            minute = _last_minute(schedule, self.service, day, opened)
            local = datetime.combine(date.fromordinal(day), time(), ZoneInfo(schedule.time_zone))
            # Wall clock first: minutes are counted on the node's clock, not in elapsed time.
            found = (local + timedelta(minutes=minute)).astimezone(UTC)
            self._ship_by[(number, day)] = found
        return found


def departures(
    schedule: Schedule, service: str, now: datetime, max_wait_days: int
) -> tuple[tuple[int, ...], datetime]:
    """Days work taken now can leave, if started within the wait; and until when that holds."""
    zone = ZoneInfo(schedule.time_zone)
    local = now.astimezone(zone)
    today = local.toordinal()
    until = datetime.combine(date.fromordinal(today + 1), time(), zone).astimezone(UTC)
    lead_days = schedule.lead_days
    open_days: list[int] = []
    starts = 0
    for day in range(today, today + max_wait_days + LONGEST_LEAD_DAYS + 1):
        opened = _opened(schedule, day)
        if opened is None:
            continue
        if day == today:
            last = _last_minute(schedule, service, day, opened)
            if local.hour * 60 + local.minute >= last:
                continue
            wall = datetime.combine(local.date(), time(), zone) + timedelta(minutes=last)
            until = min(until, wall.astimezone(UTC))
        open_days.append(day)
        starts += day <= today + max_wait_days
        if len(open_days) >= starts + lead_days and day > today + max_wait_days:
            break
    leaving = open_days[lead_days : starts + lead_days]
    pickups = _pickups(schedule, service)
    if pickups is not None:
        leaving = [day for day in leaving if pickups[(day + 6) % 7] is not None]
    return tuple(leaving), until


def _opened(schedule: Schedule, day: int) -> Hours:
    """From when to when it works on that day."""
    for special, hours in schedule.special:
        if special == day:
            return hours
    return schedule.hours[(day + 6) % 7]


def _pickups(schedule: Schedule, service: str) -> Pickups | None:
    """When carriers collect; None where they come whenever the node is open."""
    cut_offs = dict(schedule.cut_offs)
    return cut_offs.get(service, cut_offs.get(ANY_SERVICE))


def _last_minute(schedule: Schedule, service: str, day: int, opened: tuple[int, int]) -> int:
    """After which minute of the day its work is done another day."""
    pickups = _pickups(schedule, service)
    cut_off = None if pickups is None else pickups[(day + 6) % 7]
    return opened[1] if cut_off is None else min(cut_off, opened[1])
