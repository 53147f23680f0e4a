"""What `/metrics` shows of webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric

from crossdock import db
from crossdock.webhooks import store


def webhooks(connection: db.Connection, now: datetime) -> Iterator[Metric]:
    """Events that each webhook was not sent yet, and how old the oldest of them is."""
    labels = ["webhook", "status"]
    waiting = GaugeMetricFamily(
        "crossdock_webhook_deliveries", "Events that a webhook is still to be sent", labels=labels
    )
    oldest = GaugeMetricFamily(
        "crossdock_webhook_oldest_seconds", "Age of the oldest of these", labels=labels
    )
    for one in store.queues(connection):
        waiting.add_metric([one.name, one.status], one.deliveries)
        if one.oldest_at is not None:
            age = max(0.0, (now - one.oldest_at).total_seconds())
            oldest.add_metric([one.name, one.status], age)
    yield waiting
    yield oldest
