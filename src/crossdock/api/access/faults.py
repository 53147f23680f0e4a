"""What can go wrong with keys and issuers outside of a request."""

from __future__ import annotations

from crossdock.kernel.errors import Fault


class KeyFault(Fault):
    """An API key cannot be made, rotated or revoked as asked."""


class IssuerUnreachable(Fault):
    """The issuer of access tokens does not say which keys it signs with."""

    retryable = True
