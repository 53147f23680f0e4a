"""The tables that show a node its work, written once per batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crossdock.engine.process import Change
from crossdock.engine.transaction import Transaction
from crossdock.processes.fulfillment.state import FulfillmentState, WorkLine

Row = tuple[Any, ...]


def project(tx: Transaction, changes: Sequence[Change]) -> None:
    """Write what a batch changed in the work of nodes."""
    opened: list[FulfillmentState] = [c.state for c in changes if c.is_new]
    known: list[FulfillmentState] = [
        c.state for c in changes if not c.is_new and "news" in c.state.__dict__
    ]
    if opened:
        tx.copy(f"fulfillment_order ({_ORDER})", [(*_order_row(state), tx.now) for state in opened])
        tx.copy(
            f"fulfillment_line ({_LINE})",
            [
                (s.order_id, s.id, *_line_row(line), line.substitute)
                for s in opened
                for line in s.lines
            ],
        )
    if known:
        _update_orders(tx, known)
    _write_recalls(tx, [*opened, *known])
    for state in (*opened, *known):
        state.__dict__.pop("news", None)


_ORDER = (
    "order_id, id, decision_id, replaces, opened_at, ship_by, closed_at, estimated_cost,"
    " group_number, node, work, acknowledgement, counted_on, changed_at"
)


def _order_row(state: FulfillmentState) -> Row:
    assert state.news.opened is not None, "the batch that opens it has its message"
    message, at = state.news.opened
    return (
        state.order_id,
        state.id,
        message.decision_id,
        message.replaces,
        at,
        message.ship_by,
        state.closed_at,
        message.estimated_cost,
        message.group,
        state.node,
        state.work,
        state.acknowledgement,
        state.counted_on,
    )


_LINE = (
    "order_id, fulfillment_id, line_number, quantity, picked, short, packed, shipped, given_back,"
    " substitute"
)


def _line_row(line: WorkLine) -> Row:
    return (
        line.line,
        line.quantity,
        line.picked,
        line.short,
        line.packed,
        line.shipped,
        line.given_back,
    )


def _update_orders(tx: Transaction, states: Sequence[FulfillmentState]) -> None:
    changed = [
        (s.order_id, s.id, s.work, s.acknowledgement, s.closed_at)
        for s in states
        if s.news.changed or s.news.lines or s.news.recalls
    ]
    if changed:
        # The node follows its work by the transaction that changed it, its lines or recalls.
        tx.execute(
            """
            UPDATE fulfillment_order f SET work = v.work, acknowledgement = v.acknowledgement,
                   closed_at = v.closed_at, changed_in = pg_current_xact_id(), changed_at = %s
            FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[])
                 AS v (order_id, id, work, acknowledgement, closed_at)
            WHERE f.order_id = v.order_id AND f.id = v.id
            """,
            [tx.now, *_columns(changed)],
        )
    lines = [
        (s.order_id, s.id, *_line_row(line))
        for s in states
        for line in s.lines
        if line.line in s.news.lines
    ]
    if lines:
        tx.execute(
            """
            UPDATE fulfillment_line l SET picked = v.picked, short = v.short, packed = v.packed,
                   shipped = v.shipped, given_back = v.given_back
            FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::int[], %s::int[], %s::int[],
                        %s::int[], %s::int[], %s::int[])
                 AS v (order_id, fulfillment_id, line_number, quantity, picked, short, packed,
                       shipped, given_back)
            WHERE l.order_id = v.order_id AND l.fulfillment_id = v.fulfillment_id
              AND l.line_number = v.line_number
            """,
            _columns(lines),
        )


def _write_recalls(tx: Transaction, states: Sequence[FulfillmentState]) -> None:
    """A recall is asked once and answered once; its reason stays what it was."""
    rows = [
        (s.order_id, s.id, request_id, number, *row)
        for s in states
        for (request_id, number), row in s.news.recalls.items()
    ]
    asked = [row[:9] for row in rows if row[9]]
    answered = [(*row[:4], row[5], row[8]) for row in rows if not row[9]]
    if asked:
        tx.copy(
            "recall (order_id, fulfillment_id, request_id, line_number, quantity, given_back,"
            " reason, requested_at, answered_at)",
            asked,
        )
    if answered:
        tx.execute(
            """
            UPDATE recall r SET given_back = v.given_back, answered_at = v.answered_at
            FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::int[], %s::int[],
                        %s::timestamptz[])
                 AS v (order_id, fulfillment_id, request_id, line_number, given_back, answered_at)
            WHERE r.order_id = v.order_id AND r.fulfillment_id = v.fulfillment_id
              AND r.request_id = v.request_id AND r.line_number = v.line_number
            """,
            _columns(answered),
        )


def _columns(rows: Sequence[Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
