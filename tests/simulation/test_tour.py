"""What a demo asks over HTTP at its end never stands in the way of the demo."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossdock import db
from crossdock.api.access import keys
from crossdock.cli import tour
from crossdock.cli.context import Database
from crossdock.settings import DatabaseSettings
from tests.integration.orders.shop import BOSTON, Shop

pytestmark = pytest.mark.slow


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A shop with one order that was sent."""
    with contextlib.closing(db.connect(database_url)) as connection:
        shop = Shop(connection)
        shop.stock(BOSTON, mug=9)
        shop.place("T-1", ("mug", 2))
        shop.settle()
    yield Database(database_url, None, DatabaseSettings())


def children() -> set[str]:
    """Processes of this one that run."""
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return {child for task in tasks for child in (task / "children").read_text("ascii").split()}


def open_keys(url: str) -> list[str]:
    with contextlib.closing(db.connect(url)) as connection:
        return [key.name for key in keys.listed(connection, revoked=False)]


def test_it_asks_and_leaves_neither_a_process_nor_a_key(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    before = children()
    tour.show(database)
    told = capsys.readouterr().out
    assert "web may sell 7 of mug" in told and "order web:T-1:" in told, told
    assert children() == before
    assert open_keys(database.url) == []


def test_a_port_that_another_takes_first_is_given_up_for_the_next(
    database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = iter([other.getsockname()[1], tour.free_port()])
        monkeypatch.setattr(tour, "free_port", lambda: next(ports))
        tour.show(database)
    assert "order web:T-1:" in capsys.readouterr().out
    assert next(ports, None) is None


def test_an_api_that_does_not_open_is_a_remark(
    database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSDOCK_API_WORKER_NICENESS", "all of it")
    before = children()
    tour.show(database)
    assert "The API was not shown: it did not answer" in capsys.readouterr().out
    assert children() == before
    assert open_keys(database.url) == []
