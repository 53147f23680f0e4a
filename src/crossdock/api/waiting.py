"""Waiting a moment for what a worker does with a message, so that the answer can tell of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from litestar.concurrency import sync_to_thread

from crossdock.api.services import Backend
from crossdock.db import Connection

T = TypeVar("T")

PATIENCE_SECONDS = 2.0
"""Workers answer within some hundredths; where they are behind, the client asks again later."""

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.1


async def answer_of(
    backend: Backend,
    look: Callable[[Connection], T | None],
    patience_seconds: float = PATIENCE_SECONDS,
) -> T | None:
    """What `look` finds; None if it found nothing in time."""

    def once() -> T | None:
        with backend.reading() as connection:
            return look(connection)

    until, pause = monotonic() + patience_seconds, _FIRST_PAUSE
    while True:
        found = await sync_to_thread(once)
        if found is not None or monotonic() >= until:
            return found
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
