"""The report is one sound page that needs nothing but itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from crossdock.simulator.charts import duration, number, ticks
from crossdock.simulator.outcome import Checked, Stuck, Totals
from crossdock.simulator.report import render, write_report
from tests.simulation.outcomes import an_outcome

CHARTS = {
    "over-time",
    "cycle-times",
    "steps",
    "cost",
    "node-map",
    "busiest",
    "cancellations",
    "process-map",
}
VOID = {"meta", "br", "hr", "img", "input", "link"}
DRAWN = {"rect", "line", "circle", "polyline", "polygon", "path"}


class Page(HTMLParser):
    """Collects charts and addresses, and insists that every element is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.charts: dict[str, int] = {}
        self.addresses: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        told = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if "data-chart" in told:
            self.inside = str(told["data-chart"])
            self.charts.setdefault(self.inside, 0)
        if tag in DRAWN and self.inside:
            self.charts[self.inside] += 1
        self.addresses += [str(told[a]) for a in ("src", "href", "action") if a in told]

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"
        if tag == "svg":
            self.inside = ""


@pytest.fixture(scope="module")
def page() -> Page:
    parser = Page()
    parser.feed(render(an_outcome()))
    parser.close()
    return parser


def test_every_chart_is_there_and_draws_something(page: Page) -> None:
    assert set(page.charts) == CHARTS
    assert [kind for kind, marks in page.charts.items() if not marks] == []


def test_every_element_is_closed(page: Page) -> None:
    assert page.open == []


def test_the_page_asks_for_nothing_outside_itself(page: Page) -> None:
    assert page.addresses == []
    assert not re.search(r"https?://|url\(|@import|<script", render(an_outcome()))


def test_words_of_the_data_are_never_markup() -> None:
    text = render(an_outcome())
    assert "<b>customer</b>" not in text
    assert "&lt;b&gt;customer&lt;/b&gt;" in text


def test_a_broken_invariant_and_a_stuck_order_are_shown_as_bad() -> None:
    broken = msgspec.structs.replace(
        an_outcome(),
        invariants=(Checked(name="units", rule="Units of a line sum up.", violations=2),),
        stuck=(Stuck(order="web 9", reason="waits for a reply"),),
    )
    text = render(broken)
    assert "3 broken" in text and "waits for a reply" in text
    assert "3 broken" not in render(an_outcome())


def test_rows_that_were_taken_and_rows_that_were_not_are_told_apart() -> None:
    some = an_outcome()
    none = msgspec.structs.replace(some, rejects=(), rejects_file=None)
    unwritten = msgspec.structs.replace(some, rejects_file=None)
    all_taken = "Every row of the input was taken."
    assert all_taken in render(none)
    assert all_taken not in render(some) and "rejects.jsonl" in render(some)
    assert all_taken not in render(unwritten)


def test_a_run_without_orders_still_has_a_report(tmp_path: Path) -> None:
    empty = msgspec.structs.replace(
        an_outcome(),
        totals=Totals(**dict.fromkeys(Totals.__struct_fields__, 0)),
        cost=(),
        cancellations=(),
        steps=(),
        histograms=(),
        intervals=(),
        nodes=(),
        destinations=(),
        maps=(),
        decisions=(),
    )
    write_report(empty, tmp_path / "report.html")
    assert "No node has coordinates" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (89, "89 s"), (90, "1.5 min"), (7200, "2 h"), (2e5, "2.3 d")]
)
def test_durations_are_told_as_a_person_would(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_axis_steps_are_round_and_reach_the_highest_value() -> None:
    assert ticks(37) == [0, 10, 20, 30, 40]
    assert ticks(0) == [0.0, 1.0]
    assert number(1234567) == "1,234,567"
