"""`Idempotency-Key`: the same key and content gives the first answer again, other content is 409.

A write is named by its key in the table that deduplicates every message. One that is no message
keeps its answer there too: see `first_answers`.
"""

from __future__ import annotations

from typing import Annotated

from litestar.params import HeaderParameter

from crossdock.api.access.caller import Caller
from crossdock.api.problems import conflict, problem_type
from crossdock.engine.inbox import Receipt, Received

MOST_CHARACTERS = 255

REPLAYED = {"Idempotency-Replayed": "true"}
"""Headers of an answer that was given before."""

ANSWER_GONE = problem_type(
    "first_answer_gone",
    409,
    "It was done before, and its answer cannot be given again",
    cause="The answer holds a secret, which opens only with the credential that got it; or it is"
    " older than engine.dedupe_body_days.",
    remedy="It was done: read what it made. For a secret, rotate the API key or the webhook's"
    " secret under a new Idempotency-Key.",
)

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=MOST_CHARACTERS,
        pattern="^[ -~]+$",
        description="Names this write: sent again with the same content, it is done once and gets"
        " the first answer; with other content it is refused with 409.",
        required=False,
    ),
]
"""A handler's parameter: `idempotency_key: IdempotencyKey = None`."""


def identity(caller: Caller, operation: str, key: str | None, fallback: str) -> tuple[str, str]:
    """(source, source id) of a message; `fallback` names the write where no key was sent."""
    source = f"api:{caller.id}"
    if key is None:
        return source, f"{operation}:{fallback}"
    return source, f"{operation}/{key}"


def was_done_before(receipt: Receipt) -> bool:
    """Whether to give the first answer again. Raises ApiProblem 409 for other content."""
    if receipt.result is Received.CONFLICT:
        raise conflict(receipt.field)
    return receipt.result is Received.REPEATED
