"""Rate limits: how many requests a client has in a window, whichever API processes they come to.

A process takes a block of the client's quota from one row and hands it out from memory; blocks get
smaller as the quota nears its end, so that all of it can be used, and never more. A client that has
used it up costs no further look at the database until the next window.
"""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from crossdock import db
from crossdock.api.access import store
from crossdock.kernel.clock import Clock

_MOST_BLOCKS = 50
"""A block is at most this part of the quota: a process that stops takes no more than it along."""
_SHARE_OF_THE_REST = 8
_CLIENTS_KEPT = 10_000
_KEEP_ROWS = timedelta(days=1)


class Standing(NamedTuple):
    """Where a client stands after a request, for the RateLimit headers."""

    quota: int
    window_seconds: int
    remaining: int
    reset_seconds: int
    admitted: bool


class _Account:
    """What this process holds of one client's window, and what it last saw was left for all."""

    def __init__(self, window: int, quota: int) -> None:
        self.window = window
        self.quota = quota
        self.held = 0
        self.shared = quota
        self.taking: asyncio.Task[None] | None = None


class Quotas:
    """Asked on the event loop; writes in threads, one row per block."""

    def __init__(
        self, pool: db.Pool, clock: Clock, window_seconds: int, threads: ThreadPoolExecutor
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._window_seconds = window_seconds
        self._threads = threads
        self._accounts: dict[str, _Account] = {}
        self._swept_at = datetime.min.replace(tzinfo=UTC)
        self.blocks_taken = 0
        """Writes so far, for metrics."""

    async def take(self, client: str, quota: int) -> Standing:
        """Count one request of a client that has `quota` in each window."""
        now = self._clock.now().timestamp()
        account = self._account(client, int(now // self._window_seconds), quota)
        while account.held == 0 and account.shared > 0:
            await asyncio.shield(self._start_taking(client, account))
        admitted = account.held > 0
        if admitted:
            account.held -= 1
        reset = math.ceil((account.window + 1) * self._window_seconds - now)
        remaining = account.held + account.shared
        return Standing(quota, self._window_seconds, remaining, max(reset, 1), admitted)

    def _account(self, client: str, window: int, quota: int) -> _Account:
        account = self._accounts.get(client)
        if account is None or account.window < window or account.quota != quota:
            if len(self._accounts) >= _CLIENTS_KEPT:
                self._accounts = {c: a for c, a in self._accounts.items() if a.window >= window}
            account = self._accounts[client] = _Account(window, quota)
        return account

    def _start_taking(self, client: str, account: _Account) -> asyncio.Task[None]:
        """The one block under way; all requests of the client that wait share it."""
        if account.taking is None or account.taking.done():
            account.taking = asyncio.get_running_loop().create_task(self._take(client, account))
        return account.taking

    async def _take(self, client: str, account: _Account) -> None:
        block = max(
            1, min(account.quota // _MOST_BLOCKS, math.ceil(account.shared / _SHARE_OF_THE_REST))
        )
        start = datetime.fromtimestamp(account.window * self._window_seconds, UTC)
        loop = asyncio.get_running_loop()
        window_start, taken = await loop.run_in_executor(
            self._threads, self._write, client, start, block
        )
        account.window = int(window_start.timestamp()) // self._window_seconds
        before = taken - block
        account.held += max(0, min(block, account.quota - before))
        account.shared = max(0, account.quota - taken)
        self.blocks_taken += 1

    def _write(self, client: str, start: datetime, block: int) -> tuple[datetime, int]:
        with self._pool.connection() as connection:
            written = store.take_quota(connection, client, start, block)
            if start - self._swept_at > _KEEP_ROWS:
                self._swept_at = start
                store.forget_quotas(connection, start - _KEEP_ROWS)
            connection.commit()
        return written
