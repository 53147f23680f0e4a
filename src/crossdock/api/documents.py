"""The OpenAPI document: what every operation shares is added here, so that handlers state the rest.

A handler gives `responses=answers(...)` for errors of its own, and in its `opt` an `example` of the
body it takes and an `answer_example` of what it answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from litestar import Litestar, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
)
from litestar.openapi.spec.enums import OpenAPIType
from litestar.routes import HTTPRoute

from crossdock import __version__
from crossdock.api import (
    document_headers,
    document_links,
    document_repairs,
    guards,
    idempotency,
    problems,
    reading,
    shedding,
)
from crossdock.api.access.errors import OF_A_CREDENTIAL
from crossdock.api.problems import PROBLEM_JSON, ProblemDetails, ProblemType
from crossdock.api.requests import NDJSON

DESCRIPTION = """\
Orders, stock, promises and the work of nodes. Bodies are JSON; money is whole minor units with its
currency; times say their zone (RFC 3339). Every write takes an `Idempotency-Key`. Every error is an
RFC 9457 problem whose `code` is documented at its `type`. A slash within a name (a SKU, a number, a
reference) is written `%2F` in a path."""


def config() -> OpenAPIConfig:
    """What Litestar needs to know; `complete` does the rest once all routes are there."""
    return OpenAPIConfig(
        title="Crossdock",
        version=__version__,
        description=DESCRIPTION,
        use_handler_docstrings=True,
        components=Components(
            headers=document_headers.HEADERS,
            security_schemes={
                "key": SecurityScheme(
                    type="http", scheme="bearer", description="An API key or an OIDC access token."
                )
            },
        ),
        openapi_router=Router(
            "/docs",
            route_handlers=[],
            include_in_schema=False,
            opt={"public": True},
            response_headers=reading.ONLY_OURS,
        ),
        render_plugins=reading.plugins(),
    )


def answers(*kinds: ProblemType) -> dict[int, ResponseSpec]:
    """The errors of a handler beside those that every operation has."""
    titles: dict[int, list[str]] = {}
    for kind in kinds:
        titles.setdefault(kind.status, []).append(_said(kind))
    return {
        status: ResponseSpec(
            ProblemDetails,
            description="; ".join(said),
            media_type=PROBLEM_JSON,
            generate_examples=False,
        )
        for status, said in titles.items()
    }


def many(component: str, most: int) -> RequestBody:
    """The body of an operation that reads it by `many_of`: give it as `opt={"body": ...}`."""
    each: Any = Reference(ref=f"#/components/schemas/{component}")
    array = Schema(type=OpenAPIType.ARRAY, items=each, min_items=1, max_items=most)
    return RequestBody(
        required=True,
        description=f"1 to {most:,} of them.",
        content={
            "application/json": OpenAPIMediaType(schema=array),
            NDJSON: OpenAPIMediaType(schema=each),
        },
    )


def complete(app: Litestar) -> None:
    """Add to every operation the answers it shares with others, its body and its examples."""
    for path, handler, operation in operations_of(app):
        if "body" in handler.opt:
            operation.request_body = handler.opt["body"]
        _add_answers(operation, path)
        document_headers.add_headers(operation)
        _add_examples(operation, handler)
    document_repairs.repair(app.openapi_schema)
    document_links.add_links(app.openapi_schema)


def operations_of(app: Litestar) -> Iterator[tuple[str, HTTPRouteHandler, Operation]]:
    """Every operation of the document, with its path and handler."""
    paths = app.openapi_schema.paths or {}
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            for method in handler.http_methods:
                operation = getattr(paths.get(route.path_format), method.lower(), None)
                if isinstance(operation, Operation):
                    yield route.path_format, handler, operation


def _add_examples(operation: Operation, handler: HTTPRouteHandler) -> None:
    """`example` stands for the body, `answer_example` for the first answer that is no error."""
    body = operation.request_body
    if "example" in handler.opt and isinstance(body, RequestBody):
        for kind, content in body.content.items():
            if kind != NDJSON:
                content.example = handler.opt["example"]
    if "answer_example" in handler.opt:
        status = min(operation.responses or {})
        answer = (operation.responses or {})[status]
        if isinstance(answer, OpenAPIResponse) and answer.content:
            next(iter(answer.content.values())).example = handler.opt["answer_example"]


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
    if document_headers.takes_key(operation):
        shared += [problems.IDEMPOTENCY_CONFLICT, idempotency.ANSWER_GONE]
    if operation.responses is None:
        operation.responses = {}
    for status in {kind.status for kind in shared}:
        same = [kind for kind in shared if kind.status == status]
        answer = operation.responses.setdefault(str(status), _answer(same))
        if isinstance(answer, OpenAPIResponse):
            new = [_said(kind) for kind in same if f"`{kind.code}`" not in answer.description]
            answer.description = "; ".join([answer.description, *new])


def _answer(kinds: Sequence[ProblemType]) -> OpenAPIResponse:
    reference: Any = Reference(ref="#/components/schemas/ProblemDetails")
    return OpenAPIResponse(
        description="; ".join(_said(kind) for kind in kinds),
        content={PROBLEM_JSON: OpenAPIMediaType(schema=reference)},
    )


def _said(kind: ProblemType) -> str:
    return f"`{kind.code}`: {kind.title}"
