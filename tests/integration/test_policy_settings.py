"""Which policies are in force: the option, the network's folder, the setting, the shipped one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crossdock import db
from crossdock.allocation.policies import PolicyShelf, activate, in_force, load_version
from crossdock.cli.policies import order_policy, policy_text, put_in_force, sourcing_policy
from crossdock.ordering.policy import load_order_policies
from crossdock.settings import PolicySettings, load_settings
from crossdock.sourcing.errors import PolicyNotFound
from crossdock.sourcing.policy_files import shipped_policy_text

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration folder with both policies and settings that name them."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "orders.toml").write_text("[orders]\nbackorder_days = 3\n")
    (tmp_path / "policies" / "sourcing.toml").write_text(shipped_policy_text("nearest"))
    (tmp_path / "crossdock.toml").write_text(
        '[policies]\norders = "policies/orders.toml"\nsourcing = "policies/sourcing.toml"\n'
    )
    return tmp_path


def test_paths_of_the_settings_file_are_taken_from_its_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    policies = load_settings(folder / "crossdock.toml", {}).policies
    assert policies.orders == str(folder / "policies" / "orders.toml")
    assert load_order_policies(order_policy(policies)).orders.backorder_days == 3
    assert policy_text(sourcing_policy(policies)) == shipped_policy_text("nearest")


def test_a_name_that_is_no_file_stays_a_name(folder: Path) -> None:
    (folder / "crossdock.toml").write_text('[policies]\nsourcing = "fewest-splits"\n')
    policies = load_settings(folder / "crossdock.toml", {}).policies
    assert sourcing_policy(policies) == "fewest-splits"
    assert order_policy(policies) is None


def test_an_option_goes_before_the_networks_folder_and_that_before_the_setting(
    folder: Path,
) -> None:
    setting = PolicySettings(orders="elsewhere.toml", sourcing="margin-aware")
    beside = folder / "policies"
    option = Path("mine.toml")
    assert sourcing_policy(setting, "nearest", folder) == "nearest"
    assert sourcing_policy(setting, None, folder) == str(beside / "sourcing.toml")
    assert sourcing_policy(setting, None, None) == "margin-aware"
    assert sourcing_policy(PolicySettings()) == "default"
    assert order_policy(setting, option, folder) == option
    assert order_policy(setting, None, folder) == beside / "orders.toml"
    assert order_policy(setting) == Path("elsewhere.toml")
    assert order_policy(PolicySettings()) is None


def test_a_policy_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(PolicyNotFound, match=r"nowhere\.toml"):
        policy_text("nowhere.toml")


def test_the_configured_policy_is_put_in_force_once_and_leaves_channels_their_own(
    connection: db.Connection,
) -> None:
    own = load_version(connection, shipped_policy_text("margin-aware"), "x", NOW).version
    activate(connection, own, NOW, channel="market")

    version = put_in_force(connection, PolicySettings(sourcing="nearest"), NOW)
    again = put_in_force(connection, PolicySettings(sourcing="nearest"), NOW)

    active = PolicyShelf().active(connection, NOW)
    assert version is not None and again is None
    assert in_force(active, "", "web") == version
    assert in_force(active, "", "market") == own


def test_without_the_setting_what_is_in_force_stays(connection: db.Connection) -> None:
    put_in_force(connection, PolicySettings(sourcing="nearest"), NOW)
    before = PolicyShelf().active(connection, NOW)
    assert put_in_force(connection, PolicySettings(), NOW) is None
    assert PolicyShelf().active(connection, NOW) == before
