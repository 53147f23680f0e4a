"""API keys, what scopes ask of the master data, and quotas, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from crossdock import db
from crossdock.api.access.permissions import Codes, Scope
from crossdock.api.access.scopes import ChannelPlace, NodePlace, Places


class KeyRow(NamedTuple):
    """A key without its secrets."""

    id: str
    name: str
    mode: str
    grants: tuple[str, ...]
    scope: Scope
    requests: int | None
    lifetime_days: int
    created_at: datetime
    revoked_at: datetime | None
    expires_at: datetime | None
    """Of the secret that lives longest; None where no secret was ever made."""


class SecretRow(NamedTuple):
    """What a client sends, hashed, and the key that it opens."""

    hash: bytes
    key_id: str
    expires_at: datetime


_KEY = """
    k.id, k.name, k.mode, k.grants, k.nodes, k.brands, k.regions, k.channels, k.requests,
    k.lifetime_days, k.created_at, k.revoked_at,
    (SELECT max(s.expires_at) FROM api_key_secret s WHERE s.key_id = k.id)
"""


def insert_key(connection: db.Connection, key: KeyRow, created_by: str) -> None:
    """A new key. Breaks `api_key_in_use_has_its_own_name` where the name is taken."""
    connection.execute(
        """
        INSERT INTO api_key (id, name, mode, grants, nodes, brands, regions, channels, requests,
            lifetime_days, created_at, created_by)
        VALUES (%s, %s, %s, %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s,
            %s, %s, %s)
        """,
        [
            key.id,
            key.name,
            key.mode,
            list(key.grants),
            *map(_listed, (key.scope.nodes, key.scope.brands, key.scope.regions)),
            _listed(key.scope.channels),
            key.requests,
            key.lifetime_days,
            key.created_at,
            created_by,
        ],
    )


def insert_secret(connection: db.Connection, secret: SecretRow, now: datetime) -> None:
    """One more secret that opens a key."""
    connection.execute(
        "INSERT INTO api_key_secret (hash, key_id, created_at, expires_at) VALUES (%s, %s, %s, %s)",
        [secret.hash, secret.key_id, now, secret.expires_at],
    )


def end_secrets(connection: db.Connection, key_id: str, at: datetime) -> None:
    """No secret of the key lives past that moment."""
    connection.execute(
        "UPDATE api_key_secret SET expires_at = %s WHERE key_id = %s AND expires_at > %s",
        [at, key_id, at],
    )


def lock_key(connection: db.Connection, id_or_name: str) -> KeyRow | None:
    """The key in use of that id or name, locked until the transaction ends."""
    row = connection.execute(
        f"""
        SELECT {_KEY} FROM api_key k
        WHERE (k.name = %s OR k.id::text = %s) AND k.revoked_at IS NULL
        ORDER BY k.id::text = %s DESC LIMIT 1
        FOR NO KEY UPDATE OF k
        """,
        [id_or_name] * 3,
    ).fetchone()
    return None if row is None else _key(row)


def revoke_key(connection: db.Connection, key_id: str, now: datetime, by: str) -> None:
    """From the next look on, no secret opens it."""
    connection.execute(
        "UPDATE api_key SET revoked_at = %s, revoked_by = %s WHERE id = %s", [now, by, key_id]
    )


def name_is_taken(connection: db.Connection, name: str) -> bool:
    """Whether a key in use has that name."""
    row = connection.execute(
        "SELECT 1 FROM api_key WHERE name = %s AND revoked_at IS NULL", [name]
    ).fetchone()
    return row is not None


def list_keys(
    connection: db.Connection,
    *,
    revoked: bool,
    after: tuple[datetime, UUID] | None = None,
    limit: int | None = None,
) -> list[KeyRow]:
    """Keys in the order they were made, with or without the revoked ones."""
    rows = connection.execute(
        f"""
        SELECT {_KEY} FROM api_key k
        WHERE (%s OR k.revoked_at IS NULL)
          AND (%s::timestamptz IS NULL OR (k.created_at, k.id) > (%s, %s::uuid))
        ORDER BY k.created_at, k.id LIMIT %s
        """,
        [revoked, *(after[:1] if after else (None,)), *(after or (None, None)), limit],
    ).fetchall()
    return [_key(row) for row in rows]


def list_secrets(connection: db.Connection, since: datetime) -> list[SecretRow]:
    """The secrets of keys in use, those too that expired after `since`."""
    rows = connection.execute(
        """
        SELECT s.hash, s.key_id, s.expires_at
        FROM api_key_secret s JOIN api_key k ON k.id = s.key_id
        WHERE k.revoked_at IS NULL AND s.expires_at > %s
        """,
        [since],
    ).fetchall()
    return [SecretRow(bytes(hashed), key_id, expires) for hashed, key_id, expires in rows]


def versions(connection: db.Connection) -> tuple[int, ...]:
    """Go up when keys, nodes or channels change: two small tables."""
    row = connection.execute(
        """
        SELECT (SELECT version FROM api_key_version),
               (SELECT version FROM master_data_version WHERE kind = 'network'),
               (SELECT version FROM master_data_version WHERE kind = 'channels')
        """,
        prepare=True,
    ).fetchone()
    assert row is not None, "a SELECT without FROM has a row"
    return tuple(row)


def places(connection: db.Connection) -> Places:
    """All nodes and channels, as scopes look at them."""
    nodes = connection.execute("SELECT code, region, brands FROM node").fetchall()
    channels = connection.execute("SELECT code, brand FROM channel").fetchall()
    return Places(
        tuple(NodePlace(code, region, tuple(brands)) for code, region, brands in nodes),
        tuple(ChannelPlace(*row) for row in channels),
    )


def take_quota(
    connection: db.Connection, client: str, window_start: datetime, block: int
) -> tuple[datetime, int]:
    """Take a block of a window; returns the window it was taken of, and all taken of it so far.

    Windows never go back: a process whose clock is behind takes of the newer one.
    """
    row = connection.execute(
        """
        INSERT INTO request_quota AS q (client, window_start, taken) VALUES (%s, %s, %s)
        ON CONFLICT (client) DO UPDATE SET
            window_start = greatest(q.window_start, excluded.window_start),
            taken = excluded.taken
                + CASE WHEN q.window_start >= excluded.window_start THEN q.taken ELSE 0 END
        RETURNING window_start, taken
        """,
        [client, window_start, block],
        prepare=True,
    ).fetchone()
    assert row is not None, "an upsert returns its row"
    return row[0], row[1]


def forget_quotas(connection: db.Connection, before: datetime) -> None:
    """Drop the rows of windows long over."""
    connection.execute("DELETE FROM request_quota WHERE window_start < %s", [before])


def _key(row: Sequence[Any]) -> KeyRow:
    key_id, name, mode, grants, *scopes = row[:8]
    nodes, brands, regions, channels = map(_codes, scopes)
    scope = Scope(nodes=nodes, brands=brands, regions=regions, channels=channels)
    return KeyRow(key_id, name, mode, tuple(grants), scope, *row[8:])


def _codes(codes: list[str] | None) -> Codes:
    return None if codes is None else frozenset(codes)


def _listed(codes: Codes) -> list[str] | None:
    return None if codes is None else sorted(codes)
