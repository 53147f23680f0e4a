"""`crossdock run` and `crossdock demo` as a user meets them: what they leave, and how they exit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossdock import db
from crossdock.cli.main import app
from crossdock.simulator.retailer import RetailerPlan, make_retailer, write_retailer
from crossdock.sourcing.policy_files import shipped_policy_text
from tests.integration.orders.shop import BOSTON, Shop

pytestmark = pytest.mark.slow

TINY = RetailerPlan(stores=6, dcs=1, skus=100, orders=25, hours=10.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_retailer(make_retailer(4, TINY), tmp_path_factory.mktemp("retailer"))


def crossdock(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_a_run_ends_with_a_summary_a_report_and_exit_code_0(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    orders, network = files
    out = tmp_path / "out"
    code, told = crossdock(
        "run", "--orders", orders, "--network", network, "--out", out, "--tick", "60"
    )
    assert code == 0, told
    assert "all hold" in told and "Report:" in told
    assert "<svg" in (out / "report.html").read_text(encoding="utf-8")
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["totals"]["closed"] == summary["totals"]["orders"] == TINY.orders
    assert not (out / "rejects.jsonl").exists()
    assert summary["rejects_file"] is None and "rejects.jsonl" not in told
    assert "Every row of the input was taken." in (out / "report.html").read_text(encoding="utf-8")


def test_rows_that_cannot_be_taken_are_named_the_rest_runs_and_the_exit_code_is_1(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    orders, network = files
    rows = orders.read_text(encoding="utf-8").splitlines()
    first = json.loads(rows[0])
    unknown = {**first, "number": "X-1", "lines": [{**first["lines"][0], "sku": "NO-SUCH-SKU"}]}
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_text(
        "\n".join([*rows, json.dumps(unknown), rows[0], '{"channel": "web"']) + "\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    code, told = crossdock(
        "run", "--orders", damaged, "--network", network, "--out", out, "--tick", "60"
    )
    assert code == 1, told
    rejects = [json.loads(r) for r in (out / "rejects.jsonl").read_text("utf-8").splitlines()]
    assert {r["reason"] for r in rejects} == {
        "unknown_reference",
        "doubled_order_number",
        "not_json",
    }
    assert sorted(r["line"] for r in rejects) == [len(rows) + n for n in (1, 2, 3)]
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["totals"]["closed"] == TINY.orders
    assert summary["rejects_file"] == str(out / "rejects.jsonl")


@pytest.mark.parametrize("content", [None, "", "not,an,order,file\n1,2,3,4\n"])
def test_an_input_that_cannot_be_used_is_said_in_a_sentence_and_the_exit_code_is_2(
    content: str | None, tmp_path: Path
) -> None:
    orders = tmp_path / "orders.jsonl"
    if content is not None:
        orders.write_text(content, encoding="utf-8")
    code, told = crossdock("run", "--orders", orders, "--out", tmp_path / "out")
    assert code == 2
    assert "orders.jsonl" in told and "Traceback" not in told


@pytest.mark.parametrize("command", ["run", "demo"])
@pytest.mark.parametrize("out", ["file", "file/sub", "/proc/nowhere", "taken"])
def test_a_folder_that_cannot_hold_the_results_is_refused_before_anything_runs(
    command: str, out: str, files: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "taken" / "report.html").mkdir(parents=True)
    orders = files[0] if command == "run" else "20"
    code, told = crossdock(command, "--orders", orders, "--out", tmp_path / out)
    assert code == 2, told
    assert "--out" in told and "Making up" not in told


def test_a_used_database_is_refused_with_what_helps(
    files: tuple[Path, Path],
    tmp_path: Path,
    database_url: str,
    connection: db.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Shop(connection).stock(BOSTON, mug=1)
    monkeypatch.setenv("CROSSDOCK_DATABASE_URL", database_url)
    code, told = crossdock("run", "--orders", files[0], "--out", tmp_path / "out", "--keep")
    assert code == 2
    assert "holds orders already" in told and "Leave out --keep" in told


def test_an_order_policy_with_a_mistake_is_refused_before_anything_runs(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    policy = tmp_path / "orders.toml"
    policy.write_text("[orders]\nbackorder_days = -1\n")
    code, told = crossdock(
        "run", "--orders", files[0], "--out", tmp_path / "out", "--order-policy", policy
    )
    assert code == 2
    assert "backorder_days" in told and "orders closed" not in told and "loading" not in told
    assert not (tmp_path / "out").exists()


def test_an_unknown_policy_is_refused_before_anything_runs(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    code, told = crossdock(
        "run", "--orders", files[0], "--out", tmp_path / "out", "--policy", "cheapest.toml"
    )
    assert code == 2
    assert "cheapest.toml" in told


def test_a_policy_in_another_currency_than_the_rates_is_refused(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    policy = tmp_path / "ours.toml"
    policy.write_text(shipped_policy_text("default", "EUR"), encoding="utf-8")
    orders, network = files
    code, told = crossdock(
        "run", "--orders", orders, "--network", network, "--out", tmp_path / "out",
        "--policy", policy,
    )  # fmt: skip
    assert code == 2
    assert "is in EUR, the nodes' cost rates in USD" in told and "loading" not in told


def test_a_demo_of_any_size_shows_its_result(tmp_path: Path) -> None:
    code, told = crossdock(
        "demo", "--orders", "30", "--stores", "8", "--out", tmp_path / "demo", "--tick", "120"
    )
    assert code == 0, told
    assert "all hold" in told
    assert (tmp_path / "demo" / "report.html").stat().st_size > 20_000
    asked = told[told.index("over HTTP") :]
    for answer in ("may sell", "there by", "closed", "dearer", "events in all: "):
        assert answer in asked, told


def test_a_configuration_folder_is_run_with_its_own_policies(tmp_path: Path) -> None:
    crossdock("init", tmp_path / "shop")
    policies = tmp_path / "shop" / "policies"
    orders = policies / "orders.toml"
    orders.write_text(
        orders.read_text("utf-8").replace("total_above = ", "total_above = 1 # "), encoding="utf-8"
    )
    out = tmp_path / "out"
    code, told = crossdock(
        "run", "--orders", tmp_path / "shop" / "orders.jsonl", "--network", tmp_path / "shop",
        "--out", out, "--tick", "120",
    )  # fmt: skip
    assert code == 0, told
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["run"]["policy"] == "sourcing.toml"
    held = [fault["count"] for fault in summary["faults"] if fault["name"] == "hold: suspicion"]
    assert held and held[0] > 30, "every order above a cent is looked at"
