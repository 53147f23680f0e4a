"""Which policies a command works under: its option, the network's folder, the settings, ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from crossdock import db
from crossdock.allocation.policies import Active, PolicyShelf, activate, load_version
from crossdock.allocation.store import active_policies, currencies_of_rates
from crossdock.kernel.errors import SettingRefused
from crossdock.ordering.policy import load_order_policies
from crossdock.settings import PolicySettings
from crossdock.sourcing.policy_files import SHIPPED, load_policy, shipped_policy_text


def sourcing_policy(
    settings: PolicySettings, option: str | None = None, network: Path | None = None
) -> str:
    """The sourcing policy to use: a path or the name of a shipped one."""
    return option or str(_beside(network, "sourcing.toml") or settings.sourcing or "default")


def order_policy(
    settings: PolicySettings, option: Path | None = None, network: Path | None = None
) -> Path | None:
    """The file of the order policy to use; None stands for the shipped one."""
    configured = Path(settings.orders) if settings.orders else None
    return option or _beside(network, "orders.toml") or configured


def checked_order_policy(
    settings: PolicySettings, option: Path | None = None, network: Path | None = None
) -> Path | None:
    """The same, for what takes long to start: read once, so that a mistake is found before.

    Raises SettingRefused.
    """
    file = order_policy(settings, option, network)
    load_order_policies(file)
    return file


def policy_text(policy: str, rates: Sequence[str] = ()) -> str:
    """The text of a policy file, checked, or of a shipped policy. Raises PolicyNotFound, ...

    `rates` are the currencies in which nodes state their cost rates, the most frequent first: a
    shipped policy is put into it; of one that is in none of them no node could take part.
    """
    if policy in SHIPPED:
        return shipped_policy_text(policy, *rates[:1])
    path = Path(policy)
    currency = load_policy(path).currency
    if rates and currency not in rates:
        raise SettingRefused(
            f"The sourcing policy {policy} is in {currency}, the nodes' cost rates in "
            f"{', '.join(rates)}.",
            advice="Write both in one currency: no exchange rate says what one is in the other.",
        )
    return path.read_text(encoding="utf-8")


def put_in_force(connection: db.Connection, settings: PolicySettings, now: datetime) -> str | None:
    """Make the configured sourcing policy the one for all; its version if it was not before.

    What is in force for single brands and channels stays. The caller commits.
    """
    if not settings.sourcing:
        return None
    rates = currencies_of_rates(connection)
    text, name = policy_text(settings.sourcing, rates), Path(settings.sourcing).name
    version = load_version(connection, text, name, now).version
    active: Active = PolicyShelf().active(connection, now)
    if active["", ""] == version:
        return None
    activate(connection, version, now)
    return version


def rates_nobody_reckons_in(connection: db.Connection) -> list[str]:
    """Currencies of nodes' cost rates in which no sourcing policy in force is, if any is."""
    shelf, versions = PolicyShelf(), set(active_policies(connection).values())
    reckoned = {shelf.version(connection, version).currency for version in versions}
    return [rate for rate in currencies_of_rates(connection) if reckoned and rate not in reckoned]


def _beside(network: Path | None, name: str) -> Path | None:
    """A policy of a configuration folder."""
    if network is None or not (network / "policies" / name).is_file():
        return None
    return network / "policies" / name
