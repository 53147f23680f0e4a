"""The document of the API: whole, with examples that work, readable without asking elsewhere."""

from __future__ import annotations

import contextlib
import re
import warnings
from typing import Any

import pytest
from litestar.exceptions.base_exceptions import LitestarDeprecationWarning
from litestar.testing import TestClient

from crossdock import db
from crossdock.api import order_examples
from crossdock.api.app import create_app
from crossdock.api.documents import operations_of
from crossdock.api.problems import CATALOG
from crossdock.api.services import Services
from crossdock.catalog.model import Channel, Network, OnInvalid, Product
from crossdock.catalog.store import save_network, save_products

Client = TestClient[Any]


def test_every_operation_shows_what_it_takes_and_answers(api: Client) -> None:
    lacking = []
    for path, handler, operation in operations_of(api.app):
        name = f"{sorted(handler.http_methods)} {path}"
        if operation.request_body is not None and "example" not in handler.opt:
            lacking.append(f"{name}: example")
        answers = operation.responses or {}
        content = getattr(answers[min(answers)], "content", None) or {}
        if "application/json" in content and "answer_example" not in handler.opt:
            lacking.append(f"{name}: answer_example")
    assert not lacking, "\n".join(lacking)


def test_the_application_is_made_as_the_framework_wants_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", LitestarDeprecationWarning)
        with contextlib.closing(Services.open("postgresql://nobody@localhost/nothing")) as nothing:
            create_app(nothing)


def test_the_document_is_openapi_and_names_every_error_it_may_answer(api: Client) -> None:
    document = api.get("/docs/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    placing = document["paths"]["/v1/orders"]["post"]
    assert {"201", "400", "401", "403", "409", "413", "415", "422", "429", "500", "503"} <= set(
        placing["responses"]
    )
    assert placing["requestBody"]["content"]["application/json"]["example"]["number"] == "W-10041"


def test_the_documentation_asks_nothing_of_anybody_else(api: Client) -> None:
    page = api.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert not re.findall(r"https?://|src=|@import|url\(", page.text)
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    for elsewhere in ("redoc", "swagger", "elements", "rapidoc"):
        assert api.get(f"/docs/{elsewhere}").status_code == 404


@pytest.mark.parametrize("code", ["invalid_order", "idempotency_conflict", "unavailable"])
def test_the_type_of_an_error_is_a_page_with_its_cause_and_remedy(api: Client, code: str) -> None:
    page = api.get(f"/problems/{code}")
    assert page.status_code == 200
    assert code in page.text
    assert CATALOG[code].remedy[:30].replace("'", "&#x27;") in page.text
    assert f"/problems/{code}" in api.get("/problems").text


def test_an_unknown_error_has_no_page(api: Client) -> None:
    assert api.get("/problems/sunspots").status_code == 404


def test_the_examples_of_placing_orders_are_what_really_happens(
    api: Client, api_connection: db.Connection
) -> None:
    channel = Channel(code="web", name="Web shop", on_invalid=OnInvalid.REFUSE)
    save_network(api_connection, Network(channels=(channel,)))
    goods = [Product(sku=sku, name=sku) for sku in ("LAMP-BRASS", "BULB-E27")]
    save_products(api_connection, goods)
    api_connection.commit()
    assert api.post("/v1/orders", json=order_examples.ORDER).json() == order_examples.PLACED
    many = api.post("/v1/orders/bulk", json=order_examples.MANY)
    assert many.json() == order_examples.MANY_PLACED
