"""Which sourcing policy is in force: immutable versions, one active per brand and channel.

An active row for a channel wins over one for a brand, which wins over the one for all. Where none
is active the shipped default is loaded, in the currency of the nodes' rates, and made active, so
that a Decision always names a version.
"""

from __future__ import annotations

from datetime import datetime

from crossdock.allocation import store
from crossdock.db import Connection
from crossdock.sourcing.policy import SourcingPolicy
from crossdock.sourcing.policy_files import parse_policy, shipped_policy_text

Active = dict[tuple[str, str], str]
"""(brand, channel) to the version in force; '' stands for all."""


def load_version(connection: Connection, text: str, source: str, now: datetime) -> SourcingPolicy:
    """Check a policy's TOML and keep it as a version; the same content again changes nothing.

    Raises PolicyRefused, which names `source`, the key and the remedy.
    """
    policy = parse_policy(text, source)
    store.add_policy(connection, policy.version, policy.name, text, now)
    return policy


def activate(
    connection: Connection, version: str, now: datetime, *, brand: str = "", channel: str = ""
) -> None:
    """Put a loaded version in force for a brand, a channel or all; batches from now on use it."""
    store.activate_policy(connection, brand, channel, version, now)


def in_force(active: Active, brand: str, channel: str) -> str:
    """The version for an order of that brand and channel: the narrowest that is active."""
    for key in ((brand, channel), ("", channel), (brand, "")):
        version = active.get(key)
        if version is not None:
            return version
    return active["", ""]


class PolicyShelf:
    """A worker's parsed versions. They never change, so that they are kept for good."""

    def __init__(self) -> None:
        self._parsed: dict[str, SourcingPolicy] = {}

    def version(self, connection: Connection, version: str) -> SourcingPolicy:
        """A loaded version, parsed once."""
        policy = self._parsed.get(version)
        if policy is None:
            text = store.policy_text(connection, version)
            assert text is not None, f"policy version {version} is not loaded"
            policy = self._parsed[version] = parse_policy(text, f"version {version}")
        return policy

    def active(self, connection: Connection, now: datetime) -> Active:
        """What is in force now; where nothing is for all, the shipped default becomes it."""
        active = store.active_policies(connection)
        if ("", "") not in active:
            text = shipped_policy_text("default", *store.currencies_of_rates(connection)[:1])
            policy = load_version(connection, text, "default.toml", now)
            activate(connection, policy.version, now)
            active["", ""] = policy.version
        return active
