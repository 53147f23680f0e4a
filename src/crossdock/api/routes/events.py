"""Reading published events: the same events in the same order as webhooks get them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from crossdock import db
from crossdock.api.access.caller import Caller
from crossdock.api.documents import answers
from crossdock.api.pages import DEFAULT_LIMIT, Limit
from crossdock.api.problems import MALFORMED, ApiProblem, problem_type
from crossdock.api.services import Services
from crossdock.contracts.registry import event_types
from crossdock.events import store
from crossdock.events.model import Interest, PublicEvent, public
from crossdock.kernel.ids import is_id
from crossdock.model.problems import Problem

EVENTS_REMOVED = problem_type(
    "events_removed",
    410,
    "Events after that one are not kept any more",
    cause="Events are kept for webhooks.event_days, and some of those asked for are older.",
    remedy="Go on with `oldest`, the oldest `after` there is, and read again what you keep of"
    " orders and stock: their events in between are lost to you.",
)

WINDOW = 20_000
"""Events that one request looks at, at most, for those of interest."""

MOST_TYPES = 50

After = Annotated[
    str | None,  # As a number or nothing, Litestar would take the word null.
    QueryParameter(
        name="after",
        pattern="^[0-9]{1,18}$",
        required=False,
        description="The `last` of the answer before; without it, from the oldest event kept on.",
    ),
]
Types = Annotated[
    str | None,
    QueryParameter(
        name="types",
        min_length=1,
        max_length=4_000,
        required=False,
        description="Event types, separated by commas; a beginning that ends in * stands for many.",
    ),
]
OrderId = Annotated[
    str | None,
    QueryParameter(name="order", max_length=36, required=False, description="Our id of one order."),
]


Channel = Annotated[
    str | None,
    QueryParameter(max_length=200, required=False, description="Only of this channel's sales."),
]
Node = Annotated[
    str | None,
    QueryParameter(max_length=200, required=False, description="Only of this node's work, stock."),
]


class Events(msgspec.Struct, frozen=True):
    """Some events, in their order."""

    events: Sequence[PublicEvent]
    last: int
    """What to send as `after` to go on; the same as was sent when there is nothing new."""
    more: bool
    """Whether it pays to ask again at once."""


_EXAMPLE = {
    "events": [
        {
            "specversion": "1.0",
            "id": "019a61c2-7b40-8c1f-9d2e-5a0b1c2d3e4f",
            "source": "/crossdock",
            "type": "crossdock.tender.captured.v1",
            "time": "2026-11-02T09:00:00Z",
            "subject": "web:W-10041",
            "datacontenttype": "application/json",
            "dataschema": "urn:crossdock:schema:crossdock.tender.captured.v1",
            "sequence": "4711",
            "partitionkey": "019a61a0-7b40-8c1f-9d2e-5a0b1c2d3e4f",
            "correlationid": "019a61a0-7b40-8c1f-9d2e-5a0b1c2d3e4f",
            "causationid": "019a61c2-7b3f-8a00-b111-0123456789ab",
            "data": {
                "order_id": "019a61a0-7b40-8c1f-9d2e-5a0b1c2d3e4f",
                "tender": 1,
                "amount": 5000,
                "currency": "USD",
            },
        }
    ],
    "last": 4711,
    "more": False,
}


@get(
    "/events",
    opt={"permission": "events:read", "shed": "first", "answer_example": _EXAMPLE},
    responses=answers(EVENTS_REMOVED),
    sync_to_thread=True,
)
def read_events(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    after: After = None,
    types: Types = None,
    order: OrderId = None,
    channel: Channel = None,
    node: Node = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Events:
    """Read events in the order they were published.

    Send `last` as `after` to go on. Nothing is ever published before an event you have seen, so
    whoever keeps `last` misses nothing and sees nothing twice. Where events that follow have been
    removed for their age, the answer is 410 instead of a gap.
    """
    interest = Interest(
        _types(types),
        _narrowed(caller.channels, channel),
        _narrowed(caller.nodes, node),
        _order(order),
    )
    with services.of(caller).reading() as connection, db.one_snapshot(connection):
        removed = store.removed(connection)
        begin = removed.until if after is None else int(after)
        check_kept(removed, begin)
        newest = store.last_sequence(connection)
        until = min(newest, begin + WINDOW)
        rows = store.events_between(connection, begin, until, interest, limit + 1)
    shown = rows[:limit]
    last = shown[-1].sequence if len(rows) > limit else max(until, begin)
    return Events([public(row) for row in shown], last, last < newest)


def check_kept(removed: store.Removed, after: int) -> None:
    """Raises ApiProblem 410 where some of what follows is not kept any more."""
    if after < removed.until:
        raise events_removed(removed)


def events_removed(removed: store.Removed) -> ApiProblem:
    """The 410 that names the oldest `after` there is."""
    detail = f"Events up to {removed.until} were removed; the oldest `after` is {removed.until}."
    return ApiProblem(EVENTS_REMOVED, detail, oldest=removed.until)


def checked_types(named: Sequence[str], path: str) -> tuple[str, ...]:
    """Event types and beginnings. Raises ApiProblem 400 for what no event is called."""
    known = event_types()
    problems = [
        Problem(
            path,
            "unknown_type",
            f"{one[:100]!r} is no event type.",
            "Send types of docs/reference/messages.md, or beginnings of them that end in *.",
        )
        for one in named
        if not any(
            name.startswith(one[:-1]) if one.endswith("*") else name == one for name in known
        )
    ]
    if len(named) > MOST_TYPES:
        problems.append(
            Problem(path, "too_many", f"There are {len(named)}.", f"Send at most {MOST_TYPES}.")
        )
    if problems:
        raise ApiProblem(MALFORMED, errors=problems[:MOST_TYPES])
    return tuple(named)


def _narrowed(own: frozenset[str] | None, wanted: str | None) -> frozenset[str] | None:
    """What is wanted of what the caller sees."""
    if wanted is None:
        return own
    return frozenset({wanted}) if own is None else own & {wanted}


def _types(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else checked_types(text.split(","), "types")


def _order(text: str | None) -> str | None:
    if text is not None and not is_id(text):
        problem = Problem("order", "no_id", "It is no id of ours.", "Send the id of an order.")
        raise ApiProblem(MALFORMED, errors=[problem])
    return text


router = Router("/v1", route_handlers=[read_events], tags=["events"])
