"""The answers to a credential that is missing, wrong, old or too small, or used too often."""

from __future__ import annotations

from crossdock.api.problems import ApiProblem, problem_type

CREDENTIAL_MISSING = problem_type(
    "credential_missing",
    401,
    "The request says not who sends it",
    cause="There is no Authorization header, or it is not of the form `Bearer <credential>`.",
    remedy="Send an API key or an access token as `Authorization: Bearer <credential>`.",
)
CREDENTIAL_REFUSED = problem_type(
    "credential_refused",
    401,
    "The credential opens nothing",
    cause="The API key is unknown or revoked, or the token is not one of the issuer for this API;"
    " only signed JWTs are, no opaque tokens.",
    remedy="Check that it was copied whole; `crossdock keys list` shows the keys in use.",
)
CREDENTIAL_EXPIRED = problem_type(
    "credential_expired",
    401,
    "The credential has expired",
    cause="The API key or the access token is past its time.",
    remedy="Use the key that `crossdock keys rotate` made, or ask the issuer for a new token.",
)
PERMISSION_MISSING = problem_type(
    "permission_missing",
    403,
    "The credential does not permit this",
    cause="The operation needs a permission that the credential does not have.",
    remedy="Use a credential with the permission that `detail` names; see the permissions page.",
)
TOO_MANY_REQUESTS = problem_type(
    "too_many_requests",
    429,
    "The client has used up its quota",
    cause="More requests came in one window than the quota in the RateLimit-Policy header.",
    remedy="Send it again after the seconds in Retry-After; slow down as RateLimit falls.",
)

OF_A_CREDENTIAL = (
    CREDENTIAL_MISSING,
    CREDENTIAL_REFUSED,
    CREDENTIAL_EXPIRED,
    PERMISSION_MISSING,
    TOO_MANY_REQUESTS,
)
"""What every operation that is not public may answer."""

_REALM = 'Bearer realm="crossdock"'


def credential_missing() -> ApiProblem:
    """No credential, or not in the form that is read."""
    return ApiProblem(CREDENTIAL_MISSING, headers={"WWW-Authenticate": _REALM})


def credential_refused(detail: str = "") -> ApiProblem:
    """Whether a key never was or was revoked is not told."""
    return ApiProblem(CREDENTIAL_REFUSED, detail, headers=_invalid_token())


def credential_expired() -> ApiProblem:
    """It was good once; only its holder can learn this."""
    return ApiProblem(CREDENTIAL_EXPIRED, headers=_invalid_token())


def permission_missing(permission: str) -> ApiProblem:
    """The caller is known and may not do this."""
    said = f'{_REALM}, error="insufficient_scope", scope="{permission}"'
    return ApiProblem(
        PERMISSION_MISSING, f"It needs {permission}.", headers={"WWW-Authenticate": said}
    )


def too_many_requests(seconds: int) -> ApiProblem:
    """The quota is used up; a new window begins in `seconds`."""
    return ApiProblem(
        TOO_MANY_REQUESTS,
        f"A new window begins in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )


def _invalid_token() -> dict[str, str]:
    return {"WWW-Authenticate": f'{_REALM}, error="invalid_token"'}
