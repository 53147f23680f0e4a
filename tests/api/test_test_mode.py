"""A key of test mode: orders run to their end on fakes, fail on demand, and touch nothing live."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from crossdock import db
from crossdock.api.app import create_app
from crossdock.api.services import Services
from crossdock.api.test_mode import running
from crossdock.api.test_mode.running import open_test_schema, run_test_mode, url_of_test_schema
from crossdock.invariants import check
from crossdock.kernel.clock import SystemClock
from tests.api.channels import Client, Orders
from tests.api.keys import bearer, make_key
from tests.integration.orders.shop import BOSTON, Shop

pytestmark = pytest.mark.slow

_OF_CREDENTIALS = {"api_client", "api_secret", "api_quota", "rate_quota"}
"""Who may call is asked of the live schema, whatever they work on then."""


def fingerprint(connection: db.Connection) -> dict[str, str]:
    """A hash of all rows of every live table but those of credentials."""
    tables = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind = 'r' ORDER BY 1"
    ).fetchall()
    found = {}
    for (table,) in tables:
        if table not in _OF_CREDENTIALS:
            statement = f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM \"{table}\" t"
            [row] = connection.execute(statement.encode()).fetchall()
            found[table] = str(row[0])
    connection.rollback()
    return found


@pytest.fixture(scope="module")
def live(api_url: str) -> Iterator[db.Connection]:
    """The live schema, with a shop that has one mug."""
    with contextlib.closing(db.connect(api_url)) as connection:
        shop = Shop(connection)
        shop.stock(BOSTON, mug=1)
        yield connection


@pytest.fixture(scope="module")
def tester(api: Client, live: db.Connection, api_url: str) -> Iterator[Client]:
    """A client whose requests carry a key of test mode, with test mode at work."""
    stop = threading.Event()
    secret = make_key(live, mode="test")
    open_test_schema(api_url, SystemClock().now())
    work = threading.Thread(
        target=run_test_mode, args=(api_url, stop), kwargs={"look_seconds": 0.02}
    )
    work.start()
    kept = dict(api.headers)
    api.headers.update(bearer(secret))
    yield api
    api.headers.update(kept)
    stop.set()
    work.join()


@pytest.fixture(scope="module")
def orders(tester: Client) -> Orders:
    return Orders(tester)


def test_without_test_mode_a_test_key_is_told_so(services: Services, live: db.Connection) -> None:
    with TestClient(create_app(services)) as client:
        key = bearer(make_key(live, mode="test"))
        answer = client.get("/v1/orders", headers=key)
    assert answer.status_code == 503 and answer.json()["code"] == "test_mode_off"


def ended(api: Client, id: str, stage: str = "closed") -> dict[str, Any]:
    """The order once it is in that stage."""
    for _ in range(600):
        answer = api.get(f"/v1/orders/{id}")
        if answer.status_code == 200 and answer.json()["stage"] == stage:
            found: dict[str, Any] = answer.json()
            return found
        threading.Event().wait(0.02)
    raise AssertionError(f"not {stage}: {answer.text}")


CARD = [{"number": 1, "kind": "card", "amount": 2000, "reference": "visa"}]


def test_nothing_of_it_is_in_the_live_schema(
    tester: Client, orders: Orders, live: db.Connection, api_url: str
) -> None:
    before = fingerprint(live)
    delivered = orders.place(("mug", 2), tenders=CARD)
    canceled = orders.place(("mug", 2), attributes={"test.node": "manual"})
    orders.until(canceled, "released")
    tester.post(f"/v1/orders/{canceled}/cancel", json={})
    kept = tester.post(
        "/v1/checkouts", json={"channel": "web", "lines": [{"sku": "mug", "quantity": 5}]}
    ).json()
    assert kept["complete"], kept
    found = ended(tester, delivered)
    assert found["lines"][0]["units"]["delivered"] == 2
    assert found["tenders"][0]["captured"] == 2000
    assert fingerprint(live) == before
    with contextlib.closing(db.connect(url_of_test_schema(api_url))) as connection:
        assert check(connection) == []


def test_live_orders_are_not_seen_and_live_stock_is_not_counted(
    tester: Client, orders: Orders, live: db.Connection
) -> None:
    asked = {"channel": "web", "sku": "mug"}
    [mug] = tester.get("/v1/ats", params=asked).json()["items"]
    assert mug["available"] > 900_000
    secret = bearer(make_key(live))
    [mug] = tester.get("/v1/ats", params=asked, headers=secret).json()["items"]
    assert mug["available"] == 1
    id = orders.place(("mug", 1))
    assert tester.get(f"/v1/orders/{id}", headers=secret).status_code == 404


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ({"test.payment": "refuse_authorize"}, "held"),
        ({"test.payment": "fail"}, "closed"),
        ({"test.payment": "lose_answer"}, "closed"),
        ({"test.erp": "fail"}, "closed"),
        ({"test.erp": "refuse"}, "closed"),
        ({"test.notification": "refuse"}, "closed"),
    ],
)
def test_an_outside_system_fails_as_the_order_wishes(
    tester: Client, orders: Orders, attributes: dict[str, str], what: str
) -> None:
    id = orders.place(("mug", 2), tenders=CARD, attributes=attributes)
    found = ended(tester, id, what)
    if what == "held":
        assert [hold["name"] for hold in found["holds"]] == ["payment"]
    else:
        assert found["lines"][0]["units"]["delivered"] == 2


def test_a_refused_capture_is_a_debt_that_everybody_sees(tester: Client, orders: Orders) -> None:
    id = orders.place(("mug", 2), tenders=CARD, attributes={"test.payment": "refuse_capture"})
    for _ in range(600):
        [tender] = tester.get(f"/v1/orders/{id}").json()["tenders"]
        if tender["debt"]:
            break
        threading.Event().wait(0.02)
    assert tender["debt"] == 2000


@pytest.mark.parametrize("wish", ["decline", "short"])
def test_a_node_fails_as_the_order_wishes_and_another_sends_it(
    tester: Client, orders: Orders, wish: str
) -> None:
    found = ended(tester, orders.place(("mug", 2), attributes={"test.node": wish}))
    assert found["lines"][0]["units"]["delivered"] == 2
    assert len({work["node"] for work in found["fulfillments"]}) == 2
    if wish == "decline":
        assert "declined" in {work["acknowledgement"] for work in found["fulfillments"]}
    else:
        assert sum(line["short"] for w in found["fulfillments"] for line in w["lines"]) == 1


def test_a_parcel_is_lost_as_the_order_wishes(tester: Client, orders: Orders) -> None:
    id = orders.place(("mug", 1), attributes={"test.carrier": "lose_parcel"})
    found = ended(tester, id)
    assert any(package["lost_at"] for s in found["shipments"] for package in s["packages"])


def test_manual_work_waits_for_the_one_who_tests_a_node(tester: Client, orders: Orders) -> None:
    id = orders.place(("mug", 1), attributes={"test.node": "manual"})
    found = orders.until(id, "released")
    threading.Event().wait(0.3)
    [work] = ended(tester, id, "open")["fulfillments"]
    assert work["acknowledgement"] == "submitted"
    told = tester.post(f"/v1/work/{work['id']}/acknowledge", json={})
    assert told.status_code == 202 and found["id"] == id


def test_what_changes_in_live_master_data_changes_here(
    tester: Client, live: db.Connection, api_url: str
) -> None:
    live.execute("INSERT INTO product (sku, name) VALUES ('bowl', 'bowl')")
    live.execute("UPDATE product SET enabled = false WHERE sku = 'tray'")
    live.commit()
    with contextlib.closing(db.connect(url_of_test_schema(api_url))) as connection:
        running.copy(connection, "public", SystemClock().now())
        rows = connection.execute("SELECT sku, enabled FROM product ORDER BY sku").fetchall()
        assert ("bowl", True) in rows and ("tray", False) in rows
        [[levels]] = connection.execute(
            "SELECT count(*) FROM stock_level WHERE sku = 'bowl' AND sellable > 0"
        ).fetchall()
        assert levels == 3
        live.execute("DELETE FROM product WHERE sku = 'bowl'")
        live.commit()
        running.copy(connection, "public", SystemClock().now())
        assert connection.execute("SELECT 1 FROM product WHERE sku = 'bowl'").fetchall() == []
