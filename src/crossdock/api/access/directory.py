"""The keys as one API process knows them: read whole, kept for seconds, asked by every request.

Looking up a key touches no database, whether it exists or not. What a key may do and see is worked
out when it is read. After `key_cache_seconds` without a successful look nothing is answered from
memory any more: a revoked key stops working within that time, also when the database is away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import msgspec

from crossdock import db
from crossdock.api.access import store
from crossdock.api.access.caller import Caller, Mode
from crossdock.api.access.errors import credential_expired, credential_refused
from crossdock.api.access.keys import hash_of
from crossdock.api.access.permissions import Scope, expand, out_of_reach
from crossdock.api.access.scopes import Places, limit, seen_channels, seen_nodes
from crossdock.kernel.clock import Clock
from crossdock.settings import AccessSettings

_LOOK_AGAIN_SECONDS = 0.02
_REMEMBER_EXPIRED = timedelta(days=30)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a credential says of its client, before its scope is looked up in the master data."""

    id: str
    name: str
    mode: Mode
    permissions: frozenset[str]
    scope: Scope
    requests: int | None = None
    expires_at: datetime


class Client(msgspec.Struct, frozen=True):
    """A caller, until when, and how many requests it has in each window (0: without limit)."""

    caller: Caller
    expires_at: datetime
    requests: int


class _Known(msgspec.Struct, frozen=True):
    """All that was read at one time."""

    read_at: float
    versions: tuple[int, ...]
    places: Places
    clients: dict[bytes, Client]


class Directory:
    """Asked on the event loop; reads in threads of its own, so that slow work cannot delay it."""

    def __init__(
        self,
        pool: db.Pool,
        clock: Clock,
        settings: AccessSettings,
        threads: ThreadPoolExecutor,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._settings = settings
        self._threads = threads
        self._monotonic = monotonic
        self._known = _Known(float("-inf"), (), Places(), {})
        self._reading: asyncio.Task[None] | None = None

    async def find(self, secret: str) -> Client:
        """The client of a key. Raises ApiProblem 401 if it opens nothing (any more)."""
        asked_at = self._monotonic()
        hashed = hash_of(secret)
        await self.refresh()
        client = self._known.clients.get(hashed)
        while client is None and self._known.read_at < asked_at:
            # It may have been made a moment ago. Whoever guesses waits, and reads no oftener.
            await asyncio.sleep(max(0.0, _LOOK_AGAIN_SECONDS - self._age()))
            await self._read_again()
            client = self._known.clients.get(hashed)
        if client is None:
            raise credential_refused()
        if client.expires_at <= self._clock.now():
            raise credential_expired()
        return client

    async def refresh(self) -> None:
        """Look again at half the time; wait for it only where the whole time is over."""
        age = self._age()
        if age > self._settings.key_cache_seconds:
            await self._read_again()
        elif age > self._settings.key_cache_seconds / 2:
            self._start_reading()

    def client_of(self, grant: Grant) -> Client:
        """A grant with its scope looked up in the master data as last read."""
        return _client(grant, self._known.places, self._settings)

    def _age(self) -> float:
        return self._monotonic() - self._known.read_at

    async def _read_again(self) -> None:
        await asyncio.shield(self._start_reading())

    def _start_reading(self) -> asyncio.Task[None]:
        """The one reading under way; all that wait share it."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read_in_thread())
            self._reading.add_done_callback(_retrieve)
        return self._reading

    async def _read_in_thread(self) -> None:
        loop = asyncio.get_running_loop()
        self._known = await loop.run_in_executor(self._threads, self._read)

    def _read(self) -> _Known:
        read_at = self._monotonic()
        with self._pool.connection() as connection:
            versions = store.versions(connection)
            if versions == self._known.versions:
                return msgspec.structs.replace(self._known, read_at=read_at)
            places = store.places(connection)
            keys = store.list_keys(connection, revoked=False)
            secrets = store.list_secrets(connection, self._clock.now() - _REMEMBER_EXPIRED)
        by_id = {key.id: key for key in keys}
        clients = {
            secret.hash: _client(self._grant(by_id[secret.key_id], secret), places, self._settings)
            for secret in secrets
            if secret.key_id in by_id
        }
        return _Known(read_at, versions, places, clients)

    def _grant(self, key: store.KeyRow, secret: store.SecretRow) -> Grant:
        permissions, _ = expand(key.grants, self._settings.roles)
        return Grant(
            id=key.id,
            name=key.name,
            mode="test" if key.mode == "test" else "live",
            permissions=permissions,
            scope=key.scope,
            requests=key.requests,
            expires_at=secret.expires_at,
        )


def _client(grant: Grant, places: Places, settings: AccessSettings) -> Client:
    """A permission that the scope cannot narrow is left out, however it came to be granted."""
    scope = grant.scope
    caller = Caller(
        id=grant.id,
        name=grant.name,
        mode=grant.mode,
        permissions=grant.permissions - out_of_reach(grant.permissions, scope),
        nodes=seen_nodes(scope, places),
        brands=limit(scope.brands),
        regions=limit(scope.regions),
        channels=seen_channels(scope, places),
    )
    requests = settings.requests if grant.requests is None else grant.requests
    return Client(caller, grant.expires_at, requests)


def _retrieve(task: asyncio.Task[None]) -> None:
    """A reading that nobody waited for failed: those who come after the cache time read again."""
    if not task.cancelled():
        task.exception()
