"""US postal codes as places: where they are, their time zone, and roughly how many live there."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
import zipcodes
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FEWEST_PEOPLE = 300.0
_TERRITORIES = ("PR", "VI", "GU", "MP", "AS", "FM", "MH", "PW")


class Places(NamedTuple):
    """Columns, ordered by postal code. Coordinates are degrees."""

    codes: list[str]
    cities: list[str]
    states: list[str]
    time_zones: list[str]
    latitude: Floats
    longitude: Floats
    people: Floats
    """A stand-in for the population, see `_people`."""

    def nearest(self, latitude: float, longitude: float) -> int:
        """The index of the place nearest to a point."""
        east = np.cos(np.radians(latitude)) * (self.longitude - longitude)
        return int(np.argmin(east**2 + (self.latitude - latitude) ** 2))


class _Entry(msgspec.Struct):
    """What `zipcodes` says of a postal code."""

    zip_code: str
    zip_code_type: str
    active: bool
    city: str
    acceptable_cities: list[str]
    state: str
    county: str
    timezone: str
    area_codes: list[str]
    country: str
    lat: str
    long: str


@lru_cache(maxsize=1)
def us_places() -> Places:
    """Every postal code in use with street delivery in the 50 states and DC."""
    listed = zipcodes.list_all()  # type: ignore[no-untyped-call]
    every = [entry for entry in msgspec.convert(listed, list[_Entry]) if entry.country == "US"]
    chosen = [
        entry
        for entry in every
        if entry.zip_code_type == "STANDARD"
        and entry.active
        and entry.timezone
        and entry.state not in _TERRITORIES
    ]
    chosen.sort(key=lambda entry: entry.zip_code)
    latitude = np.array([float(entry.lat) for entry in chosen])
    longitude = np.array([float(entry.long) for entry in chosen])
    return Places(
        codes=[entry.zip_code for entry in chosen],
        cities=[entry.city for entry in chosen],
        states=[entry.state for entry in chosen],
        time_zones=[entry.timezone for entry in chosen],
        latitude=latitude,
        longitude=longitude,
        people=_people(every, chosen, latitude, longitude),
    )


def _people(
    every: list[_Entry], chosen: list[_Entry], latitude: Floats, longitude: Floats
) -> Floats:
    """People per postal code, from what the codes themselves say.

    Towns with many codes for boxes and big receivers, names in use and area codes are large ones.
    The coefficients are a least squares fit to the Census of 2010, rounded; correlation 0.6.
    """
    codes_of_town = Counter((entry.city, entry.state) for entry in every)
    streets_of_town = Counter((entry.city, entry.state) for entry in chosen)
    boxes_of_county = Counter(
        (entry.county, entry.state) for entry in every if entry.zip_code_type != "STANDARD"
    )
    cells = list(
        zip(np.round(latitude * 4).tolist(), np.round(longitude * 4).tolist(), strict=True)
    )
    codes_of_cell = Counter(cells)
    towns = [(entry.city, entry.state) for entry in chosen]
    ratio = [codes_of_town[town] / streets_of_town[town] for town in towns]
    boxes = [boxes_of_county[(entry.county, entry.state)] for entry in chosen]
    people: Floats = (
        15_000 * np.log(ratio)
        + 1_000 * np.log1p(boxes)
        + 2_000 * np.log([codes_of_cell[cell] for cell in cells])
        + 1_300 * np.array([len(entry.acceptable_cities) for entry in chosen])
        + 1_200 * np.array([len(entry.area_codes) for entry in chosen])
        - 1_300
    )
    return np.maximum(people, _FEWEST_PEOPLE)
