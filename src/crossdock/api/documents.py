"""The OpenAPI document: what every operation shares is added here, so that handlers state the rest.

A handler gives `responses=answers(...)` for errors of its own and `opt={"example": ...}` for the
body it takes; its answer's example stands beside the type (see `example`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Litestar, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Reference,
    Schema,
    SecurityScheme,
)

from crossdock import __version__
from crossdock.api import guards, problems, shedding
from crossdock.api.access.errors import OF_A_CREDENTIAL
from crossdock.api.problems import PROBLEM_JSON, ProblemDetails, ProblemType

DESCRIPTION = """\
Orders, stock, promises and the work of nodes. Bodies are JSON; money is whole minor units with its
currency; times say their zone (RFC 3339). Every write takes an `Idempotency-Key`. Every error is an
RFC 9457 problem whose `code` is documented at its `type`."""


def config() -> OpenAPIConfig:
    """What Litestar needs to know; `complete` does the rest once all routes are there."""
    return OpenAPIConfig(
        title="Crossdock",
        version=__version__,
        description=DESCRIPTION,
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "key": SecurityScheme(
                    type="http", scheme="bearer", description="An API key or an OIDC access token."
                )
            }
        ),
        openapi_router=Router(
            "/docs", route_handlers=[], include_in_schema=False, opt={"public": True}
        ),
        render_plugins=(),
    )


def answers(*kinds: ProblemType) -> dict[int, ResponseSpec]:
    """The errors of a handler beside those that every operation has."""
    titles: dict[int, list[str]] = {}
    for kind in kinds:
        titles.setdefault(kind.status, []).append(f"`{kind.code}`: {kind.title}")
    return {
        status: ResponseSpec(
            ProblemDetails,
            description="; ".join(said),
            media_type=PROBLEM_JSON,
            generate_examples=False,
        )
        for status, said in titles.items()
    }


def complete(app: Litestar) -> None:
    """Add to every operation the answers it shares with others, and its examples."""
    document = app.openapi_schema
    for path, item in (document.paths or {}).items():
        for method in ("get", "put", "post", "delete", "patch", "head"):
            operation: Operation | None = getattr(item, method)
            if operation is not None:
                _add_answers(operation, path)


def _add_answers(operation: Operation, path: str) -> None:
    shared = [guards.TOO_LONG_PATH, problems.INTERNAL, problems.UNAVAILABLE, shedding.OVERLOADED]
    if operation.security:
        shared += OF_A_CREDENTIAL
    if operation.request_body is not None:
        shared += [problems.MALFORMED, problems.TOO_LARGE, problems.UNSUPPORTED_MEDIA]
        shared.append(guards.TOO_SLOW)
    if operation.parameters:
        shared.append(problems.MALFORMED)
    if "{" in path:
        shared.append(problems.NOT_FOUND)
    if operation.responses is None:
        operation.responses = {}
    for status in {kind.status for kind in shared}:
        same = [kind for kind in shared if kind.status == status]
        operation.responses.setdefault(str(status), _answer(same))


def _answer(kinds: Sequence[ProblemType]) -> OpenAPIResponse:
    reference: Any = Reference(ref="#/components/schemas/ProblemDetails")
    return OpenAPIResponse(
        description="; ".join(f"`{kind.code}`: {kind.title}" for kind in kinds),
        content={PROBLEM_JSON: OpenAPIMediaType(schema=reference)},
    )


__all__ = ["Schema", "answers", "complete", "config"]
