"""A name may hold a slash: in a path it is written %2F, and arrives as what it is."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from crossdock import db
from crossdock.catalog.model import Channel, Network, Product
from crossdock.catalog.store import save_network, save_products
from crossdock.model.orders import Tender
from tests.api.keys import bearer, make_key
from tests.api.retail import Client, Retail, told
from tests.integration.orders.shop import BOSTON

SKUS = ("10/7", "a//b", "/edge/", "ü/ñ", "mug/secret")
CARD = (Tender(number=1, kind="card", amount=1250, reference="tok_ada"),)


def encoded(name: str) -> str:
    return quote(name, safe="")


@pytest.fixture(scope="module")
def retail(api_url: str) -> Iterator[Retail]:
    with contextlib.closing(db.connect(api_url)) as connection:
        shop = Retail(connection)
        shop.stock(BOSTON, mug=300)
        save_products(connection, [Product(sku=sku, name=f"the {sku}") for sku in SKUS])
        connection.commit()
        yield shop


@pytest.mark.parametrize("sku", SKUS)
def test_a_product_is_found_by_a_sku_with_slashes(api: Client, retail: Retail, sku: str) -> None:
    found = api.get(f"/v1/products/{encoded(sku)}")

    assert found.status_code == 200, found.text
    assert (found.json()["sku"], found.json()["name"]) == (sku, f"the {sku}")
    lower = api.get(f"/v1/products/{encoded(sku).replace('%2F', '%2f')}")
    assert lower.json() == found.json()


def test_it_is_written_under_that_name_and_no_other(api: Client, retail: Retail) -> None:
    path = "/v1/prices/" + encoded("10/7")
    price = {"sku": "10/7", "currency": "USD", "price": 8500, "cost": 3900}

    put = api.put(path, json=price)

    assert put.status_code in (200, 201), put.text
    assert api.get(path).json()["price"] == 8500
    assert api.get("/v1/prices/10").status_code == 404


def test_a_slash_that_is_not_encoded_separates(api: Client, retail: Retail) -> None:
    assert api.get("/v1/products/10/7").status_code == 404
    missing = api.get("/v1/products/no%2Fsuch")
    assert missing.status_code == 404 and missing.json()["code"] == "not_found"
    assert "no/such" in missing.json()["detail"]
    assert missing.json()["instance"] == "/v1/products/no/such"
    nowhere = api.get("/v1/nowhere%2Fat/all")
    assert nowhere.status_code == 404 and nowhere.json()["instance"] == "/v1/nowhere/at/all"


def test_the_route_is_remembered_without_mixing_names_up(api: Client, retail: Retail) -> None:
    for _ in range(3):
        assert api.get("/v1/products/10%2F7").json()["sku"] == "10/7"
        assert api.get("/v1/products/mug").json()["sku"] == "mug"


def test_orders_work_and_references_take_it_too(api: Client, retail: Retail) -> None:
    number = "2026/11/0007"
    order = retail.place(number, ("mug", 1), tenders=CARD)
    assert api.get(f"/v1/orders/{encoded('web:' + number)}").json()["id"] == order
    assert api.get(f"/v1/payments/{encoded('web:' + number)}").json()["order_id"] == order
    reference = {"system": "erp", "company": "us", "kind": "product", "external_id": "1/2"}
    reference["our_id"] = "mug"
    told_put = api.put("/v1/references", json=reference)
    assert told_put.status_code in (200, 201), told_put.text
    assert api.get("/v1/products/erp%2Fus:1%2F2").json()["sku"] == "mug"
    report = {"provider": "bank", "reference": "11/04", "amount": 5, "currency": "USD"}
    told(api, "/v1/payments/received", report)
    assert api.get("/v1/payments/received/bank:11%2F04").json()["reference"] == "11/04"


def test_options_and_refusals_know_the_path(api: Client, retail: Retail) -> None:
    answer = api.options("/v1/products/10%2F7")
    assert answer.status_code == 204 and "PUT" in answer.headers["allow"]
    assert api.get("/v1/products/10%2F7%00").status_code == 400
    assert api.delete("/v1/products/10%2F7").status_code == 405


def test_over_a_real_connection(connection: db.Connection, database_url: str) -> None:
    """The server decodes the path by itself; what counts is the path as it was sent."""
    save_network(connection, Network(channels=(Channel(code="web", name="Web"),)))
    skus = (*SKUS, "100%2F7")  # The client within this process would decode it twice.
    save_products(connection, [Product(sku=sku, name=sku) for sku in skus])
    headers = bearer(make_key(connection))
    connection.commit()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "crossdock", "api", "--port", str(port)]
    environment = os.environ | {"CROSSDOCK_DATABASE_URL": database_url}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
                _wait_for(client)
                for sku in skus:
                    answer = client.get(f"/v1/products/{encoded(sku)}")
                    assert (answer.status_code, answer.json()["sku"]) == (200, sku)
                assert client.get("/v1/products/10/7").status_code == 404
                query = client.get("/v1/products?limit=1&cursor=%2Fx")
                assert query.status_code == 400
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(client: Any) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx2.TransportError):
            if client.get("/health").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the API did not come up")
