"""A receiver, and events to be sent to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from crossdock import db
from crossdock.events import store as events
from crossdock.kernel.clock import VirtualClock
from crossdock.kernel.ids import derive
from crossdock.webhooks import store
from crossdock.webhooks.addresses import Guard, networks
from crossdock.webhooks.deliveries import Deliveries, WebhookLimits
from crossdock.webhooks.model import Webhook, WebhookStatus, new_secret
from crossdock.webhooks.sender import Sender
from tests.webhooks.receiver import Receiver

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ADA, BOB = derive(NOON, "ada"), derive(NOON, "bob")
HERE = Guard(networks("127.0.0.0/8"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


class Post:
    """Publishes events of orders, and sends them until nothing is due."""

    def __init__(self, connection: db.Connection, receiver: Receiver, guard: Guard = HERE) -> None:
        self.connection = connection
        self.receiver = receiver
        self.clock = VirtualClock(NOON)
        self.limits = WebhookLimits(timeout_seconds=1.0)
        self.sender = Sender(guard, self.limits.timeout_seconds)
        self.deliveries = Deliveries(self.clock, self.sender, self.limits)

    def subscribe(
        self,
        *types: str,
        url: str = "",
        channels: list[str] | None = None,
        name: str = "shop",
        created_by: str = "tests",
    ) -> str:
        """A webhook that begins with what is published next."""
        webhook = Webhook(
            id=derive(self.clock.now(), "webhook", name),
            name=name,
            url=url or self.receiver.url,
            types=list(types or ("crossdock.*",)),
            channels=channels,
            nodes=None,
            status=WebhookStatus.ACTIVE,
            reason="",
            position=events.last_sequence(self.connection),
            created_at=self.clock.now(),
            changed_at=self.clock.now(),
            created_by=created_by,
            failing_since=None,
            failures=0,
            next_try_at=None,
            secret=new_secret(),
            former_secret=None,
            secret_until=None,
        )
        assert store.insert(self.connection, webhook)
        self.connection.commit()
        return webhook.id

    def publish(self, *orders: str, kind: str = "package.delivered", channel: str = "web") -> None:
        """One event of each order named, in that order."""
        last = events.lock_publisher(self.connection)
        assert last is not None
        now = self.clock.now()
        rows = [
            (
                sequence, now, now, derive(now, str(sequence)), order, order, order,
                f"crossdock.{kind}.v1", f"{channel}:{sequence}", channel, "boston",
                f'{{"order_id":"{order}"}}',
            )
            for sequence, order in enumerate(orders, start=last + 1)
        ]  # fmt: skip
        events.append(self.connection, rows)
        self.connection.commit()

    def work(self, rounds: int = 50) -> int:
        """Queue and send all that is due now; returns how many were tried."""
        tried = 0
        for _ in range(rounds):
            self.deliveries.queue(self.connection)
            due = store.due(self.connection, self.clock.now())
            step = sum(self.deliveries.send(self.connection, one) for one in due)
            tried += step
            if not step:
                break
        return tried

    def wait(self, **time: float) -> None:
        self.clock.move_to(self.clock.now() + timedelta(**time))

    def webhook(self, webhook_id: str) -> Webhook:
        found = store.find(self.connection, webhook_id)
        assert found is not None
        self.connection.rollback()
        return found

    def cases(self) -> list[tuple[str, str, str]]:
        rows = self.connection.execute(
            "SELECT kind, subject, status FROM case_file ORDER BY opened_at"
        ).fetchall()
        self.connection.rollback()
        return [(kind, subject, status) for kind, subject, status in rows]


@pytest.fixture
def post(connection: db.Connection, receiver: Receiver) -> Iterator[Post]:
    post = Post(connection, receiver)
    yield post
    post.sender.close()
