"""`Idempotency-Key` on every write of the document: one answer, given again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from crossdock import db
from crossdock.api.app import create_app
from crossdock.api.services import Services
from crossdock.engine.upkeep_store import drop_bodies
from crossdock.kernel.clock import SystemClock
from crossdock.settings import LimitsSettings, Settings, WebhookSettings
from tests.api.described import Client, Operation, operations
from tests.api.keys import bearer
from tests.api.retail import Retail
from tests.api.writes import WRITES, Request, World
from tests.integration.orders.shop import BOSTON


def _writes() -> list[Operation]:
    """All that change something: a question that is asked by POST is of a reader's permission."""
    with contextlib.closing(Services.open("postgresql://nobody@localhost/nothing")) as nothing:
        described = list(operations(create_app(nothing)))
    return [
        one
        for one in described
        if one.method not in ("get", "head") and not (one.permission or "").endswith(":read")
    ]


@pytest.fixture(scope="module")
def services(api_url: str) -> Iterator[Services]:
    settings = Settings(
        webhooks=WebhookSettings(allow_networks="127.0.0.0/8"),
        # The shop's clock stands in the past, so that what it left to be done looks old.
        limits=LimitsSettings(oldest_waiting_seconds=1e9),
    )
    with contextlib.closing(Services.open(api_url, settings)) as services:
        yield services


@pytest.fixture(scope="module")
def world(api: Client, api_url: str) -> Iterator[World]:
    with contextlib.closing(db.connect(api_url)) as connection:
        retail = Retail(connection)
        retail.stock(BOSTON, mug=500, jug=500)
        yield World(api, retail)


def send(api: Client, method: str, request: Request, key: str | None, **headers: str) -> Any:
    return api.request(
        method.upper(),
        request.path,
        json=request.body,
        params=request.query,
        content=request.content,
        headers={**(request.headers or {}), **headers, **({"Idempotency-Key": key} if key else {})},
    )


def differing_fields(answer: Any) -> set[str]:
    """The fields that a 409 names: of the whole request, or of the items that are refused so."""
    body = answer.json()
    if answer.status_code == 409:
        assert body["code"] == "idempotency_conflict", answer.text
        return {error["path"] for error in body["errors"]}
    assert answer.status_code == 200, answer.text
    items = [item.get("problem") or item for item in body.get("items") or body["results"]]
    assert {item["code"] for item in items} == {"idempotency_conflict"}, answer.text
    return {error["path"] for item in items for error in item["errors"]}


@pytest.mark.parametrize("operation", _writes(), ids=str)
def test_a_write_is_done_once_and_answered_twice(
    operation: Operation, api: Client, world: World
) -> None:
    make = WRITES.get(str(operation))
    assert make is not None, f"{operation}: give an example of it in tests/api/writes.py"
    write, key = make(world), world.name()
    first = send(api, operation.method, write.first, key)
    assert 200 <= first.status_code < 300, first.text
    assert "idempotency-replayed" not in first.headers
    again = send(api, operation.method, write.first, key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers.get("etag") == first.headers.get("etag")
    other = send(api, operation.method, write.other, key)
    assert differing_fields(other) == {write.field}


def test_every_write_of_the_document_takes_the_key_and_says_what_it_may_answer(
    api: Client,
) -> None:
    document = api.get("/docs/openapi.json").json()
    lacking = []
    for write in _writes():
        described = document["paths"][write.path][write.method]
        names = {one["name"] for one in described.get("parameters", ())}
        least = min(described["responses"])
        headers = described["responses"][least].get("headers", {})
        conflict = described["responses"].get("409", {"description": ""})["description"]
        if (
            "Idempotency-Key" not in names
            or "Idempotency-Replayed" not in headers
            or "idempotency_conflict" not in conflict
        ):
            lacking.append(str(write))
    assert not lacking
    assert {str(write) for write in _writes()} == set(WRITES)


def test_a_secret_is_answered_again_and_stored_nowhere(
    api: Client, world: World, api_connection: db.Connection
) -> None:
    for operation in ("/v1/keys", "/v1/webhooks"):
        write, key = WRITES[f"POST {operation}"](world), world.name()
        secret = send(api, "post", write.first, key).json()["secret"]
        assert send(api, "post", write.first, key).json()["secret"] == secret
        stored = api_connection.execute(
            "SELECT string_agg(answer, '') FROM dedupe WHERE type = %s", [f"POST {operation}"]
        ).fetchone()
        api_connection.rollback()
        assert stored is not None and len(stored[0]) > 100
        assert secret.encode() not in stored[0]


def test_another_credential_of_the_client_is_told_to_rotate(
    api: Client, world: World, api_connection: db.Connection
) -> None:
    client = world.made("/v1/keys", {"name": world.name(), "grants": ["administrator"]})
    write, key = WRITES["POST /v1/keys"](world), world.name()
    made = send(api, "post", write.first, key, **bearer(client["secret"]))
    assert made.status_code == 201, made.text
    rotated = world.made(f"/v1/keys/{client['id']}/rotate", {})
    lost = send(api, "post", write.first, key, **bearer(rotated["secret"]))
    assert (lost.status_code, lost.json()["code"]) == (409, "first_answer_gone")
    assert "another credential" in lost.json()["detail"]
    first = send(api, "post", write.first, key, **bearer(client["secret"]))
    assert first.json() == made.json()


def test_the_first_answer_stays_whatever_happened_since(api: Client, world: World) -> None:
    vase = {"sku": "vase", "name": "Vase", "currency": "USD"}
    path, key = "/v1/products/vase", world.name()
    first, since = Request(path, {**vase, "price": 1}), Request(path, {**vase, "price": 2})
    made = send(api, "put", first, key)
    assert send(api, "put", since, None).status_code == 200
    again = send(api, "put", first, key)
    assert (again.json(), again.headers["etag"]) == (made.json(), made.headers["etag"])
    assert api.get("/v1/products/vase").json()["price"] == 2


def test_a_refusal_is_not_kept_and_leaves_the_key_free(api: Client, world: World) -> None:
    key, gone = world.name(), Request(f"/v1/keys/{world.name()}")
    assert send(api, "delete", gone, key).status_code == 404
    there = Request(f"/v1/keys/{world.key()}")
    assert send(api, "delete", there, key).status_code == 204


def test_an_answer_is_forgotten_with_its_content_and_nothing_is_done_again(
    api: Client, world: World, api_connection: db.Connection
) -> None:
    write, key = WRITES["POST /v1/files"](world), world.name()
    assert send(api, "post", write.first, key).status_code == 201
    drop_bodies(api_connection, SystemClock().now() + timedelta(minutes=1), 10_000)
    api_connection.commit()
    before = len(api.get("/v1/files", params={"limit": 500}).json()["items"])
    again = send(api, "post", write.first, key)
    assert (again.status_code, again.json()["code"]) == (409, "first_answer_gone")
    assert "dedupe_body_days" in again.json()["detail"]
    assert len(api.get("/v1/files", params={"limit": 500}).json()["items"]) == before


def test_two_requests_at_once_are_one_write(api: Client, world: World) -> None:
    write, key = WRITES["POST /v1/webhooks"](world), world.name()
    with ThreadPoolExecutor(4) as threads:
        sent = [threads.submit(send, api, "post", write.first, key) for _ in range(4)]
        answers = [one.result() for one in sent]
    assert {answer.status_code for answer in answers} == {201}, [a.text for a in answers]
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1


def test_a_piece_that_comes_again_is_compared_and_not_kept_twice(api: Client, world: World) -> None:
    path, key = f"/v1/files/{world.file()}/content", world.name()
    piece = Request(path, content=b"x" * 3_000_000)
    first = send(api, "put", piece, key)
    again = send(api, "put", piece, key)
    assert first.json() == again.json() and first.json()["received_bytes"] == 3_000_000
    longer = Request(path, content=b"x" * 3_000_001)
    assert differing_fields(send(api, "put", longer, key)) == {"body"}
    assert api.get(path.removesuffix("/content")).json()["received_bytes"] == 3_000_000


def test_many_that_are_sent_again_get_the_answer_with_what_was_refused(
    api: Client, world: World
) -> None:
    good, bad = world.order(), {"channel": "web"}
    request, key = Request("/v1/orders/bulk", [good, bad]), world.name()
    first = send(api, "post", request, key)
    assert first.status_code == 200, first.text
    assert (first.json()["taken"], first.json()["not_taken"]) == (1, 1)
    again = send(api, "post", request, key)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
