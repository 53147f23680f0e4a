"""`/metrics`: the whole installation, whichever process is asked, in Prometheus' text format.

What workers, dispatchers and the other API processes count comes from their rows, what this process
counts from memory, and how queues stand from the tables themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import structlog
from litestar import Response, Router, get
from litestar.datastructures import State
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from crossdock import __version__, db
from crossdock.api import watch_store
from crossdock.api.figures import ApiFigures
from crossdock.api.services import Backend
from crossdock.api.watch import Watch
from crossdock.engine import figures
from crossdock.kernel.errors import Fault

log = structlog.get_logger(__name__)

FRESH_SECONDS = 5.0
"""Whoever asks again sooner gets the same answer: the database is not asked in between."""

Source = Callable[[db.Connection, datetime], Iterable[Metric]]


def gauge(
    name: str, text: str, label: str, values: Iterable[tuple[str, float]]
) -> GaugeMetricFamily:
    """One gauge with a value for each of a label's values."""
    made = GaugeMetricFamily(f"crossdock_{name}", text, labels=[label])
    for value, number in values:
        made.add_metric([value], number)
    return made


def queues(connection: db.Connection, now: datetime) -> Iterator[Metric]:
    """Inbox, outbox, held messages, dead letters, Cases."""

    def age(since: datetime) -> float:
        return max(0.0, (now - since).total_seconds())

    most = f", counted up to {watch_store.MOST_COUNTED:,}"
    inbox = GaugeMetricFamily("crossdock_inbox_messages", f"Messages that wait for a worker{most}")
    inbox.add_metric([], watch_store.inbox_messages(connection))
    yield inbox
    effects = watch_store.open_effects(connection, now)
    of = "connector"
    yield gauge("outbox_effects", "Open effects", of, ((e.connector, e.effects) for e in effects))
    yield gauge("outbox_due", "Effects to be sent now", of, ((e.connector, e.due) for e in effects))
    text = "Age of the oldest open effect"
    yield gauge(
        "outbox_oldest_seconds", text, of, ((e.connector, age(e.oldest_at)) for e in effects)
    )
    held = watch_store.held_messages(connection)
    text = "Messages early for their stage, or behind a parked process"
    yield gauge("held_messages", text, "reason", ((h.reason, h.messages) for h in held))
    text = "Age of the oldest of these"
    yield gauge("held_oldest_seconds", text, "reason", ((h.reason, age(h.oldest_at)) for h in held))
    letters = GaugeMetricFamily("crossdock_dead_letters", "Dead letters to be retried or skipped")
    letters.add_metric([], watch_store.dead_letters(connection))
    yield letters
    yield gauge("open_cases", "Open Cases", "kind", watch_store.open_cases(connection))


def freshness(connection: db.Connection, now: datetime) -> Iterator[Metric]:
    """How old what we know is: stock by source, the event log by reader."""
    feeds = watch_store.feeds(connection)
    text = "Nodes that a source of stock has told about"
    yield gauge("stock_feed_nodes", text, "source", ((f.source, f.nodes) for f in feeds))
    for which, said in (("oldest", "longest"), ("newest", "last")):
        values = [(f.source, getattr(f, f"{which}_heard_at")) for f in feeds]
        text = f"Since the node of a source that was heard of {said} ago was heard of"
        ages = ((source, (now - heard).total_seconds()) for source, heard in values)
        yield gauge(f"stock_feed_{which}_seconds", text, "source", ages)
    lags = watch_store.reader_lags(connection)
    yield gauge("log_reader_behind", "Log entries a reader has not read yet", "reader", lags)


def invariants(connection: db.Connection, now: datetime) -> Iterator[Metric]:
    """How the last checks of the rules ended."""
    checks = watch_store.checks(connection)
    text = "Rows that break a rule at its last check, counted up to a limit; none: not in time"
    found = ((c.rule, c.violations) for c in checks if c.violations is not None)
    yield gauge("invariant_violations", text, "invariant", found)
    ages = ((c.rule, (now - c.ended_at).total_seconds()) for c in checks)
    yield gauge("invariant_checked_seconds", "Since the last check of a rule", "invariant", ages)


SOURCES: list[Source] = [queues, freshness, invariants]
"""Asked for every scrape; a capability may add its own."""


class Metrics(Collector):
    """All that is shown; collected at most once in FRESH_SECONDS."""

    def __init__(self, backend: Backend, own: ApiFigures, watch: Watch) -> None:
        self.backend = backend
        self.own = own
        self.watch = watch
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._lock = threading.Lock()
        self._made, self._text = 0.0, b""

    def text(self) -> bytes:
        """Prometheus' text format."""
        with self._lock:
            if not self._text or time.monotonic() - self._made > FRESH_SECONDS:
                self._text = generate_latest(self._registry)
                self._made = time.monotonic()
            return self._text

    def collect(self) -> Iterator[Metric]:
        version = GaugeMetricFamily("crossdock_info", "This version", labels=["version"])
        version.add_metric([__version__], 1)
        yield version
        seen = self.watch.seen
        ready = GaugeMetricFamily("crossdock_ready", "1 while this process can work")
        ready.add_metric([], not seen.trouble())
        yield ready
        text = "How long the oldest message waits for a worker"
        yield gauge("inbox_oldest_seconds", text, "queue", seen.waiting_seconds)
        rows = [(self.own.process, figures.pack(self.own.registry))]
        asked: list[Metric] = []
        try:
            with self.backend.reading() as connection:
                now = self.backend.clock.now()
                others = figures.of_running(connection, now)
                rows += [row for row in others if row[0] != self.own.process]
                for source in SOURCES:
                    asked += source(connection, now)
        except Fault as fault:
            # What is in memory is shown all the same: it is now that somebody looks.
            log.warning("metrics without the database", error=fault.problem)
        yield from figures.merge(rows)
        yield from asked


@get(
    "/metrics",
    opt={"permission": "metrics:read", "shed": "last"},
    media_type=CONTENT_TYPE_LATEST,
    sync_to_thread=True,
)
def metrics(state: State) -> Response[bytes]:
    """Figures of the whole installation, in Prometheus' text format."""
    found: Metrics = state.operations.metrics
    return Response(found.text(), media_type=CONTENT_TYPE_LATEST)


router = Router("/", route_handlers=[metrics], tags=["operations"])
