"""What a system really sent: raw inbound payloads, kept encrypted for a while.

They hold names and streets, so they are readable only with a key that the database does not have,
and are gone after `days`. Without a key none is kept.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from crossdock.db import Connection
from crossdock.kernel.errors import SettingRefused
from crossdock.ordering import payload_store

EXPIRED_AT_ONCE = 5_000
"""Rows that one call of `expire` deletes, at most."""


class RawPayload(NamedTuple):
    """One body as it was received. `source` and `source_id` are those of its deduplication."""

    source: str
    source_id: str
    body: bytes
    content_type: str = "application/json"


class KeptPayload(NamedTuple):
    """A payload read again; `body` is None where its key is gone."""

    received_at: datetime
    content_type: str
    body: bytes | None


class PayloadKeeper:
    """Encrypts with the first key, reads with all: a new one is put before the old ones."""

    def __init__(self, keys: Sequence[bytes], days: int) -> None:
        """Raises ValueError for what is no Fernet key."""
        self._secret = blake2b(keys[0], digest_size=32).digest()
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._days = days

    @classmethod
    def of(cls, keys: str, days: int) -> PayloadKeeper | None:
        """For keys as they are configured, the newest first. Raises SettingRefused."""
        listed = listed_keys(keys)
        return cls(listed, days) if listed else None

    def keep(self, connection: Connection, payloads: Sequence[RawPayload], now: datetime) -> None:
        """Keep them in one statement; the caller commits. The same one again is kept once."""
        expires_at = now + timedelta(days=self._days)
        rows = {
            (p.source, p.source_id, digest): (
                now, expires_at, p.source, p.source_id, p.content_type, digest,
                base64.urlsafe_b64decode(self._fernet.encrypt(p.body)),
            )
            for p in payloads
            for digest in (blake2b(p.body, digest_size=16, key=self._secret).digest(),)
        }  # fmt: skip
        payload_store.insert(connection, list(rows.values()))

    def read(self, connection: Connection, source: str, source_id: str) -> list[KeptPayload]:
        """What was received under that identity, oldest first."""
        return [
            KeptPayload(received_at, content_type, self._decrypted(body))
            for received_at, content_type, body in payload_store.of(connection, source, source_id)
        ]

    def _decrypted(self, body: bytes) -> bytes | None:
        try:
            return self._fernet.decrypt(base64.urlsafe_b64encode(body))
        except InvalidToken:
            return None


def listed_keys(keys: str) -> list[bytes]:
    """Keys as they are configured, the newest first. Raises SettingRefused for what is none."""
    listed = [key.strip().encode() for key in keys.split(",") if key.strip()]
    try:
        for key in listed:
            Fernet(key)
    except ValueError as refused:
        raise SettingRefused(
            "payloads.keys holds something that is no Fernet key.",
            advice="`crossdock payloads new-key` makes one.",
        ) from refused
    return listed


def new_key() -> str:
    """A key as the setting takes it."""
    return Fernet.generate_key().decode()


def forget(connection: Connection, source: str, source_ids: Sequence[str]) -> int:
    """Delete these before their time, as when a person is erased; returns how many went."""
    return payload_store.delete(connection, source, source_ids)


def expire(connection: Connection, now: datetime) -> bool:
    """A worker's chore: a step of deleting what is past its time; whether there may be more.

    The caller commits.
    """
    return payload_store.delete_expired(connection, now, EXPIRED_AT_ONCE) == EXPIRED_AT_ONCE
