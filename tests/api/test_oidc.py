"""Access tokens of a real issuer: who they let in, and which ones they do not."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from litestar.testing import TestClient

from crossdock import db
from crossdock.api.access.directory import Grant
from crossdock.api.access.faults import IssuerUnreachable
from crossdock.api.access.oidc import Issuer, IssuerKeys
from crossdock.api.access.permissions import ROLES
from crossdock.api.app import create_app
from crossdock.api.problems import ApiProblem
from crossdock.api.services import Services
from crossdock.kernel.clock import SystemClock, VirtualClock
from crossdock.kernel.errors import SettingRefused
from crossdock.settings import AccessSettings, OidcSettings, Settings
from tests.api.issuer import AUDIENCE, IssuerProcess, running_issuer
from tests.api.keys import bearer, make_key
from tests.api.test_orders_in import lamp

pytestmark = pytest.mark.slow

CLIENTS: dict[str, dict[str, Any]] = {
    "storefront": {"claims": {"roles": ["channel"], "channels": ["web"]}},
    "soho": {"claims": {"realm_access": {"roles": ["Store Staff"]}, "nodes": "S1 S2"}},
    "nobody": {},
    "scoped": {"scope": "orders:read ats:read"},
    "curve": {"claims": {"roles": ["channel"]}, "algorithm": "ES256"},
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[IssuerProcess]:
    with running_issuer(CLIENTS) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def oidc(issuer: IssuerProcess) -> OidcSettings:
    return OidcSettings(issuer=issuer.address, audience=AUDIENCE)


def verify(settings: OidcSettings, token: str, **changes: Any) -> Grant:
    settings = msgspec.structs.replace(settings, **changes)
    return Issuer(settings, AccessSettings(), SystemClock()).verify(token)


def refusal(settings: OidcSettings, token: str, **changes: Any) -> str:
    with pytest.raises(ApiProblem) as refused:
        verify(settings, token, **changes)
    return refused.value.problem_type.code


def test_a_token_grants_the_roles_it_names(issuer: IssuerProcess, oidc: OidcSettings) -> None:
    grant = verify(oidc, issuer.token("storefront"), channels_claim="channels")
    assert (grant.id, grant.name, grant.mode) == ("oidc:storefront", "storefront", "live")
    assert grant.permissions == ROLES["channel"]
    assert grant.scope.channels == frozenset({"web"})
    assert grant.scope.nodes is None


def test_the_issuers_own_names_are_translated(issuer: IssuerProcess, oidc: OidcSettings) -> None:
    grant = verify(
        oidc,
        issuer.token("soho"),
        roles_claim="realm_access.roles",
        roles={"Store Staff": ("node",)},
        nodes_claim="nodes",
    )
    assert grant.permissions == ROLES["node"]
    assert grant.scope.nodes == frozenset({"S1", "S2"})


def test_with_a_translation_an_unknown_name_grants_nothing(
    issuer: IssuerProcess, oidc: OidcSettings
) -> None:
    assert not verify(oidc, issuer.token("storefront"), roles={"x": ("channel",)}).permissions


def test_scopes_of_a_token_can_be_its_permissions(
    issuer: IssuerProcess, oidc: OidcSettings
) -> None:
    token = issuer.token("scoped", scope="orders:read")
    assert verify(oidc, token, roles_claim="scope").permissions == {"orders:read"}


def test_a_limit_that_the_token_does_not_name_limits_to_nothing(
    issuer: IssuerProcess, oidc: OidcSettings
) -> None:
    grant = verify(oidc, issuer.token("storefront"), nodes_claim="nodes")
    assert grant.scope.nodes == frozenset()


def test_tokens_signed_on_a_curve_are_taken_too(issuer: IssuerProcess, oidc: OidcSettings) -> None:
    assert verify(oidc, issuer.token("curve")).permissions == ROLES["channel"]


def test_a_token_for_another_application_is_refused(
    issuer: IssuerProcess, oidc: OidcSettings
) -> None:
    token = issuer.token("storefront", resource="https://payroll.example.org")
    assert refusal(oidc, token) == "credential_refused"


def test_a_token_of_another_issuer_is_refused(issuer: IssuerProcess, oidc: OidcSettings) -> None:
    with running_issuer(CLIENTS) as other:
        assert refusal(oidc, other.token("storefront")) == "credential_refused"


def test_a_token_has_to_name_the_issuer_whatever_key_signed_it(
    issuer: IssuerProcess, oidc: OidcSettings
) -> None:
    """Several issuers of one provider can share their keys."""
    changes = {"issuer": "https://login.example.org", "jwks_url": f"{issuer.address}/jwks"}
    assert refusal(oidc, issuer.token("storefront"), **changes) == "credential_refused"


def test_a_token_that_never_expires_is_refused(oidc: OidcSettings) -> None:
    key = RSAKey.generate_key(2048, {"kid": "mine"})

    class Mine(IssuerKeys):
        def current(self) -> KeySet:
            return KeySet([key])

    tokens = Issuer(oidc, AccessSettings(), SystemClock(), Mine(oidc))
    claims = {"iss": oidc.issuer, "aud": AUDIENCE, "sub": "eve"}
    head = {"alg": "RS256", "kid": "mine"}
    assert tokens.verify(jwt.encode(head, {**claims, "exp": 2**33}, key)).name == "eve"
    with pytest.raises(ApiProblem, match="credential_refused"):
        tokens.verify(jwt.encode(head, claims, key))


def test_a_token_expires(issuer: IssuerProcess, oidc: OidcSettings) -> None:
    later = VirtualClock(datetime.now(UTC) + timedelta(seconds=700))
    with pytest.raises(ApiProblem) as refused:
        Issuer(oidc, AccessSettings(), later).verify(issuer.token("storefront"))
    assert refused.value.problem_type.code == "credential_expired"


def test_a_changed_token_is_refused(issuer: IssuerProcess, oidc: OidcSettings) -> None:
    head, body, signature = issuer.token("nobody").split(".")
    other = issuer.token("storefront").split(".")[1]
    assert refusal(oidc, f"{head}.{other}.{signature}") == "credential_refused"
    assert refusal(oidc, f"{head}.{body}.") == "credential_refused"
    assert refusal(oidc, f"{head}.{body}") == "credential_refused"


def test_a_token_made_with_what_everybody_knows_is_refused(
    issuer: IssuerProcess, oidc: OidcSettings
) -> None:
    """The issuer's public key is public: as a shared secret it would let anyone in."""
    keys = IssuerKeys(oidc).current()
    public = next(key for key in keys if isinstance(key, RSAKey))
    claims = {"iss": oidc.issuer, "aud": AUDIENCE, "sub": "eve", "exp": 2**33}
    signed = f"{_part({'alg': 'HS256', 'kid': public.kid})}.{_part(claims)}"
    mac = hmac.new(public.as_pem(private=False), signed.encode(), hashlib.sha256).digest()
    assert refusal(oidc, f"{signed}.{_base64(mac)}") == "credential_refused"
    for kid in ({}, {"kid": public.kid}):
        unsigned = f"{_part({'alg': 'none', **kid})}.{_part(claims)}."
        assert refusal(oidc, unsigned) == "credential_refused"


def _part(content: dict[str, Any]) -> str:
    return _base64(json.dumps(content).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def test_a_new_key_of_the_issuer_is_known_at_once_and_the_old_one_goes_on() -> None:
    with running_issuer(CLIENTS) as issuer:
        settings = OidcSettings(issuer=issuer.address, audience=AUDIENCE)
        now = [0.0]
        keys = IssuerKeys(settings, monotonic=lambda: now[0])
        tokens = Issuer(settings, AccessSettings(), SystemClock(), keys)
        old = issuer.token("storefront")
        tokens.verify(old)
        issuer.rotate()
        new = issuer.token("storefront")
        now[0] += 11
        assert tokens.verify(new).id == "oidc:storefront"
        assert tokens.verify(old).id == "oidc:storefront"
        issuer.forget()
        now[0] += settings.jwks_seconds + 1
        assert tokens.verify(new).id == "oidc:storefront"
        with pytest.raises(ApiProblem, match="credential_refused"):
            tokens.verify(old)


def test_keys_outlive_an_issuer_that_is_away_for_a_while() -> None:
    now = [0.0]
    with running_issuer(CLIENTS) as issuer:
        settings = OidcSettings(issuer=issuer.address, audience=AUDIENCE)
        keys = IssuerKeys(settings, monotonic=lambda: now[0])
        tokens = Issuer(settings, AccessSettings(), SystemClock(), keys)
        token = issuer.token("storefront")
        tokens.verify(token)
    now[0] = settings.jwks_seconds + 1
    assert tokens.verify(token).id == "oidc:storefront"
    now[0] = 11 * settings.jwks_seconds
    with pytest.raises(IssuerUnreachable):
        tokens.verify(token)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"audience": ""}, "oidc.audience is not"),
        ({"issuer": "http://login.example.org"}, "oidc.issuer is"),
        ({"jwks_url": "http://login.example.org/keys"}, "oidc.jwks_url is"),
        ({"issuer": "ftp://127.0.0.1"}, "oidc.issuer is"),
    ],
)
def test_settings_that_cannot_be_safe_are_refused(changes: dict[str, str], said: str) -> None:
    safe = OidcSettings(issuer="https://login.example.org", audience=AUDIENCE)
    Issuer(safe, AccessSettings(), SystemClock())
    with pytest.raises(SettingRefused, match=said):
        Issuer(msgspec.structs.replace(safe, **changes), AccessSettings(), SystemClock())


def test_the_api_takes_tokens_beside_keys(
    issuer: IssuerProcess, oidc: OidcSettings, api_url: str, api_connection: db.Connection
) -> None:
    key = make_key(api_connection)
    with (
        contextlib.closing(Services.open(api_url, Settings(oidc=oidc))) as services,
        TestClient(create_app(services)) as api,
    ):
        token = issuer.token("storefront")
        assert api.post("/v1/orders", json=lamp("T-1"), headers=bearer(token)).status_code == 201
        assert api.post("/v1/orders", json=lamp("T-2"), headers=bearer(key)).status_code == 201
        nothing = api.post("/v1/orders", json=lamp("T-3"), headers=bearer(issuer.token("nobody")))
        assert (nothing.status_code, nothing.json()["code"]) == (403, "permission_missing")
        forged = api.post("/v1/orders", json=lamp("T-4"), headers=bearer(token[:-9] + "AAAAAAAAA"))
        assert (forged.status_code, forged.json()["code"]) == (401, "credential_refused")


def test_without_its_issuer_the_api_asks_token_holders_to_wait(
    api_url: str, api_connection: db.Connection
) -> None:
    gone = OidcSettings(issuer="http://127.0.0.1:9", audience=AUDIENCE)
    token = jwt.encode({"alg": "RS256", "kid": "1"}, {"sub": "x"}, RSAKey.generate_key(2048))
    key = make_key(api_connection)
    with (
        contextlib.closing(Services.open(api_url, Settings(oidc=gone))) as services,
        TestClient(create_app(services)) as api,
    ):
        answer = api.post("/v1/orders", json=lamp("T-5"), headers=bearer(token))
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["retry-after"]) > 0
        assert "issuer" in answer.json()["detail"]
        assert api.post("/v1/orders", json=lamp("T-6"), headers=bearer(key)).status_code == 201


class CountedKeys(IssuerKeys):
    """Notes when the issuer is asked."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.read: list[float] = []

    def _fetch(self, now: float) -> None:
        self.read.append(now)
        super()._fetch(now)


def test_made_up_key_ids_hardly_ask_the_issuer(issuer: IssuerProcess, oidc: OidcSettings) -> None:
    key = RSAKey.generate_key(2048)
    now = [0.0]
    keys = CountedKeys(oidc, 10, lambda: now[0])
    tokens = Issuer(oidc, AccessSettings(), SystemClock(), keys)
    for number in range(30):
        now[0] += 1
        with pytest.raises(ApiProblem, match="credential_refused"):
            tokens.verify(jwt.encode({"alg": "RS256", "kid": f"no-{number}"}, {"sub": "x"}, key))
    assert keys.read == [1, 11, 21]


def test_an_issuer_that_is_away_is_not_asked_by_every_request() -> None:
    gone = OidcSettings(issuer="http://127.0.0.1:9", audience=AUDIENCE)
    now = [0.0]
    keys = CountedKeys(gone, 10, lambda: now[0])
    for _ in range(25):
        now[0] += 1
        with pytest.raises(IssuerUnreachable, match="cannot be read"):
            keys.current()
    assert keys.read == [1, 11, 21]
