"""Events go when they are old, oldest first; nobody who is still owed one is robbed of it."""

from __future__ import annotations

import contextlib

from crossdock import db
from crossdock.events import store as events
from crossdock.events.model import Interest
from crossdock.webhooks import store
from crossdock.webhooks.retention import EventRetention
from tests.webhooks.conftest import ADA, BOB, Post
from tests.webhooks.receiver import Answer


def remove_old(post: Post, days: int = 30, step: int = 20_000) -> int:
    """One step; up to where events are removed."""
    EventRetention(days, step)(post.connection, post.clock.now())
    post.connection.commit()
    until = events.removed(post.connection).until
    post.connection.rollback()
    return until


def kept(post: Post) -> list[int]:
    rows = events.events_between(post.connection, 0, 1_000, Interest(), 1_000)
    post.connection.rollback()
    return [row.sequence for row in rows]


def test_events_are_removed_when_they_are_old_and_never_before(post: Post) -> None:
    post.publish(ADA, BOB)
    post.wait(days=20)
    post.publish(ADA)

    post.wait(days=9, hours=23)
    assert remove_old(post) == 0 and kept(post) == [1, 2, 3]

    post.wait(hours=2)
    assert remove_old(post) == 2 and kept(post) == [3]
    assert events.removed(post.connection).recorded_until is not None
    post.wait(days=20)
    assert remove_old(post) == 3 and kept(post) == []

    post.publish(BOB)
    assert remove_old(post) == 3 and kept(post) == [4]


def test_they_go_in_small_steps_from_the_oldest_on(post: Post) -> None:
    post.publish(*[ADA] * 7)
    post.wait(days=31)

    assert [remove_old(post, step=3) for _ in range(4)] == [3, 6, 7, 7]


def test_a_full_step_asks_for_another_one(post: Post) -> None:
    post.publish(*[ADA] * 7)
    post.wait(days=31)
    step = EventRetention(30, step=3)

    assert [step(post.connection, post.clock.now()) for _ in range(4)] == [True, True, False, False]


def test_one_worker_at_a_time_removes(post: Post, database_url: str) -> None:
    post.publish(ADA)
    post.wait(days=31)
    with contextlib.closing(db.connect(database_url)) as other:
        assert events.lock_retention(other) == 0

        assert remove_old(post) == 0 and kept(post) == [1]


def test_what_an_active_webhook_has_not_looked_at_stays(post: Post) -> None:
    post.subscribe()
    post.publish(ADA, BOB)
    post.work()
    post.publish(ADA)
    post.wait(days=31)

    assert remove_old(post) == 2 and kept(post) == [3]

    post.work()
    assert post.receiver.sequences() == [1, 2, 3]
    assert remove_old(post) == 3 and kept(post) == []


def test_an_event_that_an_active_webhook_fails_to_send_stays_and_holds_back_no_other(
    post: Post,
) -> None:
    webhook = post.subscribe()
    post.receiver.answer = lambda received: Answer(
        500 if received.event["partitionkey"] == ADA else 204
    )
    post.publish(ADA, BOB, ADA, BOB)
    post.work()
    post.wait(days=31)

    assert remove_old(post) == 4 and kept(post) == [1, 3]

    post.receiver.answer = lambda received: Answer()
    post.work()
    assert post.receiver.sequences()[-2:] == [1, 3]
    assert post.webhook(webhook).missed_until is None
    remove_old(post)
    assert kept(post) == []


def test_a_paused_webhook_holds_nothing_back_and_shows_what_it_missed(post: Post) -> None:
    webhook = post.subscribe()
    post.receiver.answer = lambda received: Answer(500)
    post.publish(ADA, BOB)
    post.work()
    store.change(post.connection, webhook, {"status": "paused"})
    post.connection.commit()
    post.publish(ADA)
    post.wait(days=31)
    post.publish(BOB)

    assert remove_old(post) == 3 and kept(post) == [4]
    found = post.webhook(webhook)
    assert (found.missed_until, found.position) == (3, 3)

    sent = len(post.receiver.received)
    post.receiver.answer = lambda received: Answer()
    changes = {"status": "active", "failures": 0, "failing_since": None, "next_try_at": None}
    store.change(post.connection, webhook, changes)
    post.work()
    assert post.receiver.sequences()[sent:] == [4]


def test_a_webhook_that_has_all_it_wants_misses_nothing_by_being_switched_off_later(
    post: Post,
) -> None:
    webhook = post.subscribe()
    post.publish(ADA)
    post.work()
    store.change(post.connection, webhook, {"status": "disabled"})
    post.connection.commit()
    post.wait(days=31)

    assert remove_old(post) == 1

    assert post.webhook(webhook).missed_until is None
