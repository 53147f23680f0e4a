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
    lots = connection.execute(
        "SELECT lot, sellable FROM lot JOIN stock_level USING (sku, lot)"
        " WHERE sku = 'TEA-TIN' ORDER BY lot"
    ).fetchall()
    connection.rollback()
    assert lots == [("T2509", 20), ("T2605", 15), ("T2611", 40)]
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


def with_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, more: str) -> str:
    """The starter with another file in its network folder; returns its path."""
    monkeypatch.setenv("CROSSDOCK_DATABASE_URL", url)
    shop = tmp_path / "shop"
    run("init", str(shop))
    (shop / "network" / "more.toml").write_text(more)
    return str(shop)


def test_other_buckets_and_lots_of_a_network_are_loaded_too(
    tmp_path: Path, database_url: str, connection: db.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = (
        '[[stock]]\nnode = "store-boston"\nbucket = "damaged"\nquantities = {LAMP-BRASS = 2}\n'
        '[[lot]]\nnode = "store-boston"\nsku = "CANDLE-CEDAR"\nlot = "C1"\nquantity = 6\n'
        '[[product_node]]\nnode = "store-boston"\nsku = "CANDLE-CEDAR"\nsafety_stock = 37\n'
    )
    run("network", "load", with_more(tmp_path, monkeypatch, database_url, more))
    rows = connection.execute(
        "SELECT sku, lot, sellable, available, damaged FROM stock_level"
        " WHERE node = 'store-boston'"
        " AND (damaged > 0 OR lot <> '') ORDER BY sku"
    ).fetchall()
    connection.rollback()
    assert rows == [("CANDLE-CEDAR", "C1", 6, 4, 0), ("LAMP-BRASS", "", 7, 7, 2)]
    assert "invariants hold" in run("check")


WRONG_STOCK = {
    '[[stock]]\nbucket = "shelf"\nquantities = {LAMP-BRASS = 2}': "'shelf' is no bucket",
    '[[stock]]\nowner = "acme"\nquantities = {LAMP-BRASS = 2}': "There is no legal_entity 'acme'",
    '[[lot]]\nsku = "TEA-TIN"\nlot = "T2611"\nquantity = 6\nexpires_on = 2029-01-01': (
        "A lot has one date everywhere."
    ),
}


@pytest.mark.parametrize("stock", WRONG_STOCK)
def test_stock_that_cannot_be_is_named(
    tmp_path: Path, stock: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = f'{stock}\nnode = "store-boston"\n'
    shop = with_more(tmp_path, monkeypatch, database_url, record)
    result = CliRunner().invoke(app, ["network", "load", shop])
    assert result.exit_code != 0 and WRONG_STOCK[stock] in " ".join(result.output.split())
