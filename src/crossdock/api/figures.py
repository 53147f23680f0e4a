"""What one API process counts of its requests."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from crossdock.engine.figures import MESSAGES, SECONDS, Figures


class ApiFigures(Figures):
    """Requests by route, what was refused, and the commits that requests share."""

    kind = "api"

    def __init__(self, process: str = "") -> None:
        super().__init__(process or f"api {socket.gethostname()}-{os.getpid()}")
        self._requests = Counter(
            "crossdock_requests",
            "Requests answered; status 0 is one whose client went away",
            ("route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "crossdock_request_seconds",
            "Time to answer a request",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._refused = Counter(
            "crossdock_requests_refused",
            "Requests refused because of too much load, by reason",
            ("reason",),
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "crossdock_requests_in_flight",
            "Requests under way, by who is shed first",
            ("tier",),
            registry=self.registry,
        )
        self._items = Histogram(
            "crossdock_commit_items",
            "Requests that shared a commit",
            ("group",),
            buckets=MESSAGES,
            registry=self.registry,
        )
        self._commits = Histogram(
            "crossdock_commit_seconds",
            "Time of a shared commit, with what it writes",
            ("group",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._answered: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request is over; `route` is a method and a template, never a path."""
        found = self._answered.get((route, status))
        if found is None:
            found = self._requests.labels(route, str(status)), self._seconds.labels(route)
            self._answered[route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def refused(self, reason: str) -> None:
        """A request was not let in."""
        self._refused.labels(reason).inc()

    def in_flight(self, tier: str, count: Callable[[], float]) -> None:
        """Where to read how many requests of a tier are under way."""
        self._in_flight.labels(tier).set_function(count)

    def committed(self, group: str, items: int, seconds: float) -> None:
        """A shared commit has ended."""
        self._items.labels(group).observe(items)
        self._commits.labels(group).observe(seconds)

    def show_waiting(self, groups: Callable[[], Iterable[tuple[str, int]]]) -> None:
        """Where to read how many requests wait for a shared commit, by group."""
        self.registry.register(_Waiting(groups))


class _Waiting(Collector):
    """Read when somebody asks."""

    def __init__(self, groups: Callable[[], Iterable[tuple[str, int]]]) -> None:
        self._groups = groups

    def collect(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(
            "crossdock_commit_waiting", "Requests that wait for a shared commit", labels=["group"]
        )
        for name, count in self._groups():
            waiting.add_metric([name], count)
        yield waiting
