"""A whole retailer in small: every kind of trouble at once, and every order comes to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import pytest

from crossdock import db
from crossdock.simulator import figures_store
from crossdock.simulator.carriers import CarrierHabits
from crossdock.simulator.cast import Habits
from crossdock.simulator.demand import Mix
from crossdock.simulator.outcome import Outcome
from crossdock.simulator.ports import Moods
from crossdock.simulator.report import render
from crossdock.simulator.retailer import RetailerPlan, make_retailer
from crossdock.simulator.run import RunPlan, run_dataset
from crossdock.simulator.staff import StaffHabits
from crossdock.sourcing.policy_files import shipped_policy_text
from tests.conftest import temporary_database

pytestmark = pytest.mark.slow

SEED = 20261127
SMALL = RetailerPlan(
    stores=24,
    dcs=1,
    skus=120,
    orders=250,
    hours=30.0,
    mix=Mix(
        bad_address=0.02,
        suspicious=0.02,
        cancel=0.06,
        cancel_part=0.04,
        repeated=0.03,
        substitutes=0.3,
    ),
)
TROUBLE = Habits(
    staff=StaffHabits(decline_probability=0.06, silence_probability=0.02, failure_factor=2.5),
    carriers=CarrierHabits(lost_probability=0.02, late_probability=0.1),
    moods=Moods(payment_refuses=0.04, fails=0.05, loses_answer=0.05, erp_down_after_hours=10.0),
)


class Story(NamedTuple):
    """What a run told, and what it left in the tables."""

    outcome: Outcome
    rows: list[tuple[object, ...]]


def run_small(url: str, workers: int = 1, seed: int = SEED) -> Story:
    plan = RunPlan(
        title="small",
        orders_file="seed",
        network="seed",
        policy=(shipped_policy_text("default"), "default"),
        seed=seed,
        tick=timedelta(hours=2),
        workers=workers,
        habits=TROUBLE,
    )
    outcome = run_dataset(url, make_retailer(seed, SMALL), plan)
    with contextlib.closing(db.connect(url)) as connection:
        return Story(outcome, figures_store.outcome_rows(connection))


@pytest.fixture(scope="module")
def story(server_url: str, template_database: str) -> Iterator[Story]:
    print(f"seed {SEED}")
    with temporary_database(server_url, template_database) as url:
        yield run_small(url)


def test_every_order_comes_to_its_end_and_nothing_is_broken(story: Story) -> None:
    outcome = story.outcome
    assert outcome.stuck == ()
    assert [check for check in outcome.invariants if check.violations] == []
    assert outcome.totals.orders == outcome.totals.closed == SMALL.orders
    assert outcome.totals.open_units == 0
    assert outcome.totals.shipped_units + outcome.totals.canceled_units == outcome.totals.units
    assert sum(reason.count for reason in outcome.cancellations) == outcome.totals.canceled_units


def test_every_effect_is_done_once_however_often_it_was_asked_for(story: Story) -> None:
    effects = story.outcome.effects
    assert {(e.connector, e.operation) for e in effects} >= {
        ("payment", "authorize"),
        ("payment", "capture"),
        ("payment", "void"),
        ("erp", "post"),
        ("notification", "notify"),
        ("carrier", "intercept"),
    }
    assert [e for e in effects if e.doubled or e.done != e.asked] == []
    assert sum(e.calls for e in effects) > sum(e.done for e in effects), "nothing ever failed"


def test_all_kinds_of_trouble_happened(story: Story) -> None:
    happened = {fault.name for fault in story.outcome.faults}
    assert happened >= {
        "node declines",
        "node stays silent",
        "pick falls short",
        "parcel lost",
        "carrier is late",
        "customer cancels",
        "customer cancels part",
        "order sent twice",
        "payment loses its answer",
        "erp asks to come again",
        "hold: address",
        "hold: suspicion",
        "recall answered",
    }


def test_most_of_what_was_wanted_was_shipped_in_spite_of_it(story: Story) -> None:
    totals = story.outcome.totals
    assert totals.shipped_orders > 0.8 * SMALL.orders
    assert totals.canceled_orders > 0
    assert totals.split_orders > 0
    assert totals.substituted_units > 0
    assert {amount.name for amount in story.outcome.cost} >= {"freight", "handling"}


def test_the_report_shows_the_run(story: Story) -> None:
    page = render(story.outcome)
    for process in ("order-to-fulfillment", "fulfillment"):
        assert f"What really happened: {process}" in page
    assert "all hold" in page


def test_the_number_of_workers_changes_nothing_at_all(
    story: Story, server_url: str, template_database: str
) -> None:
    with temporary_database(server_url, template_database) as url:
        again = run_small(url, workers=2)
    assert len(story.rows) > 2 * SMALL.orders
    assert again.rows == story.rows, f"seed {SEED}"
    assert again.outcome.totals == story.outcome.totals
    assert again.outcome.effects == story.outcome.effects
