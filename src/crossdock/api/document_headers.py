"""Headers of answers in the document: the quota, when to come back, whether it is a repetition."""

from __future__ import annotations

from typing import Any

from litestar.openapi.spec import (
    OpenAPIHeader,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    Schema,
)

_TEXT = Schema(type=OpenAPIType.STRING)
_DRAFT = "draft-ietf-httpapi-ratelimit-headers-10"

HEADERS: dict[str, OpenAPIHeader | Reference] = {
    "RateLimit-Policy": OpenAPIHeader(
        schema=_TEXT,
        description='The client\'s quota, as in `"requests";q=1000;w=60`: so many requests (q) in'
        f" so many seconds (w). Absent for a client without limit. {_DRAFT}.",
    ),
    "RateLimit": OpenAPIHeader(
        schema=_TEXT,
        description='What is left, as in `"requests";r=990;t=42`: so many requests (r) until the'
        f" next window begins in so many seconds (t). Absent with RateLimit-Policy. {_DRAFT}.",
    ),
    "Retry-After": OpenAPIHeader(
        schema=Schema(type=OpenAPIType.INTEGER, minimum=0),
        description="Seconds after which to send the request again, no sooner.",
    ),
    "Idempotency-Replayed": OpenAPIHeader(
        schema=Schema(type=OpenAPIType.STRING, enum=["true"]),
        description="The write was done before; this is the first answer again.",
    ),
}
"""Components of the document."""

_QUOTA = ("RateLimit-Policy", "RateLimit")
_BEFORE_THE_QUOTA = ("401", "414")
"""Answers given before the client is known."""


def takes_key(operation: Operation) -> bool:
    """Whether the operation is a write that an Idempotency-Key names."""
    return any(
        isinstance(parameter, Parameter) and parameter.name == "Idempotency-Key"
        for parameter in operation.parameters or ()
    )


def add_headers(operation: Operation) -> None:
    """In place, once the operation has all its answers."""
    for status, answer in (operation.responses or {}).items():
        names = list(_QUOTA) if operation.security and status not in _BEFORE_THE_QUOTA else []
        if status in ("429", "503"):
            names.append("Retry-After")
        if status.startswith("2") and takes_key(operation):
            names.append("Idempotency-Replayed")
        if names and isinstance(answer, OpenAPIResponse):
            found: dict[str, Any] = {**(answer.headers or {})}
            found |= {name: Reference(ref=f"#/components/headers/{name}") for name in names}
            answer.headers = found
