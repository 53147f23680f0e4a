"""Which signatures of access tokens are taken: keys made here, published as an issuer does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from crossdock.api.access.oidc import ALGORITHMS, Issuer
from crossdock.api.access.permissions import ROLES
from crossdock.api.problems import ApiProblem
from crossdock.kernel.clock import SystemClock
from crossdock.settings import AccessSettings, OidcSettings

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")

AUDIENCE = "https://api.example.org"
ISSUER = "https://login.example.org"


def _keys() -> dict[str, Key]:
    """One of each kind."""
    return {
        "rsa": RSAKey.generate_key(2048, {"kid": "rsa"}),
        "p256": ECKey.generate_key("P-256", {"kid": "p256"}),
        "p384": ECKey.generate_key("P-384", {"kid": "p384"}),
        "p521": ECKey.generate_key("P-521", {"kid": "p521"}),
        "ed25519": OKPKey.generate_key("Ed25519", {"kid": "ed25519"}),
        "ed448": OKPKey.generate_key("Ed448", {"kid": "ed448"}),
    }


KEYS, OTHERS = _keys(), _keys()
SIGNED = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "rsa"),
    "ES256": "p256",
    "ES384": "p384",
    "ES512": "p521",
    "EdDSA": "ed25519",
    "Ed25519": "ed25519",
    "Ed448": "ed448",
}


@pytest.fixture(scope="module")
def tokens() -> Iterator[Issuer]:
    """Over a JWKS read from this machine."""
    published = KeySet(list(KEYS.values())).as_dict(private=False)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(published).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/jwks"
        settings = OidcSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url=url)
        yield Issuer(settings, AccessSettings(), SystemClock())
        server.shutdown()


def token(algorithm: str, key: Key, kid: str) -> str:
    expires_at = SystemClock().now() + timedelta(minutes=5)
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "store 7", "roles": ["node"],
        "exp": int(expires_at.timestamp()),
    }  # fmt: skip
    header = {"alg": algorithm, "kid": kid}
    return jwt.encode(header, claims, key, algorithms=[algorithm])


@pytest.mark.parametrize("algorithm", SIGNED)
def test_a_token_signed_so_is_taken(tokens: Issuer, algorithm: str) -> None:
    name = SIGNED[algorithm]
    grant = tokens.verify(token(algorithm, KEYS[name], name))
    assert (grant.id, grant.permissions) == ("oidc:store 7", ROLES["node"])


def test_no_other_signature_is_taken() -> None:
    assert set(SIGNED) == set(ALGORITHMS)


def test_eddsa_may_be_of_the_larger_curve(tokens: Issuer) -> None:
    assert tokens.verify(token("EdDSA", KEYS["ed448"], "ed448")).id == "oidc:store 7"


def said(tokens: Issuer, refused: str) -> str:
    with pytest.raises(ApiProblem) as problem:
        tokens.verify(refused)
    assert problem.value.problem_type.code == "credential_refused"
    return problem.value.detail


@pytest.mark.parametrize("algorithm", SIGNED)
def test_a_token_of_anothers_key_is_refused(tokens: Issuer, algorithm: str) -> None:
    name = SIGNED[algorithm]
    assert "refused" in said(tokens, token(algorithm, OTHERS[name], name))


def test_a_token_without_signature_is_refused(tokens: Issuer) -> None:
    whole = token("EdDSA", KEYS["ed25519"], "ed25519")
    assert said(tokens, whole.rpartition(".")[0] + ".")


@pytest.mark.parametrize("opaque", ["2YotnFZFEjr1zCsicMWpAA", "a.b.c.d.e"])
def test_a_token_that_nobody_can_read_is_refused_with_what_to_do(
    tokens: Issuer, opaque: str
) -> None:
    detail = said(tokens, opaque)
    assert "Opaque and encrypted tokens are not taken" in detail
    assert f"JWT access tokens for {AUDIENCE}" in detail
