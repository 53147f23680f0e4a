"""A virtual clock that several processes read."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime

from crossdock.kernel.clock import VirtualClock


class SharedClock(VirtualClock):
    """Moved by the process that made it, read by those it is handed to when they are spawned."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        # Without a lock, which a killed process would keep: a double is written in one piece.
        self._seconds = multiprocessing.get_context("spawn").RawValue("d", start.timestamp())

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._seconds.value, UTC)

    def move_to(self, instant: datetime) -> None:
        assert instant >= self.now(), "time never goes back"
        self._seconds.value = instant.timestamp()
