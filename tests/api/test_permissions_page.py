"""The page about permissions says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from crossdock.api.access import errors
from crossdock.api.access.permissions import PERMISSIONS, ROLES, Side
from crossdock.settings import AccessSettings, OidcSettings

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/permissions.md").read_text()

NARROWED = {
    Side.CHANNELS: {"channel, brand"},
    Side.NODES: {"node, region, brand"},
    Side.ANYONE: {"nothing", "every limit"},
    Side.WHOLE: {"cannot be narrowed"},
}


def section(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its first two rows."""
    text = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


def test_the_page_has_every_permission_with_what_it_opens() -> None:
    described = {
        name.strip("`"): (narrowed, lets) for name, narrowed, lets in section("Permissions")
    }
    assert set(described) == set(PERMISSIONS)
    for name, (narrowed, lets) in described.items():
        assert lets == PERMISSIONS[name].meaning
        assert narrowed in NARROWED[PERMISSIONS[name].side], name


def test_the_page_has_every_role_with_its_permissions() -> None:
    described = {name.strip("`"): said for name, said in section("Roles")}
    assert set(described) == set(ROLES)
    for role, said in described.items():
        named = set(re.findall(r"`(\w+:\w+)`", said))
        if role == "administrator":
            named = set(PERMISSIONS)
        elif role == "auditor":
            named = {name for name in PERMISSIONS if name.endswith(":read")}
        elif role == "warehouse":
            named |= ROLES["node"]
        assert named == ROLES[role], role


def test_the_page_has_every_answer_to_a_credential() -> None:
    described = {
        code.strip("`"): int(status) for status, code, _ in section("Sending a credential")
    }
    for kind in errors.OF_A_CREDENTIAL:
        assert described[kind.code] == kind.status


def test_the_page_has_the_settings_as_they_are() -> None:
    access, oidc = AccessSettings(), OidcSettings()
    assert f"`access.key_cache_seconds` ({access.key_cache_seconds:g} s)" in PAGE
    assert f"`access.requests` ({access.requests:,})" in PAGE
    assert f"`access.window_seconds` ({access.window_seconds} s)" in PAGE
    assert f"`jwks_seconds` ({oidc.jwks_seconds} s)" in PAGE
    assert f"`leeway_seconds` ({oidc.leeway_seconds} s)" in PAGE
