"""The threads that publish events and send them, beside the dispatcher."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from crossdock import db
from crossdock.events import publisher
from crossdock.events.stock import StockTeller
from crossdock.kernel.clock import Clock
from crossdock.settings import Settings, WebhookSettings
from crossdock.webhooks import store
from crossdock.webhooks.addresses import Guard, networks
from crossdock.webhooks.deliveries import Deliveries, WebhookLimits
from crossdock.webhooks.sealing import SecretKeeper
from crossdock.webhooks.sender import Sender

log = structlog.get_logger(__name__)

Connect = Callable[[bool], db.Connection]
"""Opens a connection; the flag is for autocommit."""

IDLE_SECONDS = 0.2
RETRY_SECONDS = 1.0


def run_events(
    connect: Connect,
    clock: Clock,
    everything: Settings,
    stop: threading.Event,
    key_schema: str = "",
) -> list[threading.Thread]:
    """Start the senders, and a publisher that queues for them; they end after `stop` is set.

    `key_schema`: where the API keys are, for a schema without. Raises SettingRefused.
    """
    settings, keeper = everything.webhooks, SecretKeeper(everything.payloads.keys)
    guard = Guard(networks(settings.allow_networks))
    limits = limits_of(settings)
    busy = _Busy(max(1, settings.threads // 2))
    senders = [
        Deliveries(clock, Sender(guard, limits.timeout_seconds), limits, keeper, key_schema)
        for _ in range(settings.threads)
    ]
    stock = StockTeller(clock, settings.stock_seconds)

    def then(connection: db.Connection) -> None:
        stock(connection)
        senders[0].queue(connection)

    publishing = (connect, stop, then)
    threads = [threading.Thread(target=publisher.run, args=publishing, name="publish")]
    for number, deliveries in enumerate(senders):
        loop = _Loop(connect, deliveries, busy, stop)
        threads.append(threading.Thread(target=loop.run, name=f"webhooks {number}"))
    for thread in threads:
        thread.start()
    return threads


def keep_events(
    connect: Connect, clock: Clock, everything: Settings, key_schema: str, stop: threading.Event
) -> None:
    """The same, and wait until they end."""
    for thread in run_events(connect, clock, everything, stop, key_schema):
        thread.join()


def limits_of(settings: WebhookSettings) -> WebhookLimits:
    """The limits as configured."""
    return WebhookLimits(
        timeout_seconds=settings.timeout_seconds,
        first_wait_seconds=settings.backoff_seconds,
        longest_wait_seconds=settings.backoff_limit_seconds,
        pause_after_hours=settings.pause_hours,
    )


class _Busy:
    """How many threads work for each webhook, so that a slow one does not take them all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, webhook_id: str) -> bool:
        with self._lock:
            if self._count.get(webhook_id, 0) >= self._most:
                return False
            self._count[webhook_id] = self._count.get(webhook_id, 0) + 1
            return True

    def leave(self, webhook_id: str) -> None:
        with self._lock:
            self._count[webhook_id] -= 1


class _Loop:
    """One thread: send what is due, wait when there is nothing."""

    def __init__(
        self, connect: Connect, deliveries: Deliveries, busy: _Busy, stop: threading.Event
    ) -> None:
        self.connect = connect
        self.deliveries = deliveries
        self.busy = busy
        self.stop = stop

    def run(self) -> None:
        connection: db.Connection | None = None
        while not self.stop.is_set():
            try:
                connection = connection or self.connect(False)
                if not self._step(connection):
                    self.stop.wait(IDLE_SECONDS)
            except Exception as error:
                log.warning("webhooks wait", seconds=RETRY_SECONDS, error=str(error))
                if connection is not None:
                    connection.close()
                    connection = None
                self.stop.wait(RETRY_SECONDS)
        self.deliveries.sender.close()
        if connection is not None:
            connection.close()

    def _step(self, connection: db.Connection) -> int:
        done = 0
        waiting = store.due(connection, self.deliveries.clock.now())
        connection.rollback()
        for webhook_id in waiting:
            if self.stop.is_set():
                break
            if self.busy.take(webhook_id):
                try:
                    done += self.deliveries.send(connection, webhook_id)
                finally:
                    self.busy.leave(webhook_id)
        return done
