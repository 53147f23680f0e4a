"""Towns of the world, for data that name a country and no place: shipped, small, by population."""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

from crossdock.importers.seeded import fraction


class Town(NamedTuple):
    """A town; coordinates are degrees."""

    country: str
    name: str
    postal_code: str
    latitude: float
    longitude: float
    thousands: int
    """Inhabitants, roughly."""
    time_zone: str


def town_for(seed: int, country: str, who: str) -> Town | None:
    """The town where `who` lives: always the same for a seed, big towns more often."""
    towns = towns_of(country)
    if not towns:
        return None
    left = fraction(seed, "town", who) * sum(town.thousands for town in towns)
    for town in towns:
        left -= town.thousands
        if left < 0:
            return town
    return towns[-1]


def towns_of(country: str) -> tuple[Town, ...]:
    """The towns of a country, biggest first; none for one that is not listed."""
    return _by_country().get(country, ())


@lru_cache(maxsize=1)
def _by_country() -> dict[str, tuple[Town, ...]]:
    text = resources.files("crossdock.importers").joinpath("towns.csv").read_text("utf-8")
    found: dict[str, list[Town]] = {}
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(row["country"], []).append(
            Town(
                row["country"],
                row["town"],
                row["postal_code"],
                float(row["latitude"]),
                float(row["longitude"]),
                int(row["thousands"]),
                row["time_zone"],
            )
        )
    return {
        country: tuple(sorted(towns, key=lambda town: -town.thousands))
        for country, towns in found.items()
    }
