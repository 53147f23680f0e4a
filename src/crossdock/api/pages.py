"""Cursor pagination: a cursor is the key of the last item shown, so that writes move no page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter

from crossdock.api.problems import MALFORMED, ApiProblem
from crossdock.model.problems import Problem

T = TypeVar("T")

DEFAULT_LIMIT = 100
MOST_ITEMS = 500

Limit = Annotated[
    int, QueryParameter(name="limit", ge=1, le=MOST_ITEMS, description="Items of a page, at most.")
]
"""A handler's parameter: `limit: Limit = DEFAULT_LIMIT`."""

Cursor = Annotated[
    str | None,
    QueryParameter(
        name="cursor",
        min_length=1,
        max_length=500,
        required=False,
        description="`next` of the page before; without it the first page.",
    ),
]
"""A handler's parameter: `cursor: Cursor = None`."""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some items of a list, in its order."""

    items: Sequence[T]
    next: str | None = None
    """Cursor of the page that follows; null on the last one."""


def encode_cursor(*values: Any) -> str:
    """Key values (text, numbers, times) as an opaque text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type[Any]) -> tuple[Any, ...]:
    """The key values, of these types. Raises ApiProblem 400 for what is no cursor of this list."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        values = msgspec.json.decode(raw, type=list[Any])
        if len(values) == len(kinds):
            return tuple(msgspec.convert(v, k) for v, k in zip(values, kinds, strict=True))
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        pass
    raise ApiProblem(
        MALFORMED,
        errors=[
            Problem(
                "cursor", "bad_cursor", "It is no cursor of this list.", "Send `next` as it is."
            )
        ],
    )


def page_of(rows: Sequence[T], limit: int, key: Callable[[T], tuple[Any, ...]]) -> Page[T]:
    """A page of rows of which one more than `limit` was asked for."""
    shown = rows[:limit]
    return Page(shown, encode_cursor(*key(shown[-1])) if len(rows) > limit else None)
