"""Getting events to their receivers: queued per webhook, sent in order per order, retried, paused.

A delivery is leased in one transaction, sent outside any, and finished in another, as the effects
of the dispatcher are; after a crash it is sent again, with the same id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import structlog

from crossdock import db
from crossdock.engine import store as engine_store
from crossdock.kernel.clock import Clock
from crossdock.kernel.ids import derive
from crossdock.webhooks import store
from crossdock.webhooks.model import Delivery, Webhook, WebhookStatus
from crossdock.webhooks.sealing import SecretKeeper
from crossdock.webhooks.sender import Sender, Sent

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class WebhookLimits:
    """How deliveries are queued, repeated and given up on."""

    batch: int = 20
    """Deliveries of one webhook that are leased at once."""
    window: int = 5_000
    """Published events that are looked at for a webhook in one step."""
    most_open: int = 5_000
    """Open deliveries of a webhook at which nothing more is queued for it."""
    timeout_seconds: float = 15.0
    """For one exchange as a whole."""
    first_wait_seconds: float = 5.0
    longest_wait_seconds: float = 3600.0
    """Backoff doubles from the first to the longest wait, spread by up to a quarter."""
    probe_after_failures: int = 3
    """Failures in a row after which a webhook is asked with a single delivery."""
    pause_after_hours: float = 72.0
    """A webhook that failed for so long without a success is paused, with a Case."""
    case_after_attempts: int = 12
    """Tries of one delivery, while others get through, at which a Case is opened."""


KEY_GONE = (
    "its secret cannot be decrypted: put its key back into payloads.keys, or change the secret; "
    "then resume it"
)

Tried = list[tuple[Delivery, Sent]]


class Deliveries:
    """One sender's work; any number of them, anywhere, share the queue."""

    def __init__(
        self,
        clock: Clock,
        sender: Sender,
        limits: WebhookLimits,
        keeper: SecretKeeper | None = None,
        key_schema: str = "",
    ) -> None:
        """`key_schema`: where the API keys of its clients are, if not in the schema of its own."""
        self.clock = clock
        self.sender = sender
        self.limits = limits
        self.keeper = keeper or SecretKeeper()
        self.key_schema = key_schema
        self._renewed = False

    def queue(self, connection: db.Connection) -> int:
        """Open deliveries for what was published, and commit; returns the webhooks looked at."""
        self._renew_secrets(connection)
        ended = store.end_those_of_ended_keys(connection, self.clock.now(), self.key_schema)
        for webhook in ended:
            if webhook.status is WebhookStatus.PAUSED:
                self._open_case(connection, webhook, "webhook paused", webhook.reason)
        behind = store.behind(connection, self.limits.most_open)
        for webhook, last in behind:
            until = min(last, webhook.position + self.limits.window)
            store.enqueue(connection, webhook, until, webhook.interest, self.clock.now())
        connection.commit()
        return len(behind)

    def send(self, connection: db.Connection, webhook_id: str) -> int:
        """Send a batch of one webhook's deliveries; returns how many were tried."""
        now = self.clock.now()
        webhook = store.find(connection, webhook_id)
        if webhook is None or webhook.status is not WebhookStatus.ACTIVE:
            connection.rollback()
            return 0
        if self.keeper.opened(webhook.secret) is None:
            self._pause(connection, webhook, KEY_GONE)
            return 0
        limit = self.limits.probe_after_failures
        most = 1 if webhook.failures >= limit else self.limits.batch
        lease = timedelta(seconds=self.limits.timeout_seconds * most + 30)
        claimed = store.claim(connection, webhook_id, now, now + lease, most)
        connection.commit()
        tried: Tried = []
        for delivery in claimed:
            secrets = [one for one in map(self.keeper.opened, webhook.secrets(now)) if one]
            sent = self.sender.send(webhook.url, secrets, delivery.event, self.clock.now())
            tried.append((delivery, sent))
            if sent.gone or not sent.answered or _failed_last(tried) >= limit:
                break
        if claimed:
            rest = [delivery.sequence for delivery in claimed[len(tried) :]]
            self._finish(connection, webhook_id, tried, rest)
        return len(tried)

    def _renew_secrets(self, connection: db.Connection) -> None:
        """Once: what was stored readable, or under an older key, is stored under the first key."""
        if self._renewed:
            return
        for webhook_id, secret, former in store.stored_secrets(connection):
            now = {"secret": secret, "former_secret": former}
            new = {name: one and self.keeper.renewed(one) for name, one in now.items()}
            if new != now:
                store.change(connection, webhook_id, new)
        self._renewed = True

    def _pause(self, connection: db.Connection, webhook: Webhook, reason: str) -> None:
        store.change(
            connection, webhook.id, {"status": WebhookStatus.PAUSED.value, "reason": reason}
        )
        self._open_case(connection, webhook, "webhook paused", reason)
        connection.commit()

    def _finish(
        self,
        connection: db.Connection,
        webhook_id: str,
        tried: Tried,
        rest: list[int],
    ) -> None:
        now = self.clock.now()
        webhook = store.find(connection, webhook_id, lock=True)
        if webhook is None:  # Deleted meanwhile, and its deliveries with it.
            connection.rollback()
            return
        delivered = [delivery.sequence for delivery, sent in tried if sent.delivered]
        store.remove(connection, webhook_id, delivered)
        if rest:
            store.release(connection, webhook_id, rest)
        for delivery, sent in tried:
            if not sent.delivered:
                due = now + self._wait(delivery, sent)
                store.put_back(connection, webhook_id, delivery.sequence, due, sent.error)
                if delivery.attempt == self.limits.case_after_attempts:
                    detail = f"{delivery.event.type} {delivery.event.id}: {sent.error}"
                    self._open_case(connection, webhook, "webhook delivery keeps failing", detail)
        self._judge(connection, webhook, tried, now)
        connection.commit()

    def _judge(
        self,
        connection: db.Connection,
        webhook: Webhook,
        tried: Tried,
        now: datetime,
    ) -> None:
        """What the attempts say about the webhook as a whole."""
        if all(sent.delivered for _, sent in tried):
            if webhook.failures or webhook.failing_since is not None:
                well = {"failures": 0, "failing_since": None, "next_try_at": None}
                store.change(connection, webhook.id, well)
            return
        delivery, last = tried[-1]
        worked = any(sent.delivered for _, sent in tried)
        failures = _failed_last(tried) + (0 if worked else webhook.failures)
        since = now if worked else webhook.failing_since or now
        changes: dict[str, Any] = {
            "failures": failures,
            "failing_since": since if failures else None,
        }
        if last.gone:
            changes |= {
                "status": WebhookStatus.DISABLED.value,
                "reason": "the receiver answered 410",
            }
            self._open_case(connection, webhook, "webhook gone", "the receiver answered 410")
        elif now - since >= timedelta(hours=self.limits.pause_after_hours):
            reason = f"failed since {since:%Y-%m-%d %H:%M} UTC: {last.error}"
            changes |= {"status": WebhookStatus.PAUSED.value, "reason": reason}
            self._open_case(connection, webhook, "webhook paused", reason)
        elif failures >= self.limits.probe_after_failures:
            attempt = delivery._replace(attempt=failures)
            changes["next_try_at"] = now + self._wait(attempt, last)
        store.change(connection, webhook.id, changes)

    def _wait(self, delivery: Delivery, sent: Sent) -> timedelta:
        limits = self.limits
        wait = min(
            limits.first_wait_seconds * 2 ** min(delivery.attempt - 1, 30),
            limits.longest_wait_seconds,
        )
        digest = blake2b(f"{delivery.event.id}{delivery.attempt}".encode(), digest_size=1).digest()
        asked = min(sent.retry_after_seconds or 0.0, limits.longest_wait_seconds)
        return timedelta(seconds=max(asked, wait * (1 + digest[0] / 1024)))

    def _open_case(
        self, connection: db.Connection, webhook: Webhook, kind: str, detail: str
    ) -> None:
        log.warning(kind, webhook=webhook.id, name=webhook.name, detail=detail)
        now = self.clock.now()
        row = (
            derive(webhook.created_at, "case", webhook.id, kind),
            kind,
            webhook.name,
            f"{webhook.url}: {detail}",
            3,
            "webhooks",
            webhook.id,
            None,
            now,
        )
        engine_store.open_cases(connection, [row])


def _failed_last(tried: Tried) -> int:
    """How many failed since the last success."""
    count = 0
    for _, sent in reversed(tried):
        if sent.delivered:
            break
        count += 1
    return count
