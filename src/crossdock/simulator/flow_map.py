"""The process map: a directly-follows graph laid out in layers, from top to bottom, as SVG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from crossdock.simulator.charts import duration, number, svg
from crossdock.simulator.outcome import Activity, Flow, ProcessMap

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y = 184.0, 44.0, 26.0, 62.0


class _Spot(NamedTuple):
    x: float
    y: float


def flow_map(process: ProcessMap, least_share: float = 0.01) -> Markup:
    """Draw the activities and the flows that at least `least_share` of the instances took.

    Flows that lead forward are solid; those that lead back (retries, re-sourcing) are dashed.
    Their width grows with how often they were taken.
    """
    label = f"Process map of {process.process}"
    if not process.activities:
        return svg("process-map", label, 880, 40, [])
    flows = _kept(process, max(2, process.instances * least_share))
    layers = _layers(process.activities, flows)
    spots, width, height = _spots(layers, flows)
    most = max((f.count for f in flows), default=1)
    body = [_flow(f, spots, most, forward=spots[f.source].y < spots[f.target].y) for f in flows]
    busiest = max(a.count for a in process.activities)
    body += [_box(a, spots[a.name], busiest) for a in process.activities if a.name in spots]
    return svg("process-map", label, width, height, body)


def _by_position(activity: Activity) -> tuple[float, str]:
    return activity.position, activity.name


def _kept(process: ProcessMap, least: float) -> list[Flow]:
    """Frequent flows, and for each activity its most frequent way in, so that none floats."""
    into: dict[str, Flow] = {}
    for flow in process.flows:
        best = into.get(flow.target)
        if flow.source != flow.target and (best is None or flow.count > best.count):
            into[flow.target] = flow
    always = {(f.source, f.target) for f in into.values()}
    return [
        f
        for f in process.flows
        if f.source != f.target and (f.count >= least or (f.source, f.target) in always)
    ]


def _layers(activities: Sequence[Activity], flows: Sequence[Flow]) -> list[list[str]]:
    """Grow from the earliest activity along the busiest flow at hand: each target one row lower."""
    order = [activity.name for activity in sorted(activities, key=_by_position)]
    layer: dict[str, int] = {}
    while len(layer) < len(order):
        reached = [f for f in flows if f.source in layer and f.target not in layer]
        if reached:
            busiest = max(reached, key=lambda f: (f.count, f.target))
            layer[busiest.target] = layer[busiest.source] + 1
        else:
            layer[next(name for name in order if name not in layer)] = 0
    rows: dict[int, list[str]] = defaultdict(list)
    for name in order:
        rows[layer[name]].append(name)
    return [rows[i] for i in sorted(rows)]


def _spots(layers: list[list[str]], flows: Sequence[Flow]) -> tuple[dict[str, _Spot], float, float]:
    """Rows centered on the page; within a row, each box near the boxes that lead to it."""
    widest = max(len(row) for row in layers)
    width = max(widest * (BOX_WIDTH + GAP_X) + 60, 560.0)
    spots: dict[str, _Spot] = {}
    for depth, row in enumerate(layers):

        def pull(name: str) -> float:
            near = [
                (spots[f.source].x, f.count)
                for f in flows
                if f.target == name and f.source in spots
            ]
            weight = sum(count for _, count in near)
            return sum(x * count for x, count in near) / weight if weight else width / 2

        ordered = sorted(row, key=lambda name: (pull(name), name))
        start = width / 2 - (len(row) - 1) * (BOX_WIDTH + GAP_X) / 2
        for i, name in enumerate(ordered):
            spots[name] = _Spot(start + i * (BOX_WIDTH + GAP_X), 30 + depth * (BOX_HEIGHT + GAP_Y))
    return spots, width, 30 + len(layers) * (BOX_HEIGHT + GAP_Y) - GAP_Y + 30


def _box(activity: Activity, spot: _Spot, busiest: int) -> str:
    share = activity.count / busiest
    left, top = spot.x - BOX_WIDTH / 2, spot.y - BOX_HEIGHT / 2
    return (
        f'<g class="activity"><rect x="{left:.1f}" y="{top:.1f}" width="{BOX_WIDTH}" '
        f'height="{BOX_HEIGHT}" rx="8" class="box"/>'
        f'<rect x="{left:.1f}" y="{top + BOX_HEIGHT - 5:.1f}" width="{BOX_WIDTH * share:.1f}" '
        f'height="5" rx="2.5" class="fill"/>'
        f'<text x="{spot.x:.1f}" y="{spot.y - 3:.1f}" text-anchor="middle" class="what">'
        f"{escape(activity.name)}</text>"
        f'<text x="{spot.x:.1f}" y="{spot.y + 12:.1f}" text-anchor="middle" class="axis">'
        f"{number(activity.count)}</text></g>"
    )


def _flow(flow: Flow, spots: dict[str, _Spot], most: int, forward: bool) -> str:
    """A curve from one box to the other with its arrow head, count and median time."""
    a, b = spots[flow.source], spots[flow.target]
    thick = 1.0 + 4.5 * (flow.count / most) ** 0.5
    half = BOX_HEIGHT / 2
    if forward:
        start, end = (a.x, a.y + half), (b.x, b.y - half - 7)
        bend = max((end[1] - start[1]) * 0.5, 24)
        # Past a box that stands in the way.
        aside = -BOX_WIDTH * 0.8 if a.x == b.x and b.y - a.y > 1.5 * (BOX_HEIGHT + GAP_Y) else 0.0
        curve = (start[0] + aside, start[1] + bend, end[0] + aside, end[1] - bend)
        tip = f"M{end[0]:.1f} {end[1] + 7:.1f}l-5 -9h10z"
    else:
        side = BOX_WIDTH / 2 if b.x >= a.x else -BOX_WIDTH / 2
        reach = side * 0.55
        if a.y == b.y:
            start, end = (a.x + side, a.y + 8), (b.x - side * 1.08, b.y + 8)
            curve, turn = (start[0], start[1], end[0], end[1]), -1
        else:
            start, end = (a.x + side, a.y), (b.x + side * 1.08, b.y)
            curve, turn = (start[0] + reach, start[1], end[0] + reach, end[1]), 1
        step = turn * (9 if side > 0 else -9)
        tip = f"M{b.x + turn * side:.1f} {end[1]:.1f}l{step} -5v10z"
    middle = (
        (start[0] + 3 * curve[0] + 3 * curve[2] + end[0]) / 8,
        (start[1] + 3 * curve[1] + 3 * curve[3] + end[1]) / 8,
    )
    told = (
        f"{flow.source} → {flow.target}: {number(flow.count)}, "
        f"median {duration(flow.median_seconds)}"
    )
    return (
        f'<g class="flow{"" if forward else " back"}"><title>{escape(told)}</title>'
        f'<path d="M{start[0]:.1f} {start[1]:.1f}C{curve[0]:.1f} {curve[1]:.1f} '
        f'{curve[2]:.1f} {curve[3]:.1f} {end[0]:.1f} {end[1]:.1f}" stroke-width="{thick:.1f}"/>'
        f'<path class="tip" d="{tip}"/>'
        f'<text x="{middle[0]:.1f}" y="{middle[1] + 4:.1f}" text-anchor="middle" '
        f'class="count">{number(flow.count)}</text></g>'
    )
