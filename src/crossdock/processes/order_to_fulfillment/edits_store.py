"""What edits change in the tables of orders, and how each was answered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from crossdock.engine.transaction import Transaction
from crossdock.model.messages import OrderEditRequested
from crossdock.processes.order_to_fulfillment.state import SalesOrderState

Row = tuple[Any, ...]


def write_edits(tx: Transaction, states: Sequence[SalesOrderState]) -> None:
    """After all else of the batch: an order may be placed and edited in one."""
    states = [s for s in states if s.news.edit_answers]
    if not states:
        return
    edits = [(s, edit) for s in states for edit in s.news.edits]
    _write(tx, _ORDERS, [_head(s) for s in states if s.news.edits])
    _write(tx, _LINES, _lines(edits))
    _write(tx, _GROUPS, _groups(edits))
    tx.copy(
        "order_edit (order_id, request_id, decided_at, expected_revision, revision, result)",
        [(s.id, *answer) for s in states for answer in s.news.edit_answers],
    )


_ORDERS = """
UPDATE sales_order o
SET revision = v.revision, customer_id = coalesce(v.customer_id, o.customer_id),
    attributes = CASE WHEN v.keeps THEN o.attributes ELSE v.attributes END
FROM unnest(%s::uuid[], %s::int[], %s::uuid[], %s::bool[], %s::jsonb[])
     AS v (id, revision, customer_id, keeps, attributes)
WHERE o.id = v.id
"""

_LINES = """
UPDATE order_line l SET attributes = v.attributes
FROM unnest(%s::uuid[], %s::int[], %s::jsonb[]) AS v (order_id, number, attributes)
WHERE l.order_id = v.order_id AND l.number = v.number
"""

_GROUPS = """
UPDATE delivery_group g
SET recipient_id = coalesce(v.recipient_id, g.recipient_id),
    address_id = coalesce(v.address_id, g.address_id)
FROM unnest(%s::uuid[], %s::int[], %s::uuid[], %s::uuid[])
     AS v (order_id, number, recipient_id, address_id)
WHERE g.order_id = v.order_id AND g.number = v.number
"""


def _head(state: SalesOrderState) -> Row:
    """What the order's edits of this batch come to: the last word on each field."""
    customers = [e.customer_id for e in state.news.edits if e.customer_id is not None]
    attributes = [e.attributes for e in state.news.edits if e.attributes is not None]
    return (
        state.id,
        state.revision,
        customers[-1] if customers else None,
        not attributes,
        json.dumps(attributes[-1]) if attributes and attributes[-1] else None,
    )


def _lines(edits: Iterable[tuple[SalesOrderState, OrderEditRequested]]) -> list[Row]:
    last = {
        (state.id, line.number): json.dumps(line.attributes) if line.attributes else None
        for state, edit in edits
        for line in edit.lines
    }
    return [(*key, attributes) for key, attributes in last.items()]


def _groups(edits: Iterable[tuple[SalesOrderState, OrderEditRequested]]) -> list[Row]:
    last: dict[tuple[str, int], tuple[str | None, str | None]] = {}
    for state, edit in edits:
        for group in edit.groups:
            recipient, address = last.get((state.id, group.number), (None, None))
            last[state.id, group.number] = (
                group.recipient_id or recipient,
                group.address_id or address,
            )
    return [(*key, *ids) for key, ids in last.items()]


def _write(tx: Transaction, statement: str, rows: Sequence[Row]) -> None:
    if rows:
        tx.execute(statement, [list(column) for column in zip(*rows, strict=True)])
