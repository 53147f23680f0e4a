"""Receivers get every event, signed, in order for each order, however badly they behave."""

from __future__ import annotations

import contextlib
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks

from crossdock import db
from crossdock.api.access import keys
from crossdock.api.access.permissions import Scope
from crossdock.kernel.clock import SystemClock
from crossdock.settings import Settings, WebhookSettings
from crossdock.webhooks import store
from crossdock.webhooks.model import WebhookStatus, new_secret
from crossdock.webhooks.worker import run_events
from tests.webhooks.conftest import ADA, BOB, NOON, Post
from tests.webhooks.receiver import Answer, Received


def verified(received: Received, secret: str) -> Any:
    """The body, if its signature is right at the time it was signed."""
    webhook = standardwebhooks.Webhook(secret)
    stamped = received.headers["webhook-timestamp"]
    at = datetime.fromtimestamp(int(stamped), UTC)
    expected = webhook.sign(received.headers["webhook-id"], at, received.body.decode())
    assert expected in received.headers["webhook-signature"].split(" ")
    return received.event


def refuses(order: str, status: int = 500) -> Any:
    return lambda received: Answer(status if received.event["partitionkey"] == order else 204)


def test_every_event_arrives_once_signed_and_in_order(post: Post) -> None:
    webhook = post.webhook(post.subscribe())
    post.publish(ADA, BOB, ADA, ADA)

    assert post.work() == 4

    by_order = [
        [int(one.event["sequence"]) for one in post.receiver.received
         if one.event["partitionkey"] == order]
        for order in (ADA, BOB)
    ]  # fmt: skip
    assert by_order == [[1, 3, 4], [2]]
    for received in post.receiver.received:
        event = verified(received, webhook.secret)
        assert received.headers["webhook-id"] == event["id"]
        assert received.headers["content-type"] == "application/cloudevents+json"
    assert post.work() == 0


def test_a_library_of_the_specification_takes_what_is_sent(post: Post) -> None:
    webhook = post.webhook(post.subscribe())
    post.publish(ADA)
    post.deliveries.clock = post.clock = SystemClock()  # type: ignore[assignment]
    post.work()
    [received] = post.receiver.received

    event = standardwebhooks.Webhook(webhook.secret).verify(received.body, received.headers)

    assert event["data"] == {"order_id": ADA}
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(new_secret()).verify(received.body, received.headers)


def test_only_what_was_asked_for_is_sent(post: Post) -> None:
    post.subscribe("crossdock.shipment.*", "crossdock.sales_order.closed.v1", channels=["web"])
    for kind in ("shipment.left", "sales_order.closed", "sales_order.placed"):
        post.publish(ADA, kind=kind)
    post.publish(BOB, kind="shipment.left", channel="amazon")

    post.work()

    assert post.receiver.sequences() == [1, 2]


def test_a_failing_event_holds_back_its_order_and_nothing_else(post: Post) -> None:
    post.subscribe()
    post.receiver.answer = refuses(ADA)
    post.publish(ADA, BOB, ADA, BOB)
    post.work()
    assert post.receiver.sequences() == [1, 2, 4]

    post.receiver.answer = lambda received: Answer()
    post.wait(seconds=30)
    post.work()

    assert post.receiver.sequences() == [1, 2, 4, 1, 3]


def test_it_is_tried_again_later_and_later_with_the_same_id(post: Post) -> None:
    webhook = post.subscribe()
    post.receiver.answer = lambda received: Answer(503, (("retry-after", "120"),))
    post.publish(ADA)
    assert post.work() == 1
    post.wait(seconds=100)
    assert post.work() == 0
    post.wait(seconds=21)
    post.receiver.answer = lambda received: Answer(500)
    waits = []
    for _ in range(4):
        waited = 0
        while post.work() == 0:
            post.wait(seconds=1)
            waited += 1
        waits.append(waited)

    assert waits[0] == 0 and waits == sorted(waits) and waits[3] > 1.5 * waits[1] > 15
    assert len({one.headers["webhook-id"] for one in post.receiver.received}) == 1
    assert post.webhook(webhook).failures == len(post.receiver.received)


def test_a_receiver_that_fails_for_too_long_is_paused_with_a_case_and_resumes_where_it_was(
    post: Post,
) -> None:
    webhook = post.subscribe()
    post.receiver.answer = lambda received: Answer(500)
    post.publish(ADA, BOB, ADA)
    for _ in range(90):
        post.work()
        post.wait(hours=1)
    found = post.webhook(webhook)
    assert found.status is WebhookStatus.PAUSED and "answered 500" in found.reason
    assert ("webhook paused", "shop", "open") in post.cases()
    tried = len(post.receiver.received)
    post.publish(BOB)
    assert post.work() == 0

    post.receiver.answer = lambda received: Answer()
    changes = {"status": "active", "failures": 0, "failing_since": None, "next_try_at": None}
    store.change(post.connection, webhook, changes)
    post.wait(hours=2)
    post.work()

    assert sorted(post.receiver.sequences()[tried:]) == [1, 2, 3, 4]


def test_while_a_receiver_fails_it_is_asked_with_single_deliveries(post: Post) -> None:
    post.subscribe()
    post.receiver.answer = lambda received: Answer(500)
    orders = [f"{ADA[:-2]}{number:02x}" for number in range(40)]
    post.publish(*orders)
    post.work()
    first = len(post.receiver.received)

    post.wait(minutes=1)
    post.work()

    assert first == post.limits.probe_after_failures
    assert len(post.receiver.received) == first + 1


def test_one_event_that_never_gets_through_becomes_a_case(post: Post) -> None:
    post.subscribe()
    post.receiver.answer = refuses(ADA)
    for _ in range(14):
        post.publish(ADA, BOB)
        post.work()
        post.wait(hours=2)

    assert ("webhook delivery keeps failing", "shop", "open") in post.cases()
    taken = [one for one in post.receiver.received if one.event["partitionkey"] == BOB]
    assert len(taken) == 14


def test_a_receiver_that_is_gone_is_sent_nothing_more(post: Post) -> None:
    webhook = post.subscribe()
    post.receiver.answer = lambda received: Answer(410)
    post.publish(ADA, BOB)
    post.work()

    assert post.webhook(webhook).status is WebhookStatus.DISABLED
    assert post.cases() == [("webhook gone", "shop", "open")]
    post.wait(days=1)
    assert post.work() == 0 and len(post.receiver.received) == 1


def test_a_client_whose_key_was_revoked_is_sent_nothing_more(post: Post) -> None:
    wanted = keys.NewKey(name="app", grants=("subscriber",), scope=Scope())
    made = keys.create(post.connection, wanted, NOON, "tests")
    [webhook, other] = [
        post.subscribe(name=name, created_by=by) for name, by in (("app", made.id), ("shop", "x"))
    ]
    post.publish(ADA)
    post.work()
    keys.revoke(post.connection, "app", NOON, "tests")
    post.publish(ADA)
    post.work()

    assert len(post.receiver.received) == 3
    found = post.webhook(webhook)
    assert (found.status, found.reason) == (WebhookStatus.DISABLED, "its key was revoked")
    assert post.webhook(other).status is WebhookStatus.ACTIVE


def test_a_client_whose_key_has_expired_is_sent_nothing_until_somebody_acts(post: Post) -> None:
    wanted = keys.NewKey(name="app", grants=("subscriber",), scope=Scope(), lifetime_days=1)
    made = keys.create(post.connection, wanted, NOON, "tests")
    webhook = post.subscribe(created_by=made.id)
    post.publish(ADA)
    post.work()
    post.wait(days=1)
    post.publish(ADA)
    post.work()

    assert post.receiver.sequences() == [1]
    found = post.webhook(webhook)
    assert found.status is WebhookStatus.PAUSED and "rotate the key" in found.reason
    assert post.cases() == [("webhook paused", "shop", "open")]

    keys.rotate(post.connection, "app", post.clock.now())
    store.change(post.connection, webhook, {"status": "active"})
    post.work()
    assert post.receiver.sequences() == [1, 2]


def test_the_keys_of_test_mode_are_looked_up_where_they_are(post: Post) -> None:
    """The schema of test mode has a table of keys too, and nothing in it."""
    live = post.connection.execute("SELECT current_schema()").fetchone()
    assert live is not None
    made = keys.create(
        post.connection, keys.NewKey(name="trial", grants=("subscriber",), mode="test"), NOON, "t"
    )
    webhook = post.subscribe(created_by=made.id)
    post.connection.execute("CREATE SCHEMA elsewhere")
    for table in ("api_key", "api_key_secret"):
        statement = f"CREATE TABLE elsewhere.{table} (LIKE {table})"
        post.connection.execute(statement.encode())
    post.connection.execute("SET search_path TO elsewhere, public")
    post.deliveries.key_schema = live[0]
    post.publish(ADA)
    post.work()
    assert len(post.receiver.received) == 1
    post.connection.execute("UPDATE public.api_key SET revoked_at = %s, revoked_by = 't'", [NOON])
    post.publish(ADA)
    post.work()

    assert len(post.receiver.received) == 1
    assert post.webhook(webhook).status is WebhookStatus.DISABLED


def test_a_redirect_is_not_followed(post: Post) -> None:
    webhook = post.subscribe()
    post.receiver.answer = lambda received: Answer(302, (("location", post.receiver.url),))
    post.publish(ADA)
    post.work()

    assert len(post.receiver.received) == 1
    [(_, error)] = store.open_deliveries(post.connection, [webhook]).values()
    assert error == "answered 302: redirects are not followed"


def test_an_answer_that_drips_in_is_cut_off(post: Post) -> None:
    webhook = post.subscribe()
    post.receiver.answer = lambda received: Answer(200, drips_seconds=5)
    post.publish(ADA)
    begun = time.monotonic()

    post.work()

    assert time.monotonic() - begun < 3
    [(_, error)] = store.open_deliveries(post.connection, [webhook]).values()
    assert error.startswith("no answer")


def test_after_a_rotation_both_secrets_sign_for_a_while(post: Post) -> None:
    webhook = post.webhook(post.subscribe())
    changes: dict[str, Any] = {
        "secret": new_secret(),
        "former_secret": webhook.secret,
        "secret_until": post.clock.now().replace(hour=18),
    }
    store.change(post.connection, webhook.id, changes)
    post.connection.commit()
    post.publish(ADA)
    post.work()
    post.wait(hours=7)
    post.publish(ADA)
    post.work()

    both, new_only = post.receiver.received
    verified(both, webhook.secret)
    verified(both, changes["secret"])
    verified(new_only, changes["secret"])
    with pytest.raises(AssertionError):
        verified(new_only, webhook.secret)


def test_a_sender_that_dies_leaves_what_it_leased_to_another(post: Post) -> None:
    webhook = post.subscribe()
    post.publish(ADA, ADA)
    post.deliveries.queue(post.connection)
    now = post.clock.now()
    leased = store.claim(post.connection, webhook, now, now.replace(hour=13), 10)
    post.connection.commit()
    assert [one.sequence for one in leased] == [1]  # The second waits for the first.
    assert post.work() == 0

    post.wait(hours=2)
    post.work()

    assert post.receiver.sequences() == [1, 2]


def test_replaying_sends_the_same_events_with_the_same_ids_again(post: Post) -> None:
    webhook = post.subscribe()
    post.publish(ADA, BOB, ADA)
    post.work()
    store.change(post.connection, webhook, {"position": 1})
    post.connection.commit()

    post.work()

    assert sorted(post.receiver.sequences()[3:]) == [2, 3]
    ids = {one.event["sequence"]: one.headers["webhook-id"] for one in post.receiver.received}
    assert [ids[one.event["sequence"]] for one in post.receiver.received[3:]] == [
        one.headers["webhook-id"] for one in post.receiver.received[3:]
    ]


def test_threads_send_each_event_once_and_orders_in_order(post: Post, database_url: str) -> None:
    post.subscribe()
    orders = [f"{ADA[:-2]}{number:02x}" for number in range(12)]
    for _ in range(5):
        post.publish(*orders)
    stop = threading.Event()
    settings = Settings(webhooks=WebhookSettings(threads=3, allow_networks="127.0.0.0/8"))

    def connect(autocommit: bool) -> db.Connection:
        return db.connect(database_url, autocommit=autocommit)

    threads = run_events(connect, SystemClock(), settings, stop)
    with contextlib.suppress(AssertionError):
        for _ in range(200):
            assert len(post.receiver.received) < 60
            time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()

    assert sorted(post.receiver.sequences()) == list(range(1, 61))
    for order in orders:
        of_order = [one for one in post.receiver.received if one.event["partitionkey"] == order]
        places = [int(one.event["sequence"]) for one in of_order]
        assert places == sorted(places)
