"""The network as simulated people know it: places with their hours, carriers' pickups, capacity."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, time

from crossdock.catalog.model import Node, NodeKind
from crossdock.simulator.hours import CutOff, Hours
from crossdock.simulator.staff import Place

RECEIVING = (NodeKind.DC, NodeKind.THIRD_PARTY)


def places(nodes: Iterable[Node]) -> dict[str, Place]:
    """Every node by its code; nodes that keep the same hours share them."""
    shared: dict[object, Hours] = {}
    found: dict[str, Place] = {}
    for node in nodes:
        key = (node.time_zone, node.openings, node.special_days, node.cut_offs)
        hours = shared.get(key)
        if hours is None:
            hours = shared[key] = _hours(node)
        found[node.code] = Place(
            node.code,
            node.kind.value,
            hours,
            node.daily_capacity,
            node.pick_failure_probability,
            node.latitude,
            node.longitude,
        )
    return found


def receiving_nodes(nodes: Iterable[Node]) -> list[str]:
    """Where suppliers deliver: distribution centers, else any place that holds stock."""
    all_nodes = [node for node in nodes if node.enabled]
    large = [node.code for node in all_nodes if node.kind in RECEIVING]
    return large or [node.code for node in all_nodes if node.kind is not NodeKind.VENDOR]


def _hours(node: Node) -> Hours:
    weekly: dict[int, list[tuple[time, time]]] = {}
    for opening in node.openings:
        weekly.setdefault(opening.weekday, []).append((opening.opens, opening.closes))
    special: dict[date, list[tuple[time, time]]] = {}
    for day in node.special_days:
        hours = special.setdefault(day.day, [])
        if day.opens is not None and day.closes is not None:
            hours.append((day.opens, day.closes))
    cut_offs = [CutOff(frozenset(c.weekdays), c.at, c.service) for c in node.cut_offs]
    return Hours(node.time_zone, weekly, special, cut_offs)
