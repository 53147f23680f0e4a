"""How much a connector is asked at once: what its failures, its rate and its pace allow."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class Breaker:
    """Stops calling a system that fails, and asks now and then with a single effect."""

    most_failures: int
    wait_seconds: float
    failures: int = 0
    probe_at: datetime | None = None
    raised: bool = False
    """The last call ended in an exception: the next ones put no more than one effect in doubt."""

    @property
    def is_open(self) -> bool:
        return self.failures >= self.most_failures

    def allowed(self, now: datetime, wanted: int) -> int:
        """How many of the effects wanted may be sent."""
        if not self.is_open:
            return min(wanted, 1) if self.raised else wanted
        return 1 if self.probe_at is None or now >= self.probe_at else 0

    def count(self, succeeded: int, failed: int, now: datetime, *, raised: bool = False) -> None:
        """What came of a call."""
        self.raised = raised
        self.failures = 0 if succeeded else self.failures + failed
        self.probe_at = now + timedelta(seconds=self.wait_seconds) if self.is_open else None


@dataclass
class Rate:
    """How many effects may be sent now: those of one second at most are saved up, or one."""

    then: float
    tokens: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, wanted: int, per_second: float | None, instant: float) -> int:
        """So many of those wanted may be sent; `instant` in seconds, as `time.monotonic` says."""
        if per_second is None:
            return wanted
        with self.lock:
            tokens = self.tokens + (instant - self.then) * per_second
            tokens = min(tokens, max(per_second, 1.0))
            taken = max(0, min(int(tokens), wanted))
            self.tokens, self.then = tokens - taken, instant
            return taken

    def give_back(self, unused: int) -> None:
        """Of those taken, so many were not sent."""
        with self.lock:
            self.tokens += unused


@dataclass
class Pace:
    """How many effects are answered in half a lease, if each takes as long as in the last call."""

    lease_seconds: float
    limit: int
    most: int

    def learn(self, seconds: float, sent: int) -> None:
        """A call took so long for so many effects."""
        most = self.limit
        if seconds > 0:
            most = min(most, int(self.lease_seconds / 2 / seconds * sent))
        self.most = max(1, most)
