"""Carriers on the road: parcels take days by distance; a few are lost for good."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple
from zoneinfo import ZoneInfo

from crossdock.engine.inbox import Inbound
from crossdock.engine.process import Address
from crossdock.model.messages import ShipmentDelivered, ShipmentLost
from crossdock.simulator.agenda import Agenda
from crossdock.simulator.chance import Chance
from crossdock.simulator.hours import instant
from crossdock.simulator.staff import Parcel

TRANSIT_DAYS = ((240.0, 1), (960.0, 2), (2200.0, 3), (3600.0, 4), (float("inf"), 5))
"""Up to that many kilometers, so many days; days without Sundays."""
UNKNOWN_WAY_DAYS = 3
GIVEN_UP_AFTER_DAYS = 9


class CarrierHabits(NamedTuple):
    """Probabilities are per parcel."""

    lost_probability: float = 0.003
    late_probability: float = 0.05
    """One or two days later than usual."""


class Carriers:
    """All carriers together."""

    def __init__(
        self,
        chance: Chance,
        agenda: Agenda,
        habits: CarrierHabits | None = None,
        stopped: Callable[[str], bool] = lambda tracking: False,
        gone: Callable[[str], None] = lambda tracking: None,
    ) -> None:
        self.chance = chance
        self.agenda = agenda
        self.habits = habits or CarrierHabits()
        self.stopped = stopped
        self.gone = gone
        self.counts: dict[str, int] = {}

    def take(self, parcel: Parcel) -> None:
        """Plan what becomes of a parcel."""
        entity = parcel.shipment_id
        if self.chance.happens(self.habits.lost_probability, "is lost", entity):
            given_up = parcel.shipped + GIVEN_UP_AFTER_DAYS * 86400.0
            self.agenda.plan(given_up, entity, "lost", self._lose(parcel))
            return
        days = self._transit_days(parcel)
        if self.chance.happens(self.habits.late_probability, "is late", entity):
            self.counts["carrier is late"] = self.counts.get("carrier is late", 0) + 1
            days += 1 + int(self.chance.fraction("how late", entity) * 2)
        arrives = _arrival(parcel.shipped, days, self.chance.between(9, 18, "hour", entity))
        self.agenda.plan(arrives, entity, "delivered", self._deliver(parcel))

    def _transit_days(self, parcel: Parcel) -> int:
        node = parcel.node
        if node.latitude is None or node.longitude is None:
            return UNKNOWN_WAY_DAYS
        if parcel.latitude is None or parcel.longitude is None:
            return UNKNOWN_WAY_DAYS
        way = kilometers(node.latitude, node.longitude, parcel.latitude, parcel.longitude)
        days = next(days for limit, days in TRANSIT_DAYS if way <= limit)
        return min(days, 2) if parcel.service in ("express", "next_day") else days

    def _deliver(self, parcel: Parcel) -> Callable[[str, float], Iterable[Inbound]]:
        def deliver(entity: str, due: float) -> Iterable[Inbound]:
            if self.stopped(parcel.tracking):
                return
            self.gone(parcel.tracking)
            delivered = ShipmentDelivered(
                order_id=parcel.order_id,
                fulfillment_id=parcel.fulfillment_id,
                shipment_id=parcel.shipment_id,
                tracking=parcel.tracking,
                delivered_at=instant(due),
            )
            yield _tell(parcel, delivered, "delivered", due)

        return deliver

    def _lose(self, parcel: Parcel) -> Callable[[str, float], Iterable[Inbound]]:
        def lose(entity: str, due: float) -> Iterable[Inbound]:
            if self.stopped(parcel.tracking):
                return
            self.gone(parcel.tracking)
            self.counts["parcel lost"] = self.counts.get("parcel lost", 0) + 1
            lost = ShipmentLost(
                order_id=parcel.order_id,
                fulfillment_id=parcel.fulfillment_id,
                shipment_id=parcel.shipment_id,
                tracking=parcel.tracking,
            )
            yield _tell(parcel, lost, "lost", due)

        return lose


def _tell(
    parcel: Parcel, message: ShipmentDelivered | ShipmentLost, step: str, due: float
) -> Inbound:
    return Inbound(
        "carrier",
        f"{parcel.tracking}/{step}",
        message,
        Address("fulfillment", parcel.fulfillment_id, parcel.order_id),
        instant(due),
        "carrier",
    )


def _arrival(shipped: float, days: int, hour: float) -> float:
    """`days` delivery days after the day of shipping, at that hour; never on a Sunday."""
    day = datetime.fromtimestamp(shipped, ZoneInfo("UTC")).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    left = days
    while left:
        day += timedelta(days=1)
        left -= day.isoweekday() != 7
    return day.timestamp() + hour * 3600.0


def kilometers(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Great-circle distance on a sphere of 6,371 km."""
    a, b = radians(latitude), radians(to_latitude)
    half = sin((b - a) / 2) ** 2 + (
        cos(a) * cos(b) * sin(radians(to_longitude - longitude) / 2) ** 2
    )
    return 12742.0 * asin(sqrt(min(1.0, half)))
