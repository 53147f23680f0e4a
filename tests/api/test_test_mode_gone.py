"""Test mode's schema is dropped under a running API: told as what it is until it is back."""

from __future__ import annotations

from crossdock import db
from crossdock.api.services import TEST_SCHEMA
from crossdock.api.test_mode.running import open_test_schema
from crossdock.catalog.model import Channel, Network, Product
from crossdock.catalog.store import save_network, save_products
from crossdock.kernel.clock import SystemClock
from tests.api.described import Client, operations
from tests.api.keys import bearer, make_key
from tests.api.test_orders_in import lamp


def test_a_dropped_schema_is_a_503_that_says_what_to_do_until_it_is_back(
    api: Client, api_connection: db.Connection, api_url: str
) -> None:
    save_network(api_connection, Network(channels=(Channel(code="web", name="Web"),)))
    save_products(api_connection, [Product(sku="LAMP-BRASS", name="Brass lamp")])
    tester = bearer(make_key(api_connection, mode="test"))
    open_test_schema(api_url, SystemClock().now())

    def placed(number: str) -> tuple[int, str]:
        answer = api.post("/v1/orders", json=lamp(number), headers=tester)
        return answer.status_code, answer.json().get("code", "")

    assert placed("T-1") == (201, "")
    api_connection.execute(f"DROP SCHEMA {TEST_SCHEMA} CASCADE".encode())
    api_connection.commit()

    assert placed("T-2") == (503, "test_mode_off")
    gone = api.get("/v1/orders", headers=tester)
    assert (gone.status_code, gone.json()["code"]) == (503, "test_mode_off")
    assert TEST_SCHEMA in gone.json()["detail"] and int(gone.headers["retry-after"]) > 0
    many = api.post("/v1/orders/bulk", json=[lamp("T-3")], headers=tester).json()
    assert [item["problem"]["code"] for item in many["items"]] == ["test_mode_off"]
    failed = [
        f"{operation}: {answer.text}"
        for operation in operations(api.app)
        if operation.permission
        and (answer := operation.send(api, tester)).status_code >= 500
        and answer.json()["code"] != "test_mode_off"
    ]
    assert not failed, "\n".join(failed)
    assert api.post("/v1/orders", json=lamp("L-1")).status_code == 201

    open_test_schema(api_url, SystemClock().now())
    assert placed("T-2") == (201, "")
    assert api.get("/v1/orders", headers=tester).status_code == 200
