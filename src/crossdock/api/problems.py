"""Errors as RFC 9457 problem details, each of a catalog with its cause and remedy.

A module that refuses something registers its own types with `problem_type` at import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from crossdock import db
from crossdock.api import slashes
from crossdock.api.correlation import note_problem, request_id
from crossdock.kernel.errors import Fault
from crossdock.model.problems import Problem

log = structlog.get_logger(__name__)

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 2


class ProblemType(NamedTuple):
    """One kind of error that the API answers with."""

    code: str
    """For machines, in snake_case; also the end of the `type` URI."""
    status: int
    title: str
    cause: str
    remedy: str


CATALOG: dict[str, ProblemType] = {}


def problem_type(code: str, status: int, title: str, *, cause: str, remedy: str) -> ProblemType:
    """Register a type; its code means one thing."""
    made = ProblemType(code, status, title, cause, remedy)
    assert CATALOG.setdefault(code, made) == made, f"{code} is two problems"
    return made


MALFORMED = problem_type(
    "malformed_request",
    400,
    "The request cannot be read",
    cause="The body is no JSON, or a field, parameter or header is missing or of another type.",
    remedy="Correct every field that `errors` names; /docs shows what each operation takes.",
)
NOT_FOUND = problem_type(
    "not_found",
    404,
    "There is no such thing",
    cause="Nothing has that path, id or external reference, or the credential may not see it.",
    remedy="Check the id; an external reference is written as channel:number.",
)
METHOD_NOT_ALLOWED = problem_type(
    "method_not_allowed",
    405,
    "The path does not take this method",
    cause="The path exists for other methods only.",
    remedy="Use one of the methods in the Allow header.",
)
TOO_LARGE = problem_type(
    "body_too_large",
    413,
    "The body is too large",
    cause="The body is over the limit of the operation.",
    remedy="Send less at once, or use the operation for files.",
)
UNSUPPORTED_MEDIA = problem_type(
    "unsupported_media_type",
    415,
    "The body is of a type that is not taken",
    cause="The Content-Type is none that the operation takes.",
    remedy="Send application/json, or what the operation's documentation names.",
)
IDEMPOTENCY_CONFLICT = problem_type(
    "idempotency_conflict",
    409,
    "The same key or number came before with other content",
    cause="An Idempotency-Key, or the number that names the object, was used for other content.",
    remedy="Send the first content again, or a new key; `errors` names the field that differs.",
)
INTERNAL = problem_type(
    "internal_error",
    500,
    "Something went wrong on our side",
    cause="An error in Crossdock; it has been recorded.",
    remedy="Send the same request again, with its Idempotency-Key; tell support if it repeats.",
)
UNAVAILABLE = problem_type(
    "unavailable",
    503,
    "It cannot be done right now",
    cause="The database cannot be reached or is too busy.",
    remedy="Send the same request again after the seconds in the Retry-After header.",
)

_OF_STATUS = {
    400: MALFORMED,
    404: NOT_FOUND,
    405: METHOD_NOT_ALLOWED,
    413: TOO_LARGE,
    415: UNSUPPORTED_MEDIA,
}


class ProblemError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One finding; all of a request come at once."""

    path: str
    """The field, as in `lines[0].quantity`; empty for the whole request."""
    code: str
    problem: str
    advice: str = ""


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every error, after RFC 9457."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    instance: str = ""
    errors: tuple[ProblemError, ...] = ()


class ApiProblem(Exception):
    """Ends a request with an error of the catalog; `extra` are members of its own."""

    def __init__(
        self,
        problem_type: ProblemType,
        detail: str = "",
        errors: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(f"{problem_type.code}: {detail or problem_type.title}")
        self.problem_type = problem_type
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = extra


def conflict(field: str) -> ApiProblem:
    """The same key came with other content; `field` is the first that differs."""
    found = Problem(
        field,
        "differs",
        "It differs from what came first.",
        "Send the first content again, or a new key.",
    )
    return ApiProblem(IDEMPOTENCY_CONFLICT, f"{field} differs from what came first.", [found])


def unavailable(detail: str, seconds: int = RETRY_AFTER_SECONDS) -> ApiProblem:
    """Try again in `seconds`."""
    return ApiProblem(UNAVAILABLE, detail, headers={"Retry-After": str(seconds)})


def problem_of(error: BaseException) -> ApiProblem:
    """The catalog's answer to any exception; INTERNAL for what nobody expected."""
    if isinstance(error, ApiProblem):
        return error
    if isinstance(error, ValidationException):
        return ApiProblem(MALFORMED, errors=_parameters(error))
    if isinstance(error, HTTPException):
        known = _OF_STATUS.get(error.status_code, MALFORMED if error.status_code < 500 else None)
        if known is not None:
            detail = error.detail if known is MALFORMED else ""
            return ApiProblem(known, detail, headers=error.headers)
        return ApiProblem(INTERNAL)
    fault = error if isinstance(error, Fault) else db.fault_of_any(error)
    if fault is not None and fault.retryable:
        return unavailable("The database cannot be reached or is too busy.")
    return ApiProblem(INTERNAL)


def as_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """What Litestar calls for every exception."""
    found = problem_of(error)
    note_problem(found.problem_type.code)
    if found.problem_type is INTERNAL:
        # Whoever asked gets the id in X-Request-Id, and nothing of what went wrong.
        log.error("request failed", request_id=request_id(), exc_info=error)
    return Response(
        body_of(found, slashes.plain(request.url.path)),
        status_code=found.problem_type.status,
        headers=found.headers,
        media_type=PROBLEM_JSON,
    )


def body_of(found: ApiProblem, instance: str = "") -> bytes:
    """The JSON of a problem."""
    details = details_of(found, instance)
    if not found.extra:
        return msgspec.json.encode(details)
    return msgspec.json.encode({**msgspec.to_builtins(details), **found.extra})


def details_of(found: ApiProblem, instance: str = "") -> ProblemDetails:
    """A problem as others see it, without its extra members."""
    kind = found.problem_type
    return ProblemDetails(
        type=f"/problems/{kind.code}",
        title=kind.title,
        status=kind.status,
        code=kind.code,
        detail=found.detail,
        instance=instance,
        errors=tuple(ProblemError(p.path, p.code, p.message, p.remedy) for p in found.errors),
    )


def _parameters(error: ValidationException) -> list[Problem]:
    """Litestar names each parameter that does not fit in `extra`, or one in the detail."""
    extra = error.extra if isinstance(error.extra, list) else []
    found = [
        Problem(str(each.get("key", "")), "bad_parameter", f"{each['message']}.", "Correct it.")
        for each in extra
        if isinstance(each, Mapping) and "message" in each
    ]
    return found or [Problem("", "bad_parameter", error.detail, "Correct it.")]


HANDLERS: dict[int | type[Exception], Any] = {Exception: as_response}
