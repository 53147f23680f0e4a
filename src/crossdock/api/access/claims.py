"""From an issuer's claims to who it is, what is granted and what it is limited to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crossdock.api.access.permissions import Codes, Scope
from crossdock.settings import OidcSettings

_LONGEST_SUBJECT = 255
"""OpenID Connect Core 1.0, section 2: a subject has 255 characters at most."""


def identity_of(claims: Mapping[str, Any]) -> tuple[str, str]:
    """The caller's id and name; both empty where the claims name nobody.

    The name is the application's where there is one: a subject's real name is nobody's business.
    """
    client = claims.get("client_id") or claims.get("azp")
    subject = claims.get("sub") or client
    if not isinstance(subject, str) or len(subject) > _LONGEST_SUBJECT:
        return "", ""
    return f"oidc:{subject}", client if isinstance(client, str) else subject


def grants_of(claims: Mapping[str, Any], settings: OidcSettings) -> Iterator[str]:
    """Roles and permissions: the claim's values as [oidc.roles] translates them.

    Without such a table a value is the name of a role or permission itself; what is neither
    grants nothing.
    """
    for value in _values(claims, settings.roles_claim):
        if settings.roles:
            yield from settings.roles.get(value, ())
        else:
            yield value


def scope_of(claims: Mapping[str, Any], settings: OidcSettings) -> Scope:
    """What the token is limited to. A claim that is to be read and is missing limits to none."""
    return Scope(
        nodes=_limit(claims, settings.nodes_claim),
        brands=_limit(claims, settings.brands_claim),
        regions=_limit(claims, settings.regions_claim),
        channels=_limit(claims, settings.channels_claim),
    )


def _limit(claims: Mapping[str, Any], claim: str) -> Codes:
    return frozenset(_values(claims, claim)) if claim else None


def _values(claims: Mapping[str, Any], claim: str) -> list[str]:
    """A list of texts, or one text with blanks between, as `scope` is written (RFC 8693, 4.2)."""
    found = _find(claims, claim)
    if isinstance(found, str):
        return found.split()
    if isinstance(found, list):
        return [value for value in found if isinstance(value, str)]
    return []


def _find(claims: Mapping[str, Any], claim: str) -> Any:
    """The claim of that name, or the one at that path: some names are addresses, with dots."""
    if claim in claims:
        return claims[claim]
    found: Any = claims
    for part in claim.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found
