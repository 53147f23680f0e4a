"""What sourcing is told of a node: everything its record says about time and money."""

from __future__ import annotations

from datetime import date, time

from crossdock.allocation.facts import node_facts
from crossdock.catalog.model import CutOff, Node, NodeKind, Opening, SpecialDay


def test_hours_pickups_and_rates_of_a_record_are_facts() -> None:
    record = Node(
        code="soho",
        kind=NodeKind.STORE,
        name="SoHo",
        country="US",
        time_zone="America/New_York",
        latitude=40.72,
        longitude=-74.0,
        openings=tuple(Opening(weekday=n, opens=time(9), closes=time(20)) for n in range(1, 6)),
        special_days=(
            SpecialDay(day=date(2026, 12, 24), opens=time(9), closes=time(13)),
            SpecialDay(day=date(2026, 12, 25)),
        ),
        cut_offs=(
            CutOff(service="*", at=time(15), carrier="ups"),
            CutOff(service="*", at=time(17), carrier="fedex"),
            CutOff(service="*", at=time(12), weekdays=(6,)),
        ),
        cost_currency="USD",
        cost_per_order=100,
        cost_per_line=25,
        cost_per_unit=18,
    )
    facts = node_facts(record)
    assert facts.hours == (*((540, 1200),) * 5, None, None)
    assert facts.closures == (date(2026, 12, 25),)
    assert facts.special_hours == {date(2026, 12, 24): (540, 780)}
    assert facts.cut_offs == {"*": (*(1020,) * 5, 720, None)}
    rates = facts.handling_order_minor, facts.handling_line_minor, facts.handling_unit_minor
    assert facts.currency == "USD" and rates == (100, 25, 18)
