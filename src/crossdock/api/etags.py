"""ETags of what can be edited: a hash of the record as it is shown."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated

import msgspec
from litestar.params import HeaderParameter

from crossdock.api.problems import ApiProblem, problem_type

PRECONDITION_FAILED = problem_type(
    "precondition_failed",
    412,
    "It was changed since it was read",
    cause="The If-Match header names another state than the present one.",
    remedy="Read it again, decide anew, and send its new ETag.",
)

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        min_length=1,
        max_length=300,
        required=False,
        description="ETag of the state that is edited; refused with 412 if it is another by now.",
    ),
]

_encode = msgspec.json.Encoder(order="deterministic").encode


def etag_of(record: object) -> str:
    """The entity tag of a record, in its quotes."""
    return f'"{blake2b(_encode(record), digest_size=12).hexdigest()}"'


def require_match(if_match: str | None, present: object | None) -> None:
    """Raises ApiProblem 412 unless the header is absent, `*`, or names the present state."""
    if if_match is None or (if_match.strip() == "*" and present is not None):
        return
    named = {tag.strip().removeprefix("W/") for tag in if_match.split(",")}
    if present is None or etag_of(present) not in named:
        raise ApiProblem(PRECONDITION_FAILED)
