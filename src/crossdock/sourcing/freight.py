"""What packages cost and how long they travel, looked up and not computed on the hot path.

Billable weight is the real or the dimensional weight, whichever is more, and the empty package.
What is heavier than the heaviest package goes in several: full ones and a rest.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import date

from crossdock.sourcing.policy import Freight, Service

CACHED_ROWS = 50_000


class Rows(dict[int, tuple[int, ...]]):
    """Billable grams -> cost in each zone, the last one abroad; a row is computed when missing."""

    def __init__(self, freight: Freight, service: Service, surcharge_minor: int) -> None:
        super().__init__()
        self._freight = freight
        self._service = service
        self._surcharge = surcharge_minor
        """For each package."""

    def __missing__(self, billable_grams: int) -> tuple[int, ...]:
        zones = len(self._freight.zones_km) + 2
        if not billable_grams:
            # Nothing but units that are packages of their own.
            return (0,) * zones
        limits = self._freight.weights_grams
        full, rest = divmod(billable_grams, limits[-1])
        row = self._package(rest) if rest or not full else (0,) * zones
        if full:
            heaviest = self._package(limits[-1])
            row = tuple(full * one + more for one, more in zip(heaviest, row, strict=True))
        if len(self) >= CACHED_ROWS:
            self.clear()
        self[billable_grams] = row
        return row

    def _package(self, grams: int) -> tuple[int, ...]:
        band = bisect_left(self._freight.weights_grams, grams)
        service, extra = self._service, self._freight.surcharges
        rates = service.rates[band]
        abroad = service.abroad.rates[band] if service.abroad else 0
        surcharge = self._surcharge
        if extra.heavy_grams and grams > extra.heavy_grams:
            surcharge += extra.heavy_minor
        fuel = 100 + extra.fuel_percent
        return tuple((rate * fuel + 50) // 100 + surcharge for rate in (*rates, abroad))


class FreeRows(dict[int, tuple[int, ...]]):
    """Rows of a method without freight: pickup, digital."""

    def __init__(self, zones: int) -> None:
        super().__init__()
        self._row = (0,) * zones

    def __missing__(self, billable_grams: int) -> tuple[int, ...]:
        return self._row


class Arrivals(dict[int, tuple[int, ...]]):
    """Ordinal of the day a package leaves -> ordinal of the day it arrives, in each zone."""

    def __init__(self, transit_days: tuple[int, ...], moves_on_weekends: bool) -> None:
        super().__init__()
        self._transit = transit_days
        self._weekends = moves_on_weekends

    def __missing__(self, leaves: int) -> tuple[int, ...]:
        row = tuple(self._arrival(leaves, days) for days in self._transit)
        self[leaves] = row
        return row

    def _arrival(self, day: int, transit: int) -> int:
        if self._weekends:
            return day + transit
        while transit:
            day += 1
            if day % 7 not in _WEEKEND:
                transit -= 1
        return day


class Lateness(dict[int, tuple[int | None, ...]]):
    """Ordinal of the day a package leaves -> what arriving after the promise costs, in each zone;
    None beyond the last day."""

    def __init__(
        self, arrivals: Arrivals, promise: int, minor_a_day: int, max_days: int | None
    ) -> None:
        super().__init__()
        self._arrivals = arrivals
        self._promise = promise
        self._minor_a_day = minor_a_day
        self._max_days = max_days

    def __missing__(self, leaves: int) -> tuple[int | None, ...]:
        row = tuple([self._cost(day - self._promise) for day in self._arrivals[leaves]])
        self[leaves] = row
        return row

    def _cost(self, days: int) -> int | None:
        if days <= 0:
            return 0
        if self._max_days is not None and days > self._max_days:
            return None
        return days * self._minor_a_day


_WEEKEND = frozenset({date(2024, 1, 6).toordinal() % 7, date(2024, 1, 7).toordinal() % 7})


class FreightBook:
    """Rows and arrivals of a policy's services, made when first asked for."""

    def __init__(self, freight: Freight) -> None:
        self.freight = freight
        self.abroad = len(freight.zones_km) + 1
        """Index of the zone abroad."""
        self.tare = freight.tare_grams
        self.heaviest = freight.weights_grams[-1]
        self._rows: dict[tuple[str, int], dict[int, tuple[int, ...]]] = {}
        self._arrivals: dict[str, Arrivals] = {}
        self._remote = {
            country: tuple(starts)
            for country, starts in freight.surcharges.remote_postal_codes.items()
        }

    def service(self, name: str) -> Service:
        """The price list of a service; of the default one when the policy has none by that name."""
        found = self.freight.services.get(name)
        return found or self.freight.services[self.freight.default_service]

    def rows(self, service: str, surcharge_minor: int) -> dict[int, tuple[int, ...]]:
        """Rows with a surcharge on every package; empty `service` has no freight at all."""
        key = (service, surcharge_minor)
        found = self._rows.get(key)
        if found is None:
            if service:
                found = Rows(self.freight, self.service(service), surcharge_minor)
            else:
                found = FreeRows(self.abroad + 1)
            self._rows[key] = found
        return found

    def arrivals(self, service: str) -> Arrivals:
        """Arrivals by a service; empty `service` arrives on the day it leaves."""
        found = self._arrivals.get(service)
        if found is None:
            if service:
                chosen = self.service(service)
                abroad = chosen.abroad.transit_days if chosen.abroad else 0
                days = (*chosen.transit_days, abroad)
            else:
                days = (0,) * (self.abroad + 1)
            found = Arrivals(days, self.freight.moves_on_weekends)
            self._arrivals[service] = found
        return found

    def goes_abroad(self, service: str) -> bool:
        """The service has rates for other countries."""
        return self.service(service).abroad is not None

    def remote_minor(self, country: str, postal_code: str) -> int:
        """The surcharge of a remote place, for each package."""
        starts = self._remote.get(country)
        if starts and postal_code.startswith(starts):
            return self.freight.surcharges.remote_minor
        return 0

    def peak_minor(self, today: date) -> int:
        """The surcharge of the season, for each package."""
        day = f"{today.month:02}-{today.day:02}"
        total = 0
        for peak in self.freight.surcharges.peaks:
            if peak.first_day <= peak.last_day:
                inside = peak.first_day <= day <= peak.last_day
            else:
                inside = day >= peak.first_day or day <= peak.last_day
            total += peak.minor if inside else 0
        return total

    def packages(self, billable_grams: int) -> int:
        """How many packages so much weight is."""
        return max(1, -(-billable_grams // self.heaviest))
