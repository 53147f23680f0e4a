"""The report of a run: one HTML page that needs nothing but itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from crossdock.simulator import charts
from crossdock.simulator.charts import Bar, Dot, Range, Series, duration, number
from crossdock.simulator.flow_map import flow_map
from crossdock.simulator.outcome import NodeLoad, Outcome

KINDS = (
    ("Distribution center", "--c3", ("dc", "3pl")),
    ("Store", "--c1", ("store",)),
    ("Other", "--c5", ("dark_store", "vendor")),
)


class Card(NamedTuple):
    """One headline figure. `tone` is good, bad or plain."""

    name: str
    value: str
    note: str
    tone: str = "plain"


def write_report(outcome: Outcome, file: Path) -> None:
    """Write the page; the folder must exist."""
    file.write_text(render(outcome), encoding="utf-8")


def render(outcome: Outcome) -> str:
    """The whole page as text."""
    environment = Environment(
        loader=PackageLoader("crossdock.simulator"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, duration=duration, percent=percent)
    return environment.get_template("report.html.j2").render(
        o=outcome, cards=cards(outcome), charts=drawings(outcome), money=money_of(outcome)
    )


def percent(fraction: float | None) -> str:
    """0.9734 as 97.3 %; a dash where there was nothing to measure."""
    return "–" if fraction is None else f"{fraction * 100:.1f} %"


def cards(o: Outcome) -> list[Card]:
    """The headline figures, in the order of the page."""
    money = money_of(o)
    span = (o.run.ended - o.run.started).total_seconds()
    delivered = next((s for s in o.steps if s.name == "placed to delivered"), None)
    shipped = o.totals.shipped_orders or 1
    effects = sum(e.done for e in o.effects)
    doubled = sum(e.doubled for e in o.effects)
    substituted = o.totals.substituted_units
    return [
        Card(
            "Orders",
            number(o.totals.orders),
            f"{number(o.totals.lines)} lines, {number(o.totals.units)} units",
        ),
        Card(
            "Throughput",
            f"{number(o.totals.orders / o.run.wall_seconds)} /s",
            f"{duration(o.run.wall_seconds)} for {duration(span)} of business",
        ),
        Card(
            "Fill rate",
            percent(o.totals.fill_rate),
            "shipped of the units wanted"
            + (f"; {number(substituted)} as substitutes" if substituted else ""),
        ),
        Card(
            "Canceled whole",
            percent(o.totals.canceled_orders / (o.totals.orders or 1)),
            f"{number(o.totals.canceled_orders)} orders; "
            f"{number(o.totals.canceled_units)} units in all, "
            f"{number(o.totals.unsupplied_units)} not to be had",
        ),
        Card(
            "Split rate", percent(o.totals.split_rate), "shipped orders in more than one shipment"
        ),
        Card(
            "On time",
            percent(o.totals.on_time_rate),
            "delivered by the first promise"
            if o.totals.promised_groups
            else "nothing was promised",
        ),
        Card(
            "Cost per order",
            money(o.cost_minor / shipped),
            f"shipped orders; {percent(o.cost_minor / o.totals.value_minor)} of their value"
            if o.totals.value_minor
            else "shipped orders",
        ),
        Card(
            "To the doorstep",
            duration(delivered.median_seconds) if delivered else "–",
            f"median; 90 % within {duration(delivered.p90_seconds)}" if delivered else "",
        ),
        Card(
            "Effects",
            number(effects),
            "each done once" if not doubled else f"{number(doubled)} doubled",
            "bad" if doubled else "good",
        ),
        Card(
            "Invariants",
            "all hold" if not o.violations else f"{number(o.violations)} broken",
            f"{len(o.invariants)} rules, {len(o.stuck)} orders stuck",
            "bad" if o.violations else "good",
        ),
    ]


def drawings(o: Outcome) -> dict[str, Markup]:
    """Every chart of the page by name."""
    money = money_of(o)
    shipped = o.totals.shipped_orders or 1
    return {
        "over_time": _over_time(o),
        "cycle": charts.histogram(
            "cycle-times",
            "How long orders took",
            [
                (shape.name, color, shape.counts)
                for shape, color in zip(o.histograms, ("--c2", "--c1"), strict=False)
            ],
            o.histograms[0].bin_seconds if o.histograms else 3600,
        ),
        "steps": charts.range_chart(
            "steps",
            "Median and 90th percentile per step",
            [
                Range(s.name, s.median_seconds, s.p90_seconds, f"{number(s.count)} measured")
                for s in o.steps
            ],
        ),
        "map": _node_map(o),
        "cost": charts.bar_chart(
            "cost",
            "Cost per shipped order by part",
            [
                Bar(
                    a.name,
                    a.minor / shipped,
                    _share(a.minor, o.cost_minor),
                    "--c3" if a.minor >= 0 else "--c2",
                )
                for a in sorted(o.cost, key=lambda a: -a.minor)
            ],
            money,
        ),
        "cancellations": charts.bar_chart(
            "cancellations",
            "Canceled units by reason",
            [
                Bar(c.name, c.count, _share(c.count, o.totals.units), "--c4")
                for c in sorted(o.cancellations, key=lambda c: -c.count)[:12]
            ],
        ),
        "busiest": charts.bar_chart(
            "busiest",
            "Busiest nodes",
            [
                Bar(n.id, n.units, "units", _color(n))
                for n in sorted(o.nodes, key=lambda n: -n.units)[:10]
            ],
        ),
        **{f"process {m.process}": flow_map(m) for m in o.maps},
    }


def _over_time(o: Outcome) -> Markup:
    if len(o.intervals) > 1:
        width = o.intervals[1].start - o.intervals[0].start
    else:
        width = timedelta(days=1)
    return charts.line_chart(
        "over-time",
        "Orders placed, shipped, delivered and canceled",
        [
            Series("placed", [i.placed for i in o.intervals], "--c1"),
            Series("shipped", [i.shipped for i in o.intervals], "--c2"),
            Series("delivered", [i.delivered for i in o.intervals], "--c5"),
            Series("canceled", [i.canceled for i in o.intervals], "--c4"),
        ],
        [_moment(i.start, width) for i in o.intervals],
    )


def _moment(at: datetime, width: timedelta) -> str:
    return at.strftime("%d %b %Y" if width >= timedelta(days=1) else "%d %b %H:%M")


def _node_map(o: Outcome) -> Markup:
    busiest = max((n.units for n in o.nodes), default=0) or 1
    dots = [
        Dot(
            n.longitude,
            n.latitude,
            n.units / busiest,
            f"{n.id} ({n.kind}): {number(n.fulfillments)} fulfillments, {number(n.units)} units, "
            f"{number(n.short_units)} not found",
            _color(n),
        )
        for n in o.nodes
        if n.latitude is not None and n.longitude is not None
    ]
    present = {_color(n) for n in o.nodes}
    legend = [(name, color) for name, color, _ in KINDS if color in present]
    return charts.map_chart(
        "node-map",
        "Units fulfilled by node",
        dots,
        o.destinations,
        [*legend, ("destinations", "--land")],
    )


def _color(node: NodeLoad) -> str:
    return next((color for _, color, kinds in KINDS if node.kind in kinds), "--c5")


def _share(part: float, whole: float) -> str:
    return f"({part / whole * 100:.1f} %)" if whole else ""


class _Money:
    """Minor units as a person reads them, with the currency's digits."""

    def __init__(self, currency: str, digits: int) -> None:
        self.currency, self.digits = currency, digits

    def __call__(self, minor: float) -> str:
        return f"{minor / 10**self.digits:,.{self.digits}f} {self.currency}"


def money_of(o: Outcome) -> _Money:
    """Writes amounts in the currency of the run."""
    return _Money(o.run.currency, o.run.minor_digits)
