"""Access tokens as one API process knows them: verified in a thread, then kept for seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from crossdock.api.access.directory import Client, Directory
from crossdock.api.access.errors import credential_refused
from crossdock.api.access.faults import IssuerUnreachable
from crossdock.api.access.keys import hash_of
from crossdock.api.access.oidc import Issuer
from crossdock.api.problems import unavailable
from crossdock.settings import AccessSettings

_TOKENS_KEPT = 10_000


class Tokens:
    """Asked on the event loop. A token is verified again after `key_cache_seconds`."""

    def __init__(
        self,
        issuer: Issuer | None,
        directory: Directory,
        settings: AccessSettings,
        threads: ThreadPoolExecutor,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._directory = directory
        self._seconds = settings.key_cache_seconds
        self._threads = threads
        self._monotonic = monotonic
        self._verified: dict[bytes, tuple[float, Client]] = {}

    async def find(self, token: str) -> Client:
        """The client of an access token. Raises ApiProblem 401, or 503 without issuer."""
        if self._issuer is None:
            raise credential_refused("It is no API key, and no issuer of tokens is configured.")
        hashed = hash_of(token)
        verified_at, client = self._verified.get(hashed, (float("-inf"), None))
        now = self._monotonic()
        if client is not None and now - verified_at < self._seconds:
            return client
        loop = asyncio.get_running_loop()
        try:
            grant = await loop.run_in_executor(self._threads, self._issuer.verify, token)
        except IssuerUnreachable as unreachable:
            raise unavailable("The issuer of access tokens cannot be reached.") from unreachable
        await self._directory.refresh()
        client = self._directory.client_of(grant)
        if len(self._verified) >= _TOKENS_KEPT:
            self._verified.clear()
        self._verified[hashed] = (now, client)
        return client
