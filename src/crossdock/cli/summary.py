"""The summary of a run in the terminal: the same figures as the report, without the pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from crossdock.simulator.charts import duration, number
from crossdock.simulator.outcome import Counted, Outcome
from crossdock.simulator.report import cards, money_of, percent

MOST_REASONS = 8
TONES = {"good": "bold green", "bad": "bold red", "plain": "bold"}


def print_summary(console: Console, outcome: Outcome, report: Path | None) -> None:
    """Everything a run has to say, headline first and the way to the report last."""
    console.print()
    console.print(
        Panel(_headlines(outcome), title=Text(outcome.run.title), title_align="left", padding=1)
    )
    for left, right in (
        (_steps(outcome), _cost(outcome)),
        (
            _counted("Canceled units by reason", outcome.cancellations, outcome.totals.units),
            _counted("What was thrown at it", outcome.faults),
        ),
        (_effects(outcome), _provenance(outcome)),
        (_checks(outcome), _rejects(outcome)),
    ):
        _side_by_side(console, left, right)
    if outcome.credits:
        _side_by_side(console, _credits(outcome), None)
    for stuck in outcome.stuck[:MOST_REASONS]:
        console.print(f"  stuck: {stuck.order}: {stuck.reason}", style="red")
    if outcome.rejects_file:
        console.print(f"Rows not taken, each with its reason: {outcome.rejects_file}")
    if report is not None:
        console.print(f"Report: {report}", style="bold", soft_wrap=True)


def _headlines(outcome: Outcome) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for card in cards(outcome):
        table.add_row(card.name, Text(card.value, TONES[card.tone]), Text(card.note, "dim"))
    return table


def _side_by_side(console: Console, left: RenderableType, right: RenderableType | None) -> None:
    """Two tables in one row where the terminal is wide enough."""
    pair = [one for one in (left, right) if one is not None]
    if console.width >= 120 and len(pair) == 2:
        grid = Table.grid(padding=(0, 4))
        grid.add_row(*pair)
        console.print(Padding(grid, (1, 0, 0, 0)))
    else:
        console.print(Padding(Group(*pair), (1, 0, 0, 0)))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", header_style="dim")
    return table


def _steps(outcome: Outcome) -> Table:
    table = _table("Cycle times", "step", "median", "90 % within", "measured")
    for step in outcome.steps:
        table.add_row(
            step.name,
            duration(step.median_seconds),
            duration(step.p90_seconds),
            number(step.count),
        )
    return table


def _cost(outcome: Outcome) -> Table:
    money = money_of(outcome)
    shipped = outcome.totals.shipped_orders or 1
    table = _table("Cost per shipped order", "part", "amount", "share")
    for part in sorted(outcome.cost, key=lambda part: -part.minor):
        share = percent(part.minor / outcome.cost_minor) if outcome.cost_minor else ""
        table.add_row(part.name, money(part.minor / shipped), share)
    return table


def _counted(title: str, counts: Sequence[Counted], whole: int = 0) -> Table:
    table = _table(title, "", "count", "share" if whole else "")
    share: Callable[[int], str] = lambda n: percent(n / whole) if whole else ""  # noqa: E731
    for one in sorted(counts, key=lambda one: -one.count)[:MOST_REASONS]:
        table.add_row(one.name, number(one.count), share(one.count))
    if not counts:
        table.add_row("none", "", "")
    return table


def _effects(outcome: Outcome) -> Table:
    table = _table("Effects outside", "effect", "asked for", "done", "calls", "done twice")
    for one in outcome.effects:
        twice = Text(str(one.doubled), "bold red" if one.doubled else "")
        name = f"{one.connector} {one.operation}"
        table.add_row(name, number(one.asked), number(one.done), number(one.calls), twice)
    return table


def _provenance(outcome: Outcome) -> Table:
    table = _table("Real and filled", "what", "source")
    table.columns[1].justify = "left"
    for one in outcome.provenance:
        mark = ("real   ", "green") if one.real else ("filled ", "yellow")
        table.add_row(one.what, Text.assemble(mark, one.source))
    return table


def _checks(outcome: Outcome) -> Table:
    broken = [check for check in outcome.invariants if check.violations]
    if not broken:
        table = _table("Invariants", "", "")
        table.add_row("checked, and they hold", number(len(outcome.invariants)))
        return table
    table = _table("Invariants", "broken rule", "rows")
    for check in broken:
        table.add_row(
            Text.assemble((check.name, "red"), f": {check.rule}"), number(check.violations)
        )
    return table


def _rejects(outcome: Outcome) -> Table:
    table = _table("Rows not taken", "reason", "rows")
    for one in outcome.rejects:
        table.add_row(one.name, number(one.count))
    if not outcome.rejects:
        table.add_row("none", "")
    return table


def _credits(outcome: Outcome) -> Table:
    table = _table("Credits that name no order", "matched by customer, SKU and price", "count")
    for one in outcome.credits:
        table.add_row(one.name, number(one.count))
    return table
