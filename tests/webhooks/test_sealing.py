"""Secrets of webhooks: not to be read in the database, while their keys are there."""

from __future__ import annotations

from crossdock.ordering.payloads import new_key
from crossdock.webhooks import store
from crossdock.webhooks.deliveries import Deliveries
from crossdock.webhooks.model import WebhookStatus, new_secret
from crossdock.webhooks.sealing import SecretKeeper
from crossdock.webhooks.sender import signature
from tests.webhooks.conftest import ADA, NOON, Post

OLD, NEW = new_key(), new_key()


def sent_with(post: Post, keys: str) -> int:
    """Publish and send one event by a sender of those keys."""
    post.deliveries = Deliveries(post.clock, post.sender, post.limits, SecretKeeper(keys))
    post.publish(ADA)
    return post.work()


def test_a_secret_is_stored_encrypted_and_signs_as_it_is() -> None:
    secret = new_secret()
    keeper = SecretKeeper(OLD)
    stored = keeper.sealed(secret)
    assert secret.removeprefix("whsec_") not in stored and not stored.startswith("whsec_")
    assert keeper.opened(stored) == secret
    assert SecretKeeper().opened(stored) is None
    assert SecretKeeper(NEW).opened(stored) is None
    assert SecretKeeper().sealed(secret) == secret == keeper.opened(secret)


def test_what_was_stored_readable_is_encrypted_once_there_is_a_key(post: Post) -> None:
    webhook = post.subscribe()
    secret = post.webhook(webhook).secret
    for keys in (OLD, f"{NEW},{OLD}", NEW):
        assert sent_with(post, keys) == 1
        stored = post.webhook(webhook).secret
        assert SecretKeeper(keys.partition(",")[0]).opened(stored) == secret != stored
    for received in post.receiver.received:
        signed = signature([secret], received.headers["webhook-id"], received.body, NOON)
        assert received.headers["webhook-signature"] == signed["webhook-signature"]


def test_a_webhook_whose_key_is_gone_waits_and_goes_on_where_it_was(post: Post) -> None:
    webhook = post.subscribe()
    assert sent_with(post, OLD) == 1
    assert sent_with(post, NEW) == 0
    found = post.webhook(webhook)
    assert found.status is WebhookStatus.PAUSED and "payloads.keys" in found.reason
    assert post.cases() == [("webhook paused", "shop", "open")]
    store.change(post.connection, webhook, {"status": "active"})
    assert sent_with(post, f"{NEW},{OLD}") == 2
