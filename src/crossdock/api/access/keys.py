"""API keys: made, rotated, revoked, listed. A secret is shown once; its SHA-256 is what is kept.

A secret has 256 random bits, so a fast hash is enough: slow ones are for passwords people choose.
The functions do not commit.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from crossdock import db
from crossdock.api.access import store
from crossdock.api.access.caller import Mode
from crossdock.api.access.faults import KeyFault, KeyNameTaken, NoSuchKey
from crossdock.api.access.permissions import (
    EVERYTHING,
    PERMISSIONS,
    ROLES,
    Scope,
    Side,
    expand,
    out_of_reach,
)
from crossdock.kernel.ids import derive

LIFETIME_DAYS = 365
OVERLAP = timedelta(days=1)

_PREFIXES = ("crossdock_live_", "crossdock_test_")
_RANDOM_BYTES = 32


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key to be made. `requests` per window: None is the setting's number, 0 without limit."""

    name: str
    grants: tuple[str, ...]
    scope: Scope = Scope()
    mode: Mode = "live"
    requests: int | None = None
    lifetime_days: int = LIFETIME_DAYS


class IssuedKey(msgspec.Struct, frozen=True):
    """The only time that a secret is seen."""

    id: str
    name: str
    secret: str
    expires_at: datetime
    others_end_at: datetime | None = None
    """When the secrets from before the rotation stop working."""


def create(
    connection: db.Connection,
    new: NewKey,
    now: datetime,
    by: str,
    own_roles: Mapping[str, Iterable[str]] | None = None,
) -> IssuedKey:
    """Make a key with its first secret. Raises KeyFault saying why it cannot be made."""
    _check(new, own_roles or {})
    if store.name_is_taken(connection, new.name):
        raise KeyNameTaken(
            f"There is a key named {new.name} already.",
            advice="Take another name, rotate the key, or revoke it first.",
        )
    key_id = derive(now, "api_key", secrets.token_hex(16))
    key = store.KeyRow(
        id=key_id,
        name=new.name,
        mode=new.mode,
        grants=new.grants,
        scope=new.scope,
        requests=new.requests,
        lifetime_days=new.lifetime_days,
        created_at=now,
        revoked_at=None,
        expires_at=None,
    )
    store.insert_key(connection, key, by)
    return _issue(connection, key, now)


def rotate(
    connection: db.Connection, id_or_name: str, now: datetime, overlap: timedelta = OVERLAP
) -> IssuedKey:
    """A new secret for the same client; the ones it has work for `overlap` longer, at most.

    Raises NoSuchKey.
    """
    key = existing(connection, id_or_name)
    end = now + overlap
    store.end_secrets(connection, key.id, end)
    return msgspec.structs.replace(_issue(connection, key, now), others_end_at=end)


def revoke(connection: db.Connection, id_or_name: str, now: datetime, by: str) -> store.KeyRow:
    """No secret of it works any more, once the processes have looked again (seconds).

    Raises NoSuchKey.
    """
    key = existing(connection, id_or_name)
    store.revoke_key(connection, key.id, now, by)
    return key


def listed(
    connection: db.Connection,
    *,
    revoked: bool = False,
    after: tuple[datetime, UUID] | None = None,
    limit: int | None = None,
) -> list[store.KeyRow]:
    """The keys in the order they were made, after one (created_at, id), without their secrets."""
    return store.list_keys(connection, revoked=revoked, after=after, limit=limit)


def unknown_codes(connection: db.Connection, scope: Scope) -> list[str]:
    """What a scope names and the master data do not: a slip of the pen, or made before them."""
    places = store.places(connection)
    known = {EVERYTHING, *(node.code for node in places.nodes)}
    known |= {channel.code for channel in places.channels}
    known |= {node.region or "" for node in places.nodes}
    known |= {brand for node in places.nodes for brand in node.brands}
    known |= {channel.brand or "" for channel in places.channels}
    named = (scope.nodes, scope.brands, scope.regions, scope.channels)
    return sorted({code for codes in named for code in codes or ()} - known)


def is_secret(credential: str) -> bool:
    """Whether a credential has the form of an API key's secret, and so is no access token."""
    return credential.startswith(_PREFIXES)


def hash_of(secret: str) -> bytes:
    """What is kept of a secret: 32 bytes."""
    return hashlib.sha256(secret.encode()).digest()


def _issue(connection: db.Connection, key: store.KeyRow, now: datetime) -> IssuedKey:
    secret = f"crossdock_{key.mode}_{secrets.token_urlsafe(_RANDOM_BYTES)}"
    expires_at = now + timedelta(days=key.lifetime_days)
    store.insert_secret(connection, store.SecretRow(hash_of(secret), key.id, expires_at), now)
    return IssuedKey(key.id, key.name, secret, expires_at)


def existing(connection: db.Connection, id_or_name: str) -> store.KeyRow:
    """The key in use of that id or name, locked. Raises NoSuchKey."""
    key = store.lock_key(connection, id_or_name)
    if key is None:
        raise NoSuchKey(
            f"No key in use has the id or name {id_or_name}.",
            advice="`crossdock keys list --revoked` shows them all.",
        )
    return key


def _check(new: NewKey, own_roles: Mapping[str, Iterable[str]]) -> None:
    if not new.name.strip() or not new.grants:
        raise KeyFault("A key needs a name and at least one role or permission.")
    if new.lifetime_days < 1 or (new.requests or 0) < 0:
        raise KeyFault("A key lives for a day or longer, and its quota is not negative.")
    permissions, unknown = expand(new.grants, own_roles)
    if unknown:
        raise KeyFault(
            f"No role and no permission: {', '.join(unknown)}.",
            advice=f"Roles: {', '.join([*ROLES, *own_roles])}. "
            f"Permissions: {', '.join(PERMISSIONS)}.",
        )
    _check_reach(permissions, new.scope)


def _check_reach(permissions: frozenset[str], scope: Scope) -> None:
    too_wide = out_of_reach(permissions, scope)
    whole = sorted(name for name in too_wide if PERMISSIONS[name].side is Side.WHOLE)
    if whole:
        raise KeyFault(
            f"A limited key cannot have {', '.join(whole)}: what they open is not kept apart by "
            "node or channel.",
            advice="Leave them out, or make a second key without limits for them.",
        )
    if too_wide:
        side = PERMISSIONS[min(too_wide)].side.value
        raise KeyFault(
            f"The key is limited, but not in {side}, and {', '.join(sorted(too_wide))} would open "
            f"all of them.",
            advice=f"Name the {side}, or '*' if all are meant, or leave the permissions out.",
        )
