"""Small SVG charts for the report: values in, markup out. No scripts, no outside files.

Colors are CSS custom properties of the page (`--c1`, `--muted`, ...), so that light and dark both
read well; every mark carries a `<title>`, which browsers show when the mouse rests on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

Format = Callable[[float], str]


class Series(NamedTuple):
    """One line of a line chart; `color` names a CSS custom property."""

    name: str
    values: Sequence[float]
    color: str


WIDE = 1100.0
"""A chart as wide as the page; one half as wide has 560: words are of one size in both."""


class Bar(NamedTuple):
    """One row of a bar chart; `note` is written after the value."""

    name: str
    value: float
    note: str = ""
    color: str = "--c1"


class Range(NamedTuple):
    """One row of a range chart: a median and a 90th percentile."""

    name: str
    median: float
    p90: float
    note: str = ""


class Dot(NamedTuple):
    """One place on a map; `size` is relative to the largest, from 0 to 1."""

    longitude: float
    latitude: float
    size: float
    title: str
    color: str


def number(value: float) -> str:
    """1234567 as 1,234,567; fractions only where small numbers need them."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.2g}"


def duration(seconds: float) -> str:
    """Seconds as a person would say them: 45 s, 12 min, 3.5 h, 2.1 d."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            shown = f"{seconds / unit:.1f}".removesuffix(".0")
            return f"{shown} {name}"
    return f"{seconds / 86400:.1f}".removesuffix(".0") + " d"


def _since(seconds: float) -> str:
    """A duration as an axis has it: 0, 12 h, 1 d."""
    if seconds and seconds % 86400 == 0:
        return f"{seconds / 86400:.0f} d"
    return duration(seconds) if seconds else "0"


def svg(kind: str, label: str, width: float, height: float, body: Sequence[str]) -> Markup:
    """The frame of every chart; `kind` is how tests and styles find it."""
    frame = Markup(
        '<svg class="chart" data-chart="{}" role="img" aria-label="{}" viewBox="0 0 {:g} {:g}"'
        ' style="max-width:{:g}px">'
    ).format(kind, label, width, height, width * 1.3)
    # Every word in `body` has gone through `escape` already.
    return frame + Markup("".join(body) + "</svg>")  # noqa: S704


def text(x: float, y: float, words: str, css: str = "", anchor: str = "start") -> str:
    """A text element with its words escaped."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{escape(words)}</text>'
    )


def ticks(highest: float, wanted: int = 4) -> list[float]:
    """Round numbers from 0 to at least `highest`."""
    if highest <= 0:
        return [0.0, 1.0]
    raw = highest / wanted
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(f * magnitude for f in (1, 2, 2.5, 5, 10) if f * magnitude >= raw)
    return [step * i for i in range(math.ceil(highest / step) + 1)]


def line_chart(
    kind: str, label: str, series: Sequence[Series], names: Sequence[str], show: Format = number
) -> Markup:
    """Lines over equally spaced intervals called `names`, with a legend above."""
    width, height, left, right, top, bottom = WIDE, 310.0, 52.0, 14.0, 34.0, 30.0
    steps = ticks(max((max(s.values, default=0) for s in series), default=0))
    inner, tall = width - left - right, height - top - bottom
    count = max(len(names) - 1, 1)

    def x(i: int) -> float:
        return left + inner * i / count

    def y(value: float) -> float:
        return top + tall * (1 - value / steps[-1])

    body: list[str] = []
    for step in steps:
        body.append(
            f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(step):.1f}" '
            f'y2="{y(step):.1f}"/>' + text(left - 8, y(step) + 4, show(step), "axis", "end")
        )
    every = max(1, math.ceil(len(names) / 8))
    for i in range(0, len(names), every):
        body.append(text(x(i), height - 8, names[i], "axis", "middle"))
    for place, one in enumerate(series):
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(one.values))
        if place == 0 and one.values:
            base = f"{x(len(one.values) - 1):.1f},{y(0):.1f} {x(0):.1f},{y(0):.1f}"
            body.append(
                f'<polygon points="{points} {base}" style="fill:var({one.color})" opacity=".1"/>'
            )
        body.append(f'<polyline class="line" points="{points}" style="stroke:var({one.color})"/>')
    body.append(_hover_bands(series, names, x, (top, tall), show))
    body.append(_legend([(one.name, one.color) for one in series], left))
    return svg(kind, label, width, height, body)


def _hover_bands(
    series: Sequence[Series],
    names: Sequence[str],
    x: Callable[[int], float],
    vertical: tuple[float, float],
    show: Format,
) -> str:
    """Invisible columns, each telling all its values when the mouse rests on it."""
    top, tall = vertical
    half = (x(1) - x(0)) / 2 if len(names) > 1 else 20
    bands = []
    for i, name in enumerate(names):
        told = "\n".join(f"{one.name}: {show(one.values[i])}" for one in series)
        bands.append(
            f'<rect class="band" x="{x(i) - half:.1f}" y="{top}" width="{2 * half:.1f}" '
            f'height="{tall}"><title>{escape(name)}\n{escape(told)}</title></rect>'
        )
    return "".join(bands)


def _legend(entries: Sequence[tuple[str, str]], left: float) -> str:
    parts, at = [], left
    for name, color in entries:
        parts.append(
            f'<rect x="{at:.1f}" y="8" width="12" height="12" rx="3" style="fill:var({color})"/>'
            + text(at + 18, 18, name, "legend")
        )
        at += 34 + 7.2 * len(name)
    return "".join(parts)


def histogram(
    kind: str, label: str, shapes: Sequence[tuple[str, str, Sequence[int]]], bin_seconds: float
) -> Markup:
    """Distributions of durations over common bins: (name, color, counts); the last bin is open."""
    width, height, left, right, top, bottom = WIDE, 280.0, 52.0, 14.0, 34.0, 30.0
    bins = max((len(counts) for _, _, counts in shapes), default=1)
    steps = ticks(max((max(counts, default=0) for _, _, counts in shapes), default=0))
    slot, tall = (width - left - right) / bins, height - top - bottom
    body: list[str] = []
    for step in steps:
        at = top + tall * (1 - step / steps[-1])
        body.append(
            f'<line class="grid" x1="{left}" x2="{width - right}" y1="{at:.1f}" y2="{at:.1f}"/>'
            + text(left - 8, at + 4, number(step), "axis", "end")
        )
    bar = (slot - 2) / max(len(shapes), 1)
    for place, (name, color, counts) in enumerate(shapes):
        for i, count in enumerate(counts):
            high = tall * count / steps[-1]
            upper = "or more" if i == len(counts) - 1 else f"to {duration((i + 1) * bin_seconds)}"
            body.append(
                f'<rect x="{left + i * slot + 1 + place * bar:.1f}" y="{top + tall - high:.1f}" '
                f'width="{max(bar - 0.6, 0.6):.1f}" height="{high:.1f}" '
                f'style="fill:var({color})">'
                f"<title>{escape(name)}: {number(count)} took "
                f"{duration(i * bin_seconds)} {upper}</title></rect>"
            )
    every = max(1, math.ceil(bins / 10))
    for i in range(0, bins, every):
        body.append(text(left + i * slot, height - 8, _since(i * bin_seconds), "axis", "middle"))
    body.append(_legend([(name, color) for name, color, _ in shapes], left))
    return svg(kind, label, width, height, body)


def bar_chart(kind: str, label: str, bars: Sequence[Bar], show: Format = number) -> Markup:
    """Horizontal bars with their names on the left and values beside them."""
    row, width, left = 30.0, 560.0, 178.0
    highest = max((abs(bar.value) for bar in bars), default=0) or 1.0
    inner = width - left - 150
    body: list[str] = []
    for i, bar in enumerate(bars):
        top, long = i * row + 4, max(inner * abs(bar.value) / highest, 1.5)
        body.append(
            text(left - 10, top + 15, _shortened(bar.name, 25), "name", "end")
            + f'<rect x="{left}" y="{top}" width="{long:.1f}" height="20" rx="3" '
            f'style="fill:var({bar.color})"><title>{escape(bar.name)}: '
            f"{escape(show(bar.value))} {escape(bar.note)}</title></rect>"
            + text(left + long + 7, top + 15, f"{show(bar.value)} {bar.note}".strip(), "value")
        )
    return svg(kind, label, width, max(len(bars), 1) * row + 4, body)


def range_chart(kind: str, label: str, ranges: Sequence[Range], show: Format = duration) -> Markup:
    """From the median to the 90th percentile on a common square-root scale, one row per step."""
    row, width, left, right = 30.0, 560.0, 178.0, 128.0
    inner = width - left - right
    highest = math.sqrt(max((r.p90 for r in ranges), default=0) or 1.0)
    body: list[str] = []
    for i, one in enumerate(ranges):
        middle = i * row + 15
        start = left + inner * math.sqrt(one.median) / highest
        end = left + inner * math.sqrt(one.p90) / highest
        body.append(
            text(left - 10, middle + 4, _shortened(one.name, 25), "name", "end")
            + f'<line class="grid" x1="{left}" x2="{left + inner}" y1="{middle}" y2="{middle}"/>'
            f'<line class="span" x1="{start:.1f}" x2="{end:.1f}" y1="{middle}" y2="{middle}"/>'
            f'<circle class="median" cx="{start:.1f}" cy="{middle}" r="6"/>'
            f'<circle class="p90" cx="{end:.1f}" cy="{middle}" r="4.5"/>'
            f'<rect class="band" x="{left}" y="{middle - 14}" width="{inner}" height="28"><title>'
            f"{escape(one.name)}: median {show(one.median)}, 90 % within {show(one.p90)} "
            f"({escape(one.note)})</title></rect>"
            + text(width - 2, middle + 4, f"{show(one.median)} · {show(one.p90)}", "value", "end")
        )
    return svg(kind, label, width, max(len(ranges), 1) * row + 2, body)


def map_chart(
    kind: str,
    label: str,
    dots: Sequence[Dot],
    backdrop: Sequence[tuple[float, float]],
    legend: Sequence[tuple[str, str]],
) -> Markup:
    """Places by longitude and latitude; `backdrop` is (latitude, longitude) drawn faintly."""
    width, top = WIDE, 30.0
    longitudes = [d.longitude for d in dots] or [p[1] for p in backdrop]
    latitudes = [d.latitude for d in dots] or [p[0] for p in backdrop]
    if not longitudes:
        body = [text(width / 2, 40, "No node has coordinates.", "legend", "middle")]
        return svg(kind, label, width, 60, body)
    # The nodes and their surroundings: a few customers overseas must not shrink the rest.
    west, east = _surroundings(longitudes, [p[1] for p in backdrop])
    south, north = _surroundings(latitudes, [p[0] for p in backdrop])
    squeeze = math.cos(math.radians((south + north) / 2))
    scale = min((width - 40) / ((east - west) * squeeze), 500 / (north - south))
    height = top + (north - south) * scale + 30
    left = (width - (east - west) * squeeze * scale) / 2

    def place(latitude: float, longitude: float) -> tuple[float, float]:
        return left + (longitude - west) * squeeze * scale, top + 8 + (north - latitude) * scale

    def inside(latitude: float, longitude: float) -> bool:
        return west <= longitude <= east and south <= latitude <= north

    land = "".join("M{:.0f} {:.0f}h0".format(*place(*p)) for p in backdrop if inside(*p))
    body = [f'<path class="land" d="{land}"/>']
    for dot in sorted(dots, key=lambda d: -d.size):
        if inside(dot.latitude, dot.longitude):
            x, y = place(dot.latitude, dot.longitude)
            body.append(
                f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{2.2 + 15 * dot.size**0.5:.1f}" '
                f'style="fill:var({dot.color})"><title>{escape(dot.title)}</title></circle>'
            )
    body.append(_legend(legend, 20))
    outside = sum(not inside(dot.latitude, dot.longitude) for dot in dots)
    if outside:
        told = f"{outside} of {len(dots)} nodes lie beyond this map"
        body.append(text(width - 10, height - 12, told, "legend", "end"))
    return svg(kind, label, width, height, body)


def _surroundings(nodes: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """The range of all but the outermost hundredths of the nodes, widened a little to others."""
    ordered = sorted(nodes)
    cut = len(ordered) // 100
    low, high = ordered[cut], ordered[-1 - cut]
    reach = max((high - low) * (0.15 if cut else 0.5), 1.0)
    near = [value for value in (*others, *nodes) if low - reach <= value <= high + reach]
    low, high = min(near, default=low), max(near, default=high)
    margin = max((high - low) * 0.04, 0.2)
    return low - margin, high + margin


def _shortened(words: str, limit: int) -> str:
    return words if len(words) <= limit else words[: limit - 1] + "…"
