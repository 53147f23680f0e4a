"""The nodes of a retailer, preprocessed once for each version of master data.

Positions are the nodes' places in the order of their codes, so that the lower position is the
tie-break by code. A network of some of the nodes keeps their order: what is planned on the nodes
that matter is what is planned on all.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import numpy as np
import numpy.typing as npt

from crossdock.sourcing.errors import NetworkRefused
from crossdock.sourcing.model import Hours, NodeFacts, Pickups

EARTH_DIAMETER_METERS = 2 * 6_371_008.8
"""Twice the mean radius (IUGG)."""

NEAREST_CELL_DEGREES = 0.02
"""Coordinates are rounded to this before the nearest nodes are looked up: about a mile."""

CACHED_PLACES = 20_000
"""How many places' nearest nodes are kept; then the oldest half is dropped."""


class Schedule(NamedTuple):
    """What two nodes must share to leave on the same days. Days are ordinals."""

    time_zone: str
    hours: tuple[Hours, ...]
    special: tuple[tuple[int, Hours], ...]
    """Days that differ from their weekday; None is closed."""
    cut_offs: tuple[tuple[str, Pickups], ...]
    lead_days: int


class Network:
    """Nodes by position, with columns of what the planner asks most."""

    def __init__(self, nodes: Iterable[NodeFacts]) -> None:
        self.nodes: tuple[NodeFacts, ...] = tuple(sorted(nodes, key=lambda node: node.code))
        self.codes: list[str] = [node.code for node in self.nodes]
        self.position: dict[str, int] = {code: i for i, code in enumerate(self.codes)}
        for node in self.nodes:
            _refuse_nonsense(node)
        if len(self.position) != len(self.nodes):
            raise NetworkRefused(
                "two nodes have the same code",
                advice="Give every node a code of its own.",
            )
        self.version = hashlib.sha256(msgspec.msgpack.encode(self.nodes)).hexdigest()[:16]
        self.xyz: tuple[npt.NDArray[np.float64], ...] = _unit_vectors(self.nodes)
        self.countries: list[str] = [node.country for node in self.nodes]
        self.capacity: list[int | None] = [node.daily_capacity for node in self.nodes]
        self.schedules: list[Schedule] = []
        self.schedule_of: list[int] = self._number_schedules()
        self.centers: frozenset[int] = frozenset(
            i for i, node in enumerate(self.nodes) if node.kind == "dc"
        )
        self._nearest: dict[tuple[int, int, int], tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self.nodes)

    def subset(self, codes: Iterable[str]) -> Network:
        """The network of these nodes only; unknown codes are left out."""
        chosen = sorted({self.position[code] for code in codes if code in self.position})
        return Network(self.nodes[i] for i in chosen)

    def nearest(self, latitude: float | None, longitude: float | None, k: int) -> tuple[str, ...]:
        """Codes of the k nearest nodes and every dc, nearest first; all nodes without a place."""
        return self.nearest_many([(latitude, longitude)], k)[0]

    def nearest_many(
        self, places: Sequence[tuple[float | None, float | None]], k: int
    ) -> list[tuple[str, ...]]:
        """`nearest` for each place; places not seen before are computed together."""
        keys = [_rounded(latitude, longitude, k) for latitude, longitude in places]
        known = self._nearest
        missing = [key for key in dict.fromkeys(keys) if key not in known]
        if missing:
            if len(known) + len(missing) > CACHED_PLACES:
                for old in list(known)[: len(known) // 2]:
                    del known[old]
            for start in range(0, len(missing), 512):
                self._look_up(missing[start : start + 512])
        return [known[key] for key in keys]

    def distances(self, places: Sequence[tuple[float, float]]) -> npt.NDArray[np.uint32]:
        """Great-circle distances in whole metres: a row for each place, a column for each node."""
        x, y, z = self.xyz
        px, py, pz = (column[:, None] for column in _vectors(places))
        # Element by element, never a matrix product: its rounding depends on the batch's shape.
        chord_squared = (px - x) * (px - x) + (py - y) * (py - y) + (pz - z) * (pz - z)
        half = np.sqrt(np.minimum(chord_squared, 4.0)) / 2
        meters: npt.NDArray[np.uint32] = np.rint(
            EARTH_DIAMETER_METERS * np.arcsin(np.minimum(half, 1.0))
        ).astype(np.uint32)
        return meters

    def _look_up(self, keys: list[tuple[int, int, int]]) -> None:
        located = [key for key in keys if key[0] != _NOWHERE]
        for key in keys:
            if key[0] == _NOWHERE:
                self._nearest[key] = tuple(self.codes)
        if not located:
            return
        step = NEAREST_CELL_DEGREES
        rows = self.distances([(key[0] * step, key[1] * step) for key in located])
        codes, size = self.codes, len(self.codes)
        centers = sorted(self.centers)
        # Distance and position in one number: no two are equal, so the order is the same always.
        for key, row in zip(located, rows.astype(np.int64) * size + np.arange(size), strict=True):
            k = key[2]
            near = np.partition(row, k - 1)[:k] if k < size else row
            chosen = {*near.tolist(), *row[centers].tolist()}
            self._nearest[key] = tuple([codes[one % size] for one in sorted(chosen)])

    def _number_schedules(self) -> list[int]:
        numbers: dict[Schedule, int] = {}
        return_value = []
        for node in self.nodes:
            schedule = schedule_of(node)
            number = numbers.setdefault(schedule, len(numbers))
            return_value.append(number)
        self.schedules = list(numbers)
        return return_value


def schedule_of(node: NodeFacts) -> Schedule:
    """What decides on which days a node's work leaves."""
    special: dict[int, Hours] = {day.toordinal(): span for day, span in node.special_hours.items()}
    special |= dict.fromkeys(day.toordinal() for day in node.closures)
    return Schedule(
        node.time_zone,
        node.hours,
        tuple(sorted(special.items(), key=lambda item: item[0])),
        tuple(sorted(node.cut_offs.items(), key=lambda item: item[0])),
        node.lead_days,
    )


_NOWHERE = 1 << 40


def _rounded(latitude: float | None, longitude: float | None, k: int) -> tuple[int, int, int]:
    if latitude is None or longitude is None:
        return (_NOWHERE, _NOWHERE, 0)
    return (
        round(latitude / NEAREST_CELL_DEGREES),
        round(longitude / NEAREST_CELL_DEGREES),
        k,
    )


def _unit_vectors(nodes: Sequence[NodeFacts]) -> tuple[npt.NDArray[np.float64], ...]:
    return _vectors([(node.latitude, node.longitude) for node in nodes])


def _vectors(
    places: Sequence[tuple[float, float]],
) -> tuple[npt.NDArray[np.float64], ...]:
    xs, ys, zs = [], [], []
    for latitude, longitude in places:
        phi, theta = math.radians(latitude), math.radians(longitude)
        xs.append(math.cos(phi) * math.cos(theta))
        ys.append(math.cos(phi) * math.sin(theta))
        zs.append(math.sin(phi))
    return np.array(xs), np.array(ys), np.array(zs)


def _refuse_nonsense(node: NodeFacts) -> None:
    problem = ""
    if not -90 <= node.latitude <= 90 or not -180 <= node.longitude <= 180:
        problem = f"latitude {node.latitude}, longitude {node.longitude} is no place on earth"
    elif len(node.hours) != 7:
        problem = f"hours has {len(node.hours)} days, not Monday to Sunday"
    elif node.daily_capacity is not None and node.daily_capacity < 0:
        problem = f"daily_capacity is {node.daily_capacity}"
    elif not 0 <= node.failed_pick_rate <= 1:
        problem = f"failed_pick_rate {node.failed_pick_rate} is no probability"
    elif any(len(pickups) != 7 for pickups in node.cut_offs.values()):
        problem = "the cut-offs of a service are not those of Monday to Sunday"
    elif (
        min(
            node.handling_order_minor,
            node.handling_line_minor,
            node.handling_unit_minor,
            node.load_minor,
        )
        < 0
    ):
        problem = "a cost rate is below zero"
    else:
        try:
            ZoneInfo(node.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            problem = f"time_zone {node.time_zone!r} is unknown"
    if problem:
        raise NetworkRefused(
            f"node {node.code}: {problem}",
            advice="Correct the node in the network file.",
        )
