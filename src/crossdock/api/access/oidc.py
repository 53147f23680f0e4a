"""Access tokens (JWT, RFC 9068) of any OAuth2 or OpenID Connect issuer.

The issuer's claims become grants by the settings of [oidc]. Its keys are read from its JWKS, kept,
and read again when they are old or a token names one that is not among them. All of it blocks:
it is called in threads.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2
import structlog
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidKeyIdError, JoseError, SecurityWarning
from joserfc.jwk import KeySet

from crossdock.api.access.claims import grants_of, identity_of, scope_of
from crossdock.api.access.directory import Grant
from crossdock.api.access.errors import credential_expired, credential_refused
from crossdock.api.access.faults import IssuerUnreachable
from crossdock.api.access.permissions import expand
from crossdock.kernel.clock import Clock
from crossdock.kernel.errors import SettingRefused
from crossdock.settings import AccessSettings, OidcSettings

log = structlog.get_logger(__name__)

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "EdDSA", "Ed25519", "Ed448",
)  # fmt: skip
"""None with a shared secret: what verifies a token must not be able to make one.

RFC 7518, section 3.1; RFC 8037 (EdDSA, of either curve) and RFC 9864, which names the curve.
"""

_LONGEST_TOKEN = 16_000
_FETCH_SECONDS = 5.0
_UNREADABLE = (JoseError, ValueError, KeyError, TypeError)
_ADVICE = "Check oidc.issuer and oidc.jwks_url, and that this machine reaches them."
_LOCAL = ("localhost", "127.0.0.1", "::1")


class IssuerKeys:
    """The public keys of the issuer, as last read."""

    def __init__(
        self,
        settings: OidcSettings,
        unknown_key_seconds: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`unknown_key_seconds`: tokens with made-up key ids cause no more than one look in it."""
        self._settings = settings
        self._unknown_key_seconds = unknown_key_seconds
        self._monotonic = monotonic
        self._keys: KeySet | None = None
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._failure = ""
        self._lock = threading.Lock()

    def current(self) -> KeySet:
        """The keys, read again if they are old. Raises IssuerUnreachable where none were read.

        While the issuer cannot be reached, the keys that are there go on for ten times as long.
        """
        age = self._monotonic() - self._read_at
        if self._keys is not None and age < self._settings.jwks_seconds:
            return self._keys
        try:
            return self._read(self._settings.jwks_seconds)
        except IssuerUnreachable:
            if self._keys is None or age > 10 * self._settings.jwks_seconds:
                raise
            return self._keys

    def with_new_ones(self) -> KeySet:
        """The keys, read again unless that was a moment ago: a token names one that is unknown."""
        return self._read(self._unknown_key_seconds)

    def _read(self, oldest_seconds: float) -> KeySet:
        with self._lock:
            now = self._monotonic()
            if self._keys is not None and now - self._read_at < oldest_seconds:
                return self._keys
            if now - self._tried_at >= self._unknown_key_seconds:
                self._tried_at = now
                self._failure = ""
                self._fetch(now)
            if self._failure:
                raise IssuerUnreachable(self._failure, advice=_ADVICE)
            assert self._keys is not None, "what was fetched without a failure is there"
            return self._keys

    def _fetch(self, now: float) -> None:
        try:
            self._keys = _fetch(self._settings)
            self._read_at = now
        except IssuerUnreachable as unreachable:
            self._failure = unreachable.problem
            log.warning("issuer_unreachable", problem=unreachable.problem)


class Issuer:
    """Verifies the tokens of the one issuer that the settings name."""

    def __init__(
        self,
        settings: OidcSettings,
        access: AccessSettings,
        clock: Clock,
        keys: IssuerKeys | None = None,
    ) -> None:
        """Raises SettingRefused where the settings cannot be safe."""
        _check(settings)
        # RFC 9864 wants the curve named, and most issuers that sign on one still say EdDSA.
        warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)
        self._settings = settings
        self._access = access
        self._clock = clock
        self._keys = keys or IssuerKeys(settings)

    def verify(self, token: str) -> Grant:
        """What a token grants. Raises ApiProblem 401, or IssuerUnreachable."""
        if len(token) > _LONGEST_TOKEN or token.count(".") != 2:
            raise credential_refused(
                "It is neither an API key nor a signed access token. Opaque and encrypted tokens"
                " are not taken: have the issuer give JWT access tokens for"
                f" {self._settings.audience}."
            )
        try:
            decoded = self._decode(token)
            self._registry().validate(decoded.claims)
        except ExpiredTokenError as expired:
            raise credential_expired() from expired
        except (JoseError, ValueError) as refused:
            raise credential_refused(f"The token is refused: {_said(refused)}.") from refused
        return self._grant(decoded.claims)

    def _decode(self, token: str) -> jwt.Token:
        try:
            return jwt.decode(token, self._keys.current(), algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            return jwt.decode(token, self._keys.with_new_ones(), algorithms=ALGORITHMS)

    def _registry(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=self._settings.leeway_seconds,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": self._settings.audience},
            exp={"essential": True},
        )

    def _grant(self, claims: Mapping[str, Any]) -> Grant:
        client, name = identity_of(claims)
        if not client:
            raise credential_refused("The token names neither a subject nor a client.")
        permissions, _ = expand(grants_of(claims, self._settings), self._access.roles)
        return Grant(
            id=client,
            name=name,
            mode=self._settings.mode,
            permissions=permissions,
            scope=scope_of(claims, self._settings),
            expires_at=datetime.fromtimestamp(claims["exp"] + self._settings.leeway_seconds, UTC),
        )


def _fetch(settings: OidcSettings) -> KeySet:
    """The issuer's keys, from where it says they are. Redirects are not followed."""
    try:
        with httpx2.Client(timeout=_FETCH_SECONDS, follow_redirects=False) as client:
            address = settings.jwks_url or _discover(client, settings.issuer)
            _require_safe(address, "The issuer's jwks_uri")
            found = client.get(address).raise_for_status().json()
        return KeySet.import_key_set(found)
    except (httpx2.HTTPError, httpx2.InvalidURL, SettingRefused, *_UNREADABLE) as failed:
        raise IssuerUnreachable(
            f"The keys of {settings.issuer} cannot be read: {failed}.",
            advice=_ADVICE,
        ) from failed


def _discover(client: httpx2.Client, issuer: str) -> str:
    """OpenID Connect Discovery 1.0, 4: the document has to name the issuer it was asked of."""
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    document = client.get(address).raise_for_status().json()
    if document["issuer"] != issuer:
        raise ValueError(f"its discovery document is of {document['issuer']}")
    return str(document["jwks_uri"])


def _check(settings: OidcSettings) -> None:
    _require_safe(settings.issuer, "oidc.issuer")
    if settings.jwks_url:
        _require_safe(settings.jwks_url, "oidc.jwks_url")
    if not settings.audience:
        raise SettingRefused(
            "oidc.issuer is set and oidc.audience is not.",
            advice="Set it to what the issuer writes into `aud` for this API; without it the "
            "issuer's tokens for other applications would open this one.",
        )


def _require_safe(address: str, what: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise SettingRefused(
            f"{what} is {address!r}.", advice="It has to be an https address, or on this machine."
        )


def _said(error: Exception) -> str:
    return str(error).rstrip(".")[:200]
