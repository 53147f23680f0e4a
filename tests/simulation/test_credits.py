"""Credit notes that name no order: a run counts what became of each."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from crossdock.simulator.run import RunPlan, run_dataset
from crossdock.sourcing.policy_files import shipped_policy_text
from tests.importers.test_online_retail import opened, row


def test_each_kind_of_credit_is_counted_and_none_is_lost(tmp_path: Path, database_url: str) -> None:
    dataset = opened(
        tmp_path,
        row("536365", quantity=3),
        row("536366", quantity=2, customer="13047"),
        row("536367", quantity=4, customer="12583"),
        row("C536368", quantity=-1, at="2010-12-06 09:10:00"),
        row("C536369", quantity=-2, customer="13047", at="2011-01-31 09:00:00"),
        row("C536370", quantity=-6, customer="12583", at="2011-01-31 09:00:00"),
        row("C536371", quantity=-1, customer="99999", at="2011-01-31 09:00:00"),
    )
    plan = RunPlan(
        title="credits",
        orders_file="export.csv",
        network="seed",
        policy=(shipped_policy_text("default", dataset.currency), "default"),
        tick=timedelta(minutes=30),
    )

    outcome = run_dataset(database_url, dataset, plan)

    assert outcome.totals.shipped_units == 8
    assert [(one.name, one.count) for one in outcome.credits] == [
        ("order lines credited in all", 3),
        ("their units", 7),
        ("lines still open: canceled", 1),
        ("their units", 1),
        ("lines on their way: stopped", 0),
        ("their units", 0),
        ("lines gone: return claims", 2),
        ("their units", 6),
        ("lines not answered yet", 0),
        ("their units", 0),
        ("rows of no known purchase: rejected", 1),
        ("rows bought in part: their other units rejected", 1),
    ]
    assert outcome.rejected == 2
    assert outcome.violations == 0
