"""Events are read in their order, and webhooks are made, changed, rotated and replayed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar.testing import TestClient

from crossdock import db
from crossdock.api.access.caller import Caller
from crossdock.api.app import create_app
from crossdock.api.routes.events import _narrowed
from crossdock.api.routes.webhooks import _owner, _within
from crossdock.api.services import Services
from crossdock.api.webhook_figures import webhooks
from crossdock.events import store as events
from crossdock.events.model import Interest
from crossdock.kernel.ids import derive
from crossdock.ordering.payloads import new_key
from crossdock.settings import PayloadSettings, Settings, WebhookSettings
from crossdock.webhooks import store
from crossdock.webhooks.retention import EventRetention
from crossdock.webhooks.sealing import SecretKeeper
from tests.api.keys import bearer, make_key

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ORDERS = [derive(NOON, str(number)) for number in range(5)]
KINDS = ("sales_order.placed", "shipment.left")
HERE = "http://127.0.0.1:9/hook"

Client = TestClient[Any]


@pytest.fixture(scope="module")
def services(api_url: str) -> Iterator[Services]:
    settings = Settings(webhooks=WebhookSettings(allow_networks="127.0.0.0/8"))
    services = Services.open(api_url, settings)
    with db.connect(api_url) as connection:
        _publish(connection)
    yield services
    services.close()


def _publish(connection: db.Connection) -> None:
    """Ten events: two of each order, web and amazon in turn, at the node of their place."""
    rows: list[tuple[Any, ...]] = []
    for place, order in enumerate(ORDERS):
        for kind in KINDS:
            sequence = len(rows) + 1
            at = NOON + timedelta(minutes=sequence)
            channel = ("web", "amazon")[place % 2]
            node = f"n{place}" if kind == "shipment.left" else ""
            rows.append(
                (sequence, at, at, derive(at, "e"), order, order, order, f"crossdock.{kind}.v1",
                 f"{channel}:{place}", channel, node, json.dumps({"order_id": order}))
            )  # fmt: skip
    events.append(connection, rows)
    connection.commit()


def sequences(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [int(event["sequence"]) for event in answer.json()["events"]]


def test_events_come_in_their_order_and_after_goes_on(api: Client) -> None:
    seen: list[int] = []
    after, more = 0, True
    while more:
        answer = api.get("/v1/events", params={"after": after, "limit": 3})
        seen += sequences(answer)
        after, more = answer.json()["last"], answer.json()["more"]

    assert seen == list(range(1, 11)) and after == 10
    assert api.get("/v1/events", params={"after": 10}).json() == {
        "events": [], "last": 10, "more": False,
    }  # fmt: skip
    event = api.get("/v1/events", params={"limit": 1}).json()["events"][0]
    assert event["type"] == "crossdock.sales_order.placed.v1" and event["subject"] == "web:0"
    assert event["data"] == {"order_id": ORDERS[0]}


def test_events_are_narrowed_by_type_and_order(api: Client) -> None:
    assert sequences(api.get("/v1/events", params={"types": "crossdock.shipment.*"})) == [
        2, 4, 6, 8, 10,
    ]  # fmt: skip
    assert sequences(api.get("/v1/events", params={"order": ORDERS[2]})) == [5, 6]
    assert sequences(api.get("/v1/events", params={"channel": "amazon"})) == [3, 4, 7, 8]
    assert sequences(api.get("/v1/events", params={"node": "n2"})) == [6]
    assert sequences(api.get("/v1/events", params={"node": "n2", "channel": "amazon"})) == []
    for nowhere in ("null", "", "-1", "1.5", "9" * 19):
        assert api.get("/v1/events", params={"after": nowhere}).status_code == 400
    refused = api.get("/v1/events", params={"types": "crossdock.shipment.left.v1,bogus"})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["code"] == "unknown_type"


def test_a_webhook_is_made_with_a_secret_and_shown_without(api: Client) -> None:
    wanted = {"name": "app", "url": HERE, "types": ["crossdock.shipment.*"]}
    headers = {"Idempotency-Key": "first"}

    made = api.post("/v1/webhooks", json=wanted, headers=headers)
    again = api.post("/v1/webhooks", json=wanted, headers=headers)
    other = api.post("/v1/webhooks", json={**wanted, "name": "shop"}, headers=headers)

    assert made.status_code == again.status_code == 201, made.text
    assert made.json()["secret"].startswith("whsec_") and made.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert other.status_code == 409 and other.json()["errors"][0]["path"] == "name"
    webhook = made.json()["webhook"]
    shown = api.get(f"/v1/webhooks/{webhook['id']}").json()
    assert shown == webhook and "secret" not in json.dumps(shown)
    assert shown["status"] == "active" and shown["last_event"] == 10
    assert webhook in api.get("/v1/webhooks").json()["items"]


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/hook", "https://localhost.invalid/x", "https://192.168.0.1/", "x"]
)
def test_a_url_that_may_not_be_sent_to_is_refused(api: Client, url: str) -> None:
    wanted = {"name": "app", "url": url, "types": ["crossdock.*"]}

    refused = api.post("/v1/webhooks", json=wanted)

    assert refused.status_code == 422 and refused.json()["code"] == "webhook_url_refused"
    assert refused.json()["errors"][0]["path"] == "url"


def make(api: Client, **changes: Any) -> dict[str, Any]:
    wanted = {"name": "app", "url": HERE, "types": ["crossdock.*"], **changes}
    made = api.post("/v1/webhooks", json=wanted)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def test_a_webhook_is_changed_disabled_and_resumed(api: Client, api_connection: Any) -> None:
    path = f"/v1/webhooks/{make(api)['webhook']['id']}"

    changed = api.patch(path, json={"types": ["crossdock.package.*"], "active": False}).json()
    assert (changed["types"], changed["status"]) == (["crossdock.package.*"], "disabled")
    store.change(api_connection, changed["id"], {"status": "paused", "failures": 9})
    api_connection.commit()
    resumed = api.patch(path, json={"active": True}).json()

    assert (resumed["status"], resumed["reason"]) == ("active", "")
    assert store.find(api_connection, changed["id"]).failures == 0  # type: ignore[union-attr]
    assert api.patch(path, json={"url": "https://10.0.0.1/"}).status_code == 422
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_a_new_secret_leaves_the_former_one_a_day(api: Client, api_connection: Any) -> None:
    made = make(api)

    path, key = f"/v1/webhooks/{made['webhook']['id']}/secret", {"Idempotency-Key": "r1"}

    rotated = api.post(path, headers=key).json()
    again = api.post(path, headers=key)

    assert again.json() == rotated and again.headers["idempotency-replayed"] == "true"

    found = store.find(api_connection, made["webhook"]["id"])
    assert found is not None and rotated["secret"] != made["secret"]
    now = datetime.now(UTC)
    assert found.secrets(now) == [rotated["secret"], made["secret"]]
    assert found.secrets(now + timedelta(days=2)) == [rotated["secret"]]


def test_with_keys_a_secret_is_stored_encrypted(api_url: str, api_connection: Any) -> None:
    keys = new_key()
    settings = Settings(
        webhooks=WebhookSettings(allow_networks="127.0.0.0/8"), payloads=PayloadSettings(keys=keys)
    )
    with contextlib.closing(Services.open(api_url, settings)) as services:
        with TestClient(create_app(services)) as api:
            api.headers.update(bearer(make_key(api_connection)))
            made = make(api)
            rotated = api.post(f"/v1/webhooks/{made['webhook']['id']}/secret").json()
    found = store.find(api_connection, made["webhook"]["id"])
    assert found is not None and found.former_secret is not None
    opened = SecretKeeper(keys).opened
    assert opened(found.secret) == rotated["secret"] != found.secret
    assert opened(found.former_secret) == made["secret"] != found.former_secret


def test_events_are_sent_again_from_an_event_or_a_time_on(api: Client) -> None:
    path = f"/v1/webhooks/{make(api)['webhook']['id']}/replay"

    assert api.post(path, json={"after": 3}).json()["last_event"] == 3
    since = (NOON + timedelta(minutes=6)).isoformat()
    assert api.post(path, json={"since": since}).json()["last_event"] == 5
    assert api.post(path, json={"since": "2030-01-01T00:00:00Z"}).json()["last_event"] == 10
    assert api.post(path, json={"after": 1, "since": since}).status_code == 400
    assert api.post(path, json={}).status_code == 400


def test_what_one_client_may_not_see_is_neither_read_nor_sent(services: Services) -> None:
    """Limited callers are made by hand: a key of this permission may be for the whole alone."""
    shop = Caller(id="c1", name="shop", channels=frozenset({"web"}))
    with services.live.reading() as connection:
        interest = Interest(None, shop.channels, shop.nodes)
        rows = events.events_between(connection, 0, 99, interest, 99)
    assert {row.subject.split(":")[0] for row in rows} == {"web"}
    assert _within(shop.channels, None, "channels") == ["web"]
    with pytest.raises(Exception, match="you do not see amazon"):
        _within(shop.channels, ["amazon", "web"], "channels")
    assert _owner(shop) == "c1"
    assert _narrowed(shop.channels, "web") == frozenset({"web"})
    assert _narrowed(None, "bay") == frozenset({"bay"})
    assert _narrowed(shop.channels, "amazon") == frozenset()


def test_without_the_permission_nothing_is_read_or_made(api: Client, api_connection: Any) -> None:
    weak = bearer(make_key(api_connection, "orders:read"))

    assert api.get("/v1/events", headers=weak).status_code == 403
    assert api.get("/v1/webhooks", headers=weak).status_code == 403


def test_what_a_webhook_was_not_sent_yet_is_a_metric(api: Client, api_connection: Any) -> None:
    webhook = store.find(api_connection, make(api, name="slow")["webhook"]["id"])
    assert webhook is not None
    behind = webhook._replace(position=0)
    store.enqueue(api_connection, behind, 10, behind.interest, NOON)
    api_connection.commit()
    [text] = [
        sample
        for metric in webhooks(api_connection, NOON + timedelta(hours=1))
        for sample in metric.samples
        if sample.labels["webhook"] == "slow" and metric.name.endswith("deliveries")
    ]

    assert text.value == 10 and text.labels["status"] == "active"
    assert "crossdock_webhook_deliveries" in api.get("/metrics").text


def test_a_place_before_what_is_kept_is_gone_with_the_oldest_that_is_there(
    api: Client, api_connection: Any
) -> None:
    path = f"/v1/webhooks/{make(api)['webhook']['id']}/replay"
    remove = EventRetention(days=1, step=4)
    for webhook in api.get("/v1/webhooks").json()["items"]:
        assert api.post(f"/v1/webhooks/{webhook['id']}/replay", json={"after": 10}).is_success
    api_connection.execute("DELETE FROM webhook_delivery")
    remove(api_connection, NOON + timedelta(days=2))
    api_connection.commit()

    for gone in (
        api.get("/v1/events", params={"after": 3}),
        api.get("/v1/events", params={"after": 0}),
        api.post(path, json={"after": 3}),
        api.post(path, json={"since": (NOON + timedelta(minutes=4)).isoformat()}),
        api.post(
            "/v1/webhooks",
            json={"name": "late", "url": HERE, "types": ["crossdock.*"], "after": 3},
        ),
    ):
        assert gone.status_code == 410, gone.text
        assert (gone.json()["code"], gone.json()["oldest"]) == ("events_removed", 4)
    assert sequences(api.get("/v1/events", params={"after": 4})) == [5, 6, 7, 8, 9, 10]
    assert sequences(api.get("/v1/events", params={"limit": 1})) == [5]
    since = (NOON + timedelta(minutes=5)).isoformat()
    assert api.post(path, json={"since": since}).json()["last_event"] == 4
    assert api.post(path, json={"after": 4}).json()["last_event"] == 4
    assert "late" not in [one["name"] for one in api.get("/v1/webhooks").json()["items"]]
