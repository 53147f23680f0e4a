"""What can go wrong with keys and issuers outside of a request."""

from __future__ import annotations

from crossdock.kernel.errors import Fault


class KeyFault(Fault):
    """An API key cannot be made, rotated or revoked as asked."""


class KeyNameTaken(KeyFault):
    """A key in use has that name."""


class NoSuchKey(KeyFault):
    """No key in use has that id or name."""


class IssuerUnreachable(Fault):
    """The issuer of access tokens does not say which keys it signs with."""

    retryable = True
