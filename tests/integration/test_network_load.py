"""A network on disk becomes the master data of a database, with its stock at first."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossdock import db
from crossdock.allocation.policies import PolicyShelf
from crossdock.catalog.store import load_network
from crossdock.cli.main import app


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_the_starter_is_loaded_and_loaded_again_without_touching_its_stock(
    tmp_path: Path, database_url: str, connection: db.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSDOCK_DATABASE_URL", database_url)
    run("init", str(tmp_path / "shop"))

    first = run("network", "load", str(tmp_path / "shop"))

    network = load_network(connection)
    stock = connection.execute("SELECT sum(sellable) FROM stock_level").fetchone()
    connection.rollback()
    assert "6 nodes, 21 products and 2 channels" in first and stock is not None
    assert {node.code for node in network.nodes} >= {"dc-columbus", "store-boston"}
    assert "the stock stays as it is" in run("network", "load", str(tmp_path / "shop"))
    assert connection.execute("SELECT sum(sellable) FROM stock_level").fetchone() == stock
    assert "invariants hold" in run("check")


def test_rates_in_a_currency_of_no_policy_in_force_are_told(
    tmp_path: Path, database_url: str, connection: db.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSDOCK_DATABASE_URL", database_url)
    run("init", str(tmp_path / "shop"))
    assert "take part in no plan" not in run("network", "load", str(tmp_path / "shop"))
    PolicyShelf().active(connection, datetime(2026, 11, 2, tzinfo=UTC))
    connection.commit()
    assert "take part in no plan" not in run("network", "load", str(tmp_path / "shop"))

    nodes = tmp_path / "shop" / "network" / "nodes.toml"
    nodes.write_text(nodes.read_text().replace('"USD"', '"EUR"', 1))

    said = run("network", "load", str(tmp_path / "shop"))
    assert "cost rates in EUR take part in no plan" in said and "USD" not in said


def test_a_network_with_mistakes_changes_nothing(
    tmp_path: Path, database_url: str, connection: db.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSDOCK_DATABASE_URL", database_url)
    run("init", str(tmp_path / "shop"))
    nodes = tmp_path / "shop" / "network" / "nodes.toml"
    nodes.write_text(nodes.read_text().replace('allocation_zone = "us"', 'allocation_zone = "eu"'))

    result = CliRunner().invoke(app, ["network", "load", str(tmp_path / "shop")])

    assert result.exit_code != 0 and "problems" in result.output
    assert load_network(connection).nodes == ()
