"""`crossdock explain` as a person uses it."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from crossdock.allocation import policies
from crossdock.catalog import store as catalog
from crossdock.cli.main import app
from crossdock.inventory.model import ShipStock
from crossdock.model.messages import LineQuantity
from crossdock.sourcing.policy_files import shipped_policy_text
from tests.allocation.market import BOSTON, HARTFORD, MONDAY, PROVIDENCE, Market, order, request

WIDE = {"COLUMNS": "250"}


@pytest.fixture
def told(market: Market, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Market:
    """Order 1, known to its channel as W-1, with mugs from Boston; Hartford is left out."""
    monkeypatch.setenv("CROSSDOCK_DATABASE_URL", database_url)
    clocks = [
        replace(node, time_zone="America/New_York")
        for node in catalog.load_nodes(market.connection)
    ]
    catalog.save_nodes(market.connection, clocks)
    for node in (BOSTON, PROVIDENCE, HARTFORD):
        market.receive("mug", 5, node)
    for channel in ("web", "tv"):
        number = 1 if channel == "web" else 2
        market.connection.execute(
            "INSERT INTO sales_order (id, placed_at, total, currency, channel, number, stage)"
            " VALUES (%s, %s, 4000, 'USD', %s, 'W-1', 'open')",
            [order(number), MONDAY, channel],
        )
    wanted = request(1, ("mug", 2), excluded=(HARTFORD,))
    market.accept(wanted)
    market.allocate("east", wanted)
    return market


def test_it_tells_node_cost_runner_up_and_who_was_out(told: Market) -> None:
    shown = CliRunner().invoke(app, ["explain", "W-1", "--channel", "web"], env=WIDE)
    assert shown.exit_code == 0, shown.output
    assert "2 x mug" in shown.output and "freight" in shown.output
    assert f"Runner-up: {PROVIDENCE} for" in shown.output and " more" in shown.output
    assert (
        f"ruled out by the order: failed or declined before, or not the store chosen: {HARTFORD}"
        in shown.output
    )


def test_it_tells_which_lots_the_units_are_of(told: Market) -> None:
    told.receive_lot("old", "tea", 2, BOSTON, date(2026, 12, 1))
    told.receive_lot("new", "tea", 2, BOSTON)
    told.connection.execute(
        "INSERT INTO sales_order (id, placed_at, total, currency, channel, number, stage)"
        " VALUES (%s, %s, 2700, 'USD', 'web', 'W-3', 'open')",
        [order(3), MONDAY],
    )
    wanted = request(3, ("tea", 3))
    told.accept(wanted)
    told.allocate("east", wanted)
    shown = CliRunner().invoke(app, ["explain", "W-3"], env=WIDE).output
    assert f"  {BOSTON}: 2 x tea of old, good until 2026-12-01\n" in shown
    assert f"  {BOSTON}: 1 x tea of new\n" in shown
    plain = CliRunner().invoke(app, ["explain", "web:W-1"], env=WIDE).output
    assert "Of lots" not in plain
    found = json.loads(CliRunner().invoke(app, ["explain", "W-3", "--json"]).output)
    assert [(one["lot"], one["quantity"]) for one in found["lots"]] == [("old", 2), ("new", 1)]
    told.ask(
        ShipStock(
            order_id=order(3), fulfillment_id=order(700), node=BOSTON, shipment_id=order(701),
            lines=(LineQuantity(1, 3),),
        )
    )  # fmt: skip
    told.connection.execute(
        "INSERT INTO shipment (order_id, id, fulfillment_id, shipped_at, amount, node, reference)"
        " VALUES (%s, %s, %s, %s, 2700, %s, 'P-1')",
        [order(3), order(701), order(700), MONDAY, BOSTON],
    )
    told.connection.commit()
    again = CliRunner().invoke(app, ["explain", "W-3"], env=WIDE).output
    assert again == shown, "what left is told as what was kept"


def test_a_policy_that_would_be_refused_today_still_explains(told: Market) -> None:
    told.connection.execute("ALTER TABLE sourcing_policy DISABLE TRIGGER USER")
    told.connection.execute("UPDATE sourcing_policy SET toml = toml || E'\\n[a_table_of_old]\\n'")
    told.connection.commit()
    shown = CliRunner().invoke(app, ["explain", "web:W-1"])
    assert shown.exit_code == 0, shown.output
    assert "Chosen" in shown.output


def test_a_narrow_terminal_cuts_nothing_off(told: Market) -> None:
    shown = CliRunner().invoke(app, ["explain", "web:W-1"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0, shown.output
    assert "\u2026" not in shown.output
    assert f"  {BOSTON}\n" in shown.output
    for row in (
        r"sends +2 x mug",
        r"distance +\d km",
        r"leaves +2026-11-02 by 24:00 \(America/New_York\)",
        r"arrives +2026-11-03",
        r"total +\d+\.\d\d USD",
    ):
        assert re.search(rf"^    {row} *$", shown.output, re.MULTILINE), row


def test_an_order_of_two_nodes_has_a_block_for_each_and_a_total(told: Market) -> None:
    wanted = request(2, ("mug", 1), ("jug", 1))
    told.receive("jug", 1, PROVIDENCE)
    told.lose("mug", 5, PROVIDENCE)
    told.accept(wanted)
    told.allocate("east", wanted)
    shown = CliRunner().invoke(app, ["explain", "tv:W-1"], env={"COLUMNS": "80"})
    costs = re.findall(r"^    total +(\d+\.\d\d) USD", shown.output, re.MULTILINE)
    assert len(costs) == 2, shown.output
    total = sum(map(Decimal, costs))
    assert f"Chosen, for {total} USD in all:" in shown.output


def test_a_cheaper_plan_is_said_to_be_farther_where_the_nearest_comes_first(told: Market) -> None:
    connection = told.connection
    text = shipped_policy_text("nearest")
    policy = policies.load_version(connection, text, "nearest.toml", MONDAY)
    policies.activate(connection, policy.version, MONDAY)
    dear = [
        replace(node, cost_per_order=9_000, cost_currency="USD")
        for node in catalog.load_nodes(connection)
        if node.code == BOSTON
    ]
    catalog.save_nodes(connection, dear)
    connection.commit()
    wanted = request(2, ("mug", 1))
    told.accept(wanted)
    told.allocate("east", wanted)
    shown = CliRunner().invoke(app, ["explain", "tv:W-1"], env={"COLUMNS": "80"})
    assert re.search(f"Runner-up: {PROVIDENCE} for .* USD less, but farther away", shown.output)


def test_an_id_will_do_and_json_names_every_field(told: Market) -> None:
    shown = CliRunner().invoke(app, ["explain", order(1), "--json", "--replay"], env=WIDE)
    assert shown.exit_code == 0, shown.output
    answer = json.loads(shown.output)
    assert answer["order"] == {"id": order(1), "channel": "web", "number": "W-1"}
    (choice,) = answer["decisions"]
    (node,) = choice["decision"]["chosen"]["nodes"]
    assert node["node"] == BOSTON and node["cost"]["total"] == sum(
        units for part, units in node["cost"].items() if part != "total"
    )
    assert choice["decision"]["eliminated"] == {"excluded": [HARTFORD]}
    assert choice["replayed_identically"] is True


def test_two_orders_of_one_number_are_told_apart_by_channel(told: Market) -> None:
    shown = CliRunner().invoke(app, ["explain", "W-1"], env=WIDE)
    assert shown.exit_code == 2 and "tv, web" in shown.output


def test_a_channel_and_a_number_name_an_order_as_in_the_api(told: Market) -> None:
    shown = CliRunner().invoke(app, ["explain", "web:W-1"], env=WIDE)
    assert shown.exit_code == 0 and shown.output.startswith("Order web W-1")
    assert CliRunner().invoke(app, ["explain", "shop:W-1"], env=WIDE).exit_code == 1


def test_an_unknown_order_is_said_to_be_unknown(told: Market) -> None:
    shown = CliRunner().invoke(app, ["explain", "nonsense"], env=WIDE)
    assert shown.exit_code == 1 and "There is no order 'nonsense'" in shown.output


def test_an_order_without_a_decision_says_so(told: Market) -> None:
    shown = CliRunner().invoke(app, ["explain", "W-1", "--channel", "tv"], env=WIDE)
    assert shown.exit_code == 1 and "No node has been chosen" in shown.output


def test_what_stays_open_is_told_with_its_reason(told: Market) -> None:
    wanted = request(2, ("jug", 1), final=True)
    told.accept(wanted)
    told.allocate("east", wanted)
    shown = CliRunner().invoke(app, ["explain", "W-1", "--channel", "tv"], env=WIDE)
    assert "Open: line 1, 1 x jug: too few units; backorder until" in shown.output


def test_every_nodes_part_is_told_when_asked(told: Market) -> None:
    shown = CliRunner().invoke(app, ["explain", order(1), "--nodes"], env=WIDE)
    assert shown.exit_code == 0, shown.output
    table = shown.output[shown.output.index("Every node for line 1: 2 x mug") :]
    for node in (BOSTON, PROVIDENCE, HARTFORD):
        assert node in table
    asked = CliRunner().invoke(app, ["explain", order(1), "--nodes", "--json"], env=WIDE)
    (choice,) = json.loads(asked.output)["decisions"]
    (line,) = choice["nodes"]
    reasons = {one["node"]: one["reason"] for one in line["nodes"]}
    assert (reasons[BOSTON], reasons[HARTFORD]) == (None, "excluded")
