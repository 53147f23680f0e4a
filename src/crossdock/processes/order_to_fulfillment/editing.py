"""Edits that need no new sourcing: whom to reach, instructions, attributes. Each is a revision."""

from __future__ import annotations

from datetime import datetime

import msgspec

from crossdock.model.events import SalesOrderEdited
from crossdock.model.messages import OrderEditRequested
from crossdock.processes.order_to_fulfillment.declaration import (
    CHECKING,
    CLOSED,
    HELD,
    OPEN,
    process,
)
from crossdock.processes.order_to_fulfillment.state import SalesOrderState


@process.on(OrderEditRequested, stages=(CHECKING, HELD, OPEN))
def edit(order: SalesOrderState, asked: OrderEditRequested, now: datetime) -> None:
    """All of it or nothing: nobody overwrites what they have not seen."""
    if asked.expected_revision not in (0, order.revision):
        _answer(order, asked, "stale", now)
    elif any(group.address_id and _is_packed(order, group.number) for group in asked.groups):
        _answer(order, asked, "too_late", now)
    else:
        order.revision += 1
        _apply(order, asked)
        _answer(order, asked, "applied", now)


@process.on(OrderEditRequested, stages=(CLOSED,))
def refuse_edit(order: SalesOrderState, asked: OrderEditRequested, now: datetime) -> None:
    """All is done: nobody would read it."""
    _answer(order, asked, "closed", now)


def _apply(order: SalesOrderState, asked: OrderEditRequested) -> None:
    if asked.customer_id is not None:
        order.facts = msgspec.structs.replace(order.facts, customer_id=asked.customer_id)
    for edited in asked.groups:
        if edited.recipient_id is not None:
            order.group(edited.number).recipient_id = edited.recipient_id
    order.news.edits.append(asked)
    order.news.told.append(
        SalesOrderEdited(order_id=order.id, revision=order.revision, fields=_fields(asked))
    )


def _fields(asked: OrderEditRequested) -> tuple[str, ...]:
    """What it changes, as paths of the order; numbers are those of lines and groups."""
    fields = ["attributes"] if asked.attributes is not None else []
    fields += ["customer"] if asked.customer_id is not None else []
    fields += [f"lines[{line.number}].attributes" for line in asked.lines]
    for group in asked.groups:
        fields += [f"groups[{group.number}].recipient"] if group.recipient_id is not None else []
        fields += [f"groups[{group.number}].address"] if group.address_id is not None else []
    return tuple(fields)


def _is_packed(order: SalesOrderState, group: int) -> bool:
    """A label with the old address is on a package of the group."""
    return any(line.packed or line.shipped for line in order.lines if line.group == group)


def _answer(order: SalesOrderState, asked: OrderEditRequested, result: str, now: datetime) -> None:
    order.news.edit_answers.append(
        (asked.request_id, now, asked.expected_revision, order.revision, result)
    )
