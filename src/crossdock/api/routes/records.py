"""For systems: what was decided, told and asked for, by correlation id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from crossdock.allocation.records import explained
from crossdock.api.access.caller import Caller
from crossdock.api.documents import answers
from crossdock.api.feeds import NOBODY
from crossdock.api.orders.reading import find_order
from crossdock.api.pages import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, encode_cursor
from crossdock.api.problems import NOT_FOUND
from crossdock.api.records import store
from crossdock.api.records.model import Decisions, DecisionSeen, EffectSeen, MessageSeen
from crossdock.api.services import Services
from crossdock.api.system_examples import with_examples
from crossdock.db import Connection
from crossdock.kernel.ids import is_id
from crossdock.model.outside import EPOCH

_OPT: Any = {"permission": "records:read", "shed": "first"}
Case = Annotated[
    str,
    QueryParameter(
        min_length=1,
        max_length=600,
        description="The correlation id: an order's id, or channel:number; else the id that a"
        " message or a file's job has.",
    ),
]


@get("/records/decisions", opt=_OPT, responses=answers(NOT_FOUND), sync_to_thread=True)
def list_decisions(
    correlation_id: Case, caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Decisions:
    """List every choice of nodes for an order, with all that was looked at."""
    with services.of(caller).reading() as connection:
        order_id = _case(connection, caller, correlation_id)
        found = explained(connection, order_id)
    return Decisions(
        [
            DecisionSeen(
                id=one.decision_id,
                order_id=order_id,
                attempt=one.attempt,
                zone=one.zone,
                decided_at=one.decided_at,
                run_id=one.run_id,
                was_refused=one.was_refused,
                demand=None if one.demand is None else _named(one.demand),
                decision=_named(one.decision),
            )
            for one in found
        ]
    )


@get("/records/messages", opt=_OPT, responses=answers(NOT_FOUND), sync_to_thread=True)
def list_messages(
    correlation_id: Case,
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[MessageSeen]:
    """List the messages of a case as they were recorded: handled, waiting, kept or dead."""
    after = decode_cursor(cursor, datetime, int, UUID) if cursor else (EPOCH, 0, NOBODY)
    with services.of(caller).reading() as connection:
        case = _case(connection, caller, correlation_id)
        rows = store.messages(connection, case, (after[0], after[1], str(after[2])), limit + 1)
    following = encode_cursor(*rows[limit - 1][0]) if len(rows) > limit else None
    return Page([message for _, message in rows[:limit]], following)


class Effects(msgspec.Struct, frozen=True):
    """All of a case, in the order of time."""

    items: Sequence[EffectSeen]


@get("/records/effects", opt=_OPT, responses=answers(NOT_FOUND), sync_to_thread=True)
def list_effects(
    correlation_id: Case, caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Effects:
    """List the calls to outside systems of a case, with what came of them."""
    backend = services.of(caller)
    with backend.reading() as connection:
        case = _case(connection, caller, correlation_id)
        return Effects(store.effects(connection, case, backend.clock.now()))


def _case(connection: Connection, caller: Caller, text: str) -> str:
    """The correlation id that is meant. Raises ApiProblem 404 for an order that is not there."""
    return text if is_id(text) else find_order(connection, caller, text).id


def _named(value: Any) -> Any:
    """A struct with all it holds as plain data with field names, also where it is an array."""
    if isinstance(value, msgspec.Struct):
        return {name: _named(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [_named(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _named(each) for key, each in value.items()}
    return msgspec.to_builtins(value)


router = Router(
    "/v1",
    route_handlers=with_examples([list_decisions, list_messages, list_effects]),
    tags=["records"],
)
