"""Distances and freight zones from every node to a destination cell, computed in sets and kept."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from crossdock.sourcing.eligibility import FAR, method_rule
from crossdock.sourcing.model import NodeKind
from crossdock.sourcing.network import Network
from crossdock.sourcing.policy import SourcingPolicy

CACHED_CELLS = 8_192
"""About 4 kB each for 602 nodes."""

CellKey = tuple[int, int, str, int]
"""Rounded latitude and longitude (or NOWHERE twice), country, number of the distance limits."""

NOWHERE = 1 << 40
ANY_DISTANCE = -1


class Cell:
    """All nodes seen from one place: zone (FAR beyond the limit) and metres, by position."""

    __slots__ = ("_order", "meters", "zones")

    def __init__(self, zones: bytes, meters: array[int]) -> None:
        self.zones = zones
        self.meters = meters
        self._order: list[int] | None = None

    def nearest_first(self) -> list[int]:
        """Positions by distance, then by code."""
        if self._order is None:
            self._order = np.argsort(np.array(self.meters), kind="stable").tolist()
        return self._order


class Places:
    """The cells of one network under one policy."""

    def __init__(self, network: Network, policy: SourcingPolicy) -> None:
        self._network = network
        self._policy = policy
        self._degrees = policy.candidates.cell_degrees
        self._bands = np.array([limit * 1000 for limit in policy.freight.zones_km], dtype=np.uint32)
        self._abroad = len(policy.freight.zones_km) + 1
        self._limits: list[npt.NDArray[np.uint32]] = []
        self._limit_numbers: dict[tuple[str, int], int] = {}
        self._known_limits: dict[tuple[int, ...], int] = {}
        self._foreign: dict[str, npt.NDArray[np.bool_]] = {}
        self._cells: dict[CellKey, Cell] = {}

    def limits(self, method: str, step: int, *, named: bool) -> int:
        """The number of the distance limits of a method in a step of the policy; there are none
        for an order that names its nodes."""
        key = ("", ANY_DISTANCE) if named else (method, step)
        number = self._limit_numbers.get(key)
        return self._number_limits(*key) if number is None else number

    def key(
        self, latitude: float | None, longitude: float | None, country: str, limits: int
    ) -> CellKey:
        """What `prepare` knows a destination by."""
        if latitude is None or longitude is None:
            return (NOWHERE, NOWHERE, country, limits)
        degrees = self._degrees
        return (round(latitude / degrees), round(longitude / degrees), country, limits)

    def at(
        self, latitude: float | None, longitude: float | None, country: str, limits: int
    ) -> Cell:
        """The nodes as seen from a destination."""
        key = self.key(latitude, longitude, country, limits)
        found = self._cells.get(key)
        if found is None:
            self._compute([key])
            found = self._cells[key]
        return found

    def prepare(self, keys: Iterable[CellKey]) -> None:
        """Computes the cells not known yet, together."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._cells]
        if not missing:
            return
        if len(self._cells) + len(missing) > CACHED_CELLS:
            for old in list(self._cells)[: CACHED_CELLS // 2]:
                del self._cells[old]
        for start in range(0, len(missing), 256):
            self._compute(missing[start : start + 256])

    def _compute(self, keys: list[CellKey]) -> None:
        for key in keys:
            if key[0] == NOWHERE:
                self._cells[key] = self._nowhere(key)
        located = [key for key in keys if key[0] != NOWHERE]
        if not located or not len(self._network):
            for key in located:
                self._cells[key] = Cell(b"", array("I"))
            return
        degrees = self._degrees
        meters = self._network.distances([(key[0] * degrees, key[1] * degrees) for key in located])
        zones = np.searchsorted(self._bands, meters, side="left").astype(np.uint8)
        for row, key in enumerate(located):
            line = zones[row]
            line[self._abroad_from(key[2])] = self._abroad
            line[meters[row] > self._limits[key[3]]] = FAR
            self._cells[key] = Cell(line.tobytes(), array("I", meters[row].tobytes()))

    def _nowhere(self, key: CellKey) -> Cell:
        """Without coordinates every node is as dear as the farthest; a limit cannot be kept."""
        zones = np.full(len(self._network), self._abroad - 1, dtype=np.uint8)
        zones[self._abroad_from(key[2])] = self._abroad
        return Cell(zones.tobytes(), array("I", bytes(4 * len(self._network))))

    def _abroad_from(self, country: str) -> npt.NDArray[np.bool_]:
        found = self._foreign.get(country)
        if found is None:
            foreign = [bool(country) and there != country for there in self._network.countries]
            found = self._foreign[country] = np.array(foreign, dtype=np.bool_)
        return found

    def _number_limits(self, method: str, step: int) -> int:
        farthest = 2**32 - 1
        percent = 100
        own: int | None = None
        kinds: dict[NodeKind, int] = {}
        if step != ANY_DISTANCE:
            percent = self._policy.steps[step].distance_percent
            own = method_rule(self._policy, method).distance_km
            kinds = self._policy.distance_km
        limits = []
        for node in self._network.nodes:
            by_kind = kinds.get(node.kind)
            meters = farthest if by_kind is None else by_kind * 10 * percent
            if own is not None:
                meters = min(meters, own * 1000)
            limits.append(min(meters, farthest))
        number = self._known_limits.setdefault(tuple(limits), len(self._limits))
        if number == len(self._limits):
            self._limits.append(np.array(limits, dtype=np.uint32))
        self._limit_numbers[method, step] = number
        return number
