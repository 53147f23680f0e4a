"""`Idempotency-Key`: the same key and content gives the first answer again, other content is 409.

A write that is a message is named by its key in the table that deduplicates every message.
"""

from __future__ import annotations

from typing import Annotated

from litestar.params import HeaderParameter

from crossdock.api.access.caller import Caller
from crossdock.api.problems import conflict
from crossdock.engine.inbox import Receipt, Received

MOST_CHARACTERS = 255

REPLAYED = {"Idempotency-Replayed": "true"}
"""Headers of an answer that was given before."""

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
