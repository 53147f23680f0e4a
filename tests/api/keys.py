"""API keys for tests."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from crossdock import db
from crossdock.api.access import keys
from crossdock.api.access.caller import Mode
from crossdock.api.access.permissions import Scope
from crossdock.kernel.clock import SystemClock


def make_key(
    connection: db.Connection,
    *grants: str,
    nodes: Iterable[str] | None = None,
    brands: Iterable[str] | None = None,
    regions: Iterable[str] | None = None,
    channels: Iterable[str] | None = None,
    mode: Mode = "live",
    requests: int | None = 0,
    lifetime_days: int = 1,
    now: datetime | None = None,
) -> str:
    """A new key's secret, committed; without grants it may do everything, as often as it likes."""

    def codes(named: Iterable[str] | None) -> frozenset[str] | None:
        return None if named is None else frozenset(named)

    scope = Scope(
        nodes=codes(nodes), brands=codes(brands), regions=codes(regions), channels=codes(channels)
    )
    new = keys.NewKey(
        name=f"test key {secrets.token_hex(4)}",
        grants=grants or ("administrator",),
        scope=scope,
        mode=mode,
        requests=requests,
        lifetime_days=lifetime_days,
    )
    made = keys.create(connection, new, now or SystemClock().now(), "tests")
    connection.commit()
    return made.secret


def make_expired_key(connection: db.Connection, *grants: str) -> str:
    """A key's secret that worked until yesterday."""
    return make_key(connection, *grants, now=SystemClock().now() - timedelta(days=2))


def bearer(secret: str) -> dict[str, str]:
    """The header that a secret is sent in."""
    return {"Authorization": f"Bearer {secret}"}
