"""On which days a node's work leaves, on its own clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from crossdock.sourcing.departures import Departures
from crossdock.sourcing.network import Network
from crossdock.sourcing.policy import Calendar
from tests.sourcing.world import day, decide, node, order, policy, stock

NINE_TO_NINE = ((540, 1260),) * 7
NOT_ON_SUNDAY = (*NINE_TO_NINE[:6], None)


def leaving(at: datetime, service: str = "standard", wait: int = 3, **facts: Any) -> list[date]:
    network = Network([node("soho", time_zone="America/New_York", **facts)])
    [days] = Departures(network, service, at, wait).days
    return [date.fromordinal(one) for one in days]


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}-05:00")


def test_before_the_cut_off_work_leaves_today() -> None:
    found = leaving(new_york("11-03T13:59"), cut_offs={"*": (840,) * 7}, hours=NINE_TO_NINE, wait=1)
    assert found == [day("11-03"), day("11-04")]


def test_from_the_cut_off_on_work_leaves_tomorrow() -> None:
    found = leaving(new_york("11-03T14:00"), cut_offs={"*": (840,) * 7}, hours=NINE_TO_NINE, wait=1)
    assert found == [day("11-04")]


def test_a_services_own_cut_off_goes_before_the_one_for_all() -> None:
    cut_offs = {"*": (840,) * 7, "express": (1020,) * 7}
    at = new_york("11-03T16:00")
    assert leaving(at, "express", cut_offs=cut_offs)[0] == day("11-03")
    assert leaving(at, "standard", cut_offs=cut_offs)[0] == day("11-04")


def test_on_a_day_without_a_pickup_work_is_done_but_does_not_leave() -> None:
    on_weekdays = {"*": ((840,) * 5 + (None, None))}
    saturday = new_york("11-07T10:00")
    facts: dict[str, Any] = {"cut_offs": on_weekdays, "hours": NINE_TO_NINE}
    assert leaving(saturday, **facts) == [day("11-09"), day("11-10")]
    friday = new_york("11-06T15:00")
    assert leaving(friday, lead_days=2, **facts)[0] == day("11-09"), "two working days later"


def test_each_weekday_has_its_own_last_pickup() -> None:
    cut_offs = {"*": (*(1020,) * 5, 720, None)}
    facts: dict[str, Any] = {"cut_offs": cut_offs, "hours": NINE_TO_NINE}
    assert leaving(new_york("11-07T11:59"), **facts)[0] == day("11-07")
    assert leaving(new_york("11-07T12:00"), **facts)[0] == day("11-09")
    assert leaving(new_york("11-09T16:59"), **facts)[0] == day("11-09")


def test_a_special_day_has_hours_of_its_own() -> None:
    special = {day("12-24"): (540, 780), day("11-08"): (600, 900)}
    facts: dict[str, Any] = {"special_hours": special, "hours": NOT_ON_SUNDAY}
    assert leaving(new_york("12-24T14:00"), **facts)[0] == day("12-25")
    assert leaving(new_york("11-08T09:00"), **facts)[0] == day("11-08"), "open on a Sunday, once"
    network = Network([node("soho", time_zone="America/New_York", **facts)])
    departures = Departures(network, "standard", new_york("12-24T10:00"), 3)
    assert departures.ship_by(0, day("12-24").toordinal()) == new_york("12-24T13:00")


def test_the_day_is_the_nodes_and_not_greenwichs() -> None:
    # 02:00 UTC on Wednesday is 21:00 on Tuesday.
    assert leaving(datetime(2026, 11, 4, 2, tzinfo=UTC))[0] == day("11-03")


def test_before_it_opens_a_node_still_sends_today() -> None:
    assert leaving(new_york("11-03T06:00"), hours=NINE_TO_NINE)[0] == day("11-03")


def test_closed_weekdays_and_holidays_are_skipped() -> None:
    saturday_evening = new_york("11-07T21:30")
    found = leaving(saturday_evening, hours=NOT_ON_SUNDAY, closures=(day("11-09"),))
    assert found == [day("11-10")]


def test_a_node_that_stays_closed_beyond_the_wait_sends_nothing() -> None:
    assert leaving(new_york("11-07T21:30"), hours=NOT_ON_SUNDAY, wait=1) == []


def test_lead_days_are_open_days() -> None:
    found = leaving(new_york("11-06T10:00"), hours=NOT_ON_SUNDAY, lead_days=2, wait=0)
    assert found == [day("11-09")], "Friday and Saturday are worked, on Monday it leaves"


@pytest.mark.parametrize(
    ("at", "holds_until"),
    [("11-03T10:00", "11-03T14:00"), ("11-03T15:00", "11-04T00:00")],
)
def test_the_answer_holds_until_the_next_cut_off_or_midnight(at: str, holds_until: str) -> None:
    network = Network([node("soho", time_zone="America/New_York", cut_offs={"*": (840,) * 7})])
    found = Departures(network, "standard", new_york(at), 3)
    end = new_york(holds_until)
    assert found.holds_at(end - timedelta(seconds=1))
    assert not found.holds_at(end)


def test_ship_by_is_the_cut_off_in_utc_also_when_clocks_change() -> None:
    network = Network([node("soho", time_zone="America/New_York", cut_offs={"*": (840,) * 7})])
    departures = Departures(network, "standard", new_york("10-31T12:00"), 3)
    saturday, sunday = day("10-31").toordinal(), day("11-01").toordinal()
    assert departures.ship_by(0, saturday) == datetime(2026, 10, 31, 18, tzinfo=UTC)
    assert departures.ship_by(0, sunday) == datetime(2026, 11, 1, 19, tzinfo=UTC)


def test_parcels_do_not_move_on_weekends() -> None:
    friday = new_york("11-06T12:00")
    soho = node("soho", time_zone="America/New_York")
    demand = order(("lamp", 1), to="los-angeles")
    [decision] = decide([demand], stock({"lamp": {"soho": 1}}), [soho], now=friday)
    [share] = decision.chosen.nodes
    assert (share.ship_on, share.arrive_on) == (day("11-06"), day("11-13"))


def test_a_second_batch_after_the_cut_off_leaves_a_day_later() -> None:
    from crossdock.sourcing.planner import Planner
    from tests.sourcing.world import sku

    soho = node("soho", time_zone="America/New_York", cut_offs={"*": (840,) * 7})
    planner = Planner(Network([soho]), policy(calendar=Calendar(max_wait_days=2)))
    ask = ([order(("lamp", 1))], stock({"lamp": {"soho": 1}}), {"lamp": sku("lamp")})
    leaves = [
        planner.plan(*ask, new_york(at))[0].chosen.nodes[0].ship_on
        for at in ("11-03T13:00", "11-03T14:30")
    ]
    assert leaves == [day("11-03"), day("11-04")]
