"""What a running process counts of its own work, for whoever scrapes /metrics.

Counting is in memory, some microseconds per batch. Every few seconds a process replaces its one row
of figures in the database, so that any API process can show those of all workers and dispatchers,
on whichever machine they run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import Metric

from crossdock.engine import figures_store
from crossdock.engine.effects import ClaimedEffect, Done, EffectResult, Unknown

Connection = psycopg.Connection[Any]

REPORT_SECONDS = 10.0
GONE_AFTER = timedelta(seconds=60)
"""A process that has not reported for so long is not shown any more."""

MESSAGES = (1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_000, 5_000)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
LONG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600)


class StoredMetric(msgspec.Struct, frozen=True, array_like=True):
    """A metric as it is kept in a row; a sample is (name, labels, value)."""

    name: str
    kind: str
    help: str
    samples: list[tuple[str, dict[str, str], float]]


class Figures:
    """The figures of one process, named uniquely among all of its database's processes."""

    kind = "api"

    def __init__(self, process: str) -> None:
        self.process = process
        self.registry = CollectorRegistry()
        self._due: datetime | None = None
        self._reporting = threading.Lock()

    def report(self, connection: Connection, now: datetime) -> bool:
        """Replace this process's row where it is time to; the caller commits if it did."""
        with self._reporting:
            if self._due is not None and now < self._due:
                return False
            self._due = now + timedelta(seconds=REPORT_SECONDS)
        figures_store.report(connection, self.process, self.kind, pack(self.registry), now)
        return True


class WorkerFigures(Figures):
    """Batches of one worker."""

    kind = "worker"

    def __init__(self, process: str) -> None:
        super().__init__(process)
        names: Mapping[str, Any] = {"registry": self.registry}
        self._messages = Histogram(
            "crossdock_batch_messages",
            "Messages and timer firings that a batch started from",
            buckets=MESSAGES,
            **names,
        )
        self._seconds = Histogram(
            "crossdock_batch_seconds",
            "Length of a batch, commit included",
            buckets=SECONDS,
            **names,
        )
        self._handled = Counter(
            "crossdock_messages_handled", "Messages that processes and stations handled", **names
        )
        self._dead = Counter(
            "crossdock_messages_dead", "Messages that became dead letters", **names
        )
        self._faults = Counter(
            "crossdock_worker_faults", "Batches that a passing fault ended and undid", **names
        )

    def batch_done(self, taken: int, handled: int, dead: int, seconds: float) -> None:
        """One batch that had something to do is committed."""
        self._messages.observe(taken)
        self._seconds.observe(seconds)
        self._handled.inc(handled)
        self._dead.inc(dead)

    def fault(self) -> None:
        """A batch was undone and is tried again."""
        self._faults.inc()


class DispatchFigures(Figures):
    """Effects and circuit breakers of one dispatcher."""

    kind = "dispatcher"

    def __init__(self, process: str, connectors: Iterable[str] = ()) -> None:
        super().__init__(process)
        names: Mapping[str, Any] = {"labelnames": ("connector",), "registry": self.registry}
        self._calls = Histogram(
            "crossdock_effect_call_seconds",
            "Time of one call of a connector, whatever came of it",
            buckets=SECONDS,
            **names,
        )
        self._ages = Histogram(
            "crossdock_effect_age_seconds",
            "From an effect's decision to its answer, all tries and waits included",
            buckets=LONG_SECONDS,
            **names,
        )
        self._results = Counter(
            "crossdock_effects",
            "Attempts of effects by what came of them",
            ("connector", "result"),
            registry=self.registry,
        )
        self._open = Gauge(
            "crossdock_breaker_open", "1 while a connector is only asked by probes", **names
        )
        self._failures = Gauge(
            "crossdock_breaker_failures", "Failures in a row of a connector", **names
        )
        for connector in connectors:
            self.breaker(connector, 0, is_open=False)

    def called(
        self,
        connector: str,
        claimed: Sequence[ClaimedEffect],
        results: Sequence[EffectResult],
        seconds: float,
        now: datetime,
    ) -> None:
        """One call of a connector has ended."""
        self._calls.labels(connector).observe(seconds)
        ages = self._ages.labels(connector)
        counted = {"done": 0, "try_later": 0, "unknown": 0}
        for one, result in zip(claimed, results, strict=True):
            if isinstance(result, Done):
                counted["done"] += 1
                ages.observe((now - one.effect.created_at).total_seconds())
            else:
                counted["unknown" if isinstance(result, Unknown) else "try_later"] += 1
        for said, count in counted.items():
            if count:
                self._results.labels(connector, said).inc(count)

    def breaker(self, connector: str, failures: int, is_open: bool) -> None:
        """Where a connector's circuit breaker stands."""
        self._open.labels(connector).set(is_open)
        self._failures.labels(connector).set(failures)


def pack(registry: CollectorRegistry) -> bytes:
    """The metrics of a registry as they are kept in a row."""
    return msgspec.msgpack.encode(
        [
            StoredMetric(
                metric.name,
                metric.type,
                metric.documentation,
                [
                    (sample.name, dict(sample.labels), float(sample.value))
                    for sample in metric.samples
                    if not sample.name.endswith("_created")
                ],
            )
            for metric in registry.collect()
        ]
    )


_decode = msgspec.msgpack.Decoder(list[StoredMetric]).decode


def merge(rows: Iterable[tuple[str, bytes]]) -> Iterator[Metric]:
    """One family per metric over the rows (process, figures), each sample with its process."""
    families: dict[str, Metric] = {}
    for process, figures in rows:
        for stored in _decode(figures):
            family = families.get(stored.name)
            if family is None:
                family = families[stored.name] = Metric(stored.name, stored.help, stored.kind)
            for name, labels, value in stored.samples:
                family.add_sample(name, {**labels, "process": process}, value)
    yield from families.values()


def of_running(connection: Connection, now: datetime) -> list[tuple[str, bytes]]:
    """(process, figures) of all that have reported lately."""
    rows = figures_store.reported_since(connection, now - GONE_AFTER)
    return [(process, figures) for process, _, figures in rows]
