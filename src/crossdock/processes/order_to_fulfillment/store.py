"""The tables that show orders to readers, written once per batch: COPY for what is new, one UPDATE
per table for what changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from crossdock.engine.process import Change
from crossdock.engine.transaction import Transaction
from crossdock.model.orders import SalesOrder
from crossdock.processes.order_to_fulfillment.declaration import CLOSED
from crossdock.processes.order_to_fulfillment.edits_store import write_edits
from crossdock.processes.order_to_fulfillment.news import News
from crossdock.processes.order_to_fulfillment.state import Line, SalesOrderState, Tender

Row = tuple[Any, ...]


def project(tx: Transaction, changes: Sequence[Change]) -> None:
    """Write what a batch changed in its orders."""
    opened: list[SalesOrderState] = [c.state for c in changes if c.is_new]
    known: list[SalesOrderState] = [c.state for c in changes if not c.is_new and _news(c.state)]
    if opened:
        _insert_orders(tx, opened)
    if known:
        _update_orders(tx, known)
    told = [*opened, *known]
    _insert_shipments(tx, told)
    _write_payments(tx, told)
    _write_cancellations(tx, told)
    write_edits(tx, told)
    for state in told:
        state.__dict__.pop("news", None)


def _news(state: SalesOrderState) -> News | None:
    """What is to be written, if anything is."""
    return state.__dict__.get("news")


def _insert_orders(tx: Transaction, states: Sequence[SalesOrderState]) -> None:
    placed = [(state, _placed(state)) for state in states]
    tx.copy(f"sales_order ({_ORDER})", [_order_row(*pair) for pair in placed])
    tx.copy(f"order_line ({_LINE})", [row for pair in placed for row in _line_rows(*pair)])
    tx.copy(f"delivery_group ({_GROUP})", [row for pair in placed for row in _group_rows(*pair)])
    _copy(tx, f"order_money ({_MONEY})", (row for _, order in placed for row in _money_rows(order)))
    tx.copy(f"tender ({_TENDER})", [_tender_row(s, t) for s in states for t in s.tenders])


def _placed(state: SalesOrderState) -> SalesOrder:
    placed = state.news.placed
    assert placed is not None, "the batch that opens an order has it"
    return placed


_ORDER = (
    "id, placed_at, closed_at, customer_id, total, revision, priority, test, currency,"
    " presentment_currency, presentment_total, exchange_rate, exchanged_at, channel, number, brand,"
    " selling_entity, stage, policy_version, substitutes_allowed, attributes"
)


def _order_row(state: SalesOrderState, order: SalesOrder) -> Row:
    return (
        state.id,
        order.placed_at,
        state.news.closed_at,
        order.customer_id,
        order.total,
        order.revision,
        order.priority,
        order.test,
        order.currency,
        order.presentment_currency,
        order.presentment_total,
        order.exchange_rate,
        order.exchanged_at,
        order.channel,
        order.number,
        order.brand,
        order.selling_entity,
        state.stage,
        state.policy.version,
        order.substitutes_allowed,
        _json(order.attributes),
    )


_COUNTERS = (
    "open, soft, backordered, allocated, released, picked, packed, shipped, canceled,"
    " delivered, lost, returned, shipped_amount, canceled_amount, credited_amount"
)
_LINE = (
    f"order_id, number, {_COUNTERS}, quantity, group_number, total, charge_share,"
    " adjustment_share, tax_share, payable, unit_price, sku, channel_sku, owner, attributes"
)


def _counters(line: Line) -> Row:
    return (
        line.open,
        line.soft,
        line.backordered,
        line.allocated,
        line.released,
        line.picked,
        line.packed,
        line.shipped,
        line.canceled,
        line.delivered,
        line.lost,
        line.returned,
        line.shipped_amount,
        line.canceled_amount,
        line.credited_amount,
    )


def _line_rows(state: SalesOrderState, order: SalesOrder) -> Iterator[Row]:
    order_id = state.id
    for line, placed, share in zip(state.lines, order.lines, state.news.shares, strict=True):
        yield (
            order_id,
            line.number,
            *_counters(line),
            line.quantity,
            line.group,
            placed.total,
            *share,
            line.payable,
            placed.unit_price,
            line.sku,
            placed.channel_sku,
            placed.owner,
            _json(placed.attributes),
        )


_GROUP = (
    "order_id, number, recipient_id, address_id, latitude, longitude, requested_arrive_by,"
    " first_leave_by, first_arrive_by, current_leave_by, current_arrive_by, actual_left_at,"
    " actual_arrived_at, method, service, country, postal_code, pickup_node"
)


def _group_rows(state: SalesOrderState, order: SalesOrder) -> Iterator[Row]:
    for group, placed in zip(state.groups, order.groups, strict=True):
        changed = state.news.groups.get(group.number, {})
        leave_by = changed.get("current_leave_by")
        yield (
            state.id,
            group.number,
            placed.recipient_id,
            placed.address_id,
            group.latitude,
            group.longitude,
            placed.requested_by,
            leave_by,
            placed.promised_by,
            leave_by,
            placed.promised_by,
            changed.get("actual_left_at"),
            changed.get("actual_arrived_at"),
            group.method,
            group.service,
            group.country,
            group.postal_code,
            group.pickup_node,
        )


_MONEY = (
    "order_id, part, number, amount, line_number, group_number, charge_number, included, kind,"
    " funded_by, description, rate"
)


def _money_rows(order: SalesOrder) -> Iterator[Row]:
    for charge in order.charges:
        yield (
            order.id, "charge", charge.number, charge.amount, charge.line, charge.group, None,
            False, charge.kind, "", charge.description, None,
        )  # fmt: skip
    for given in order.adjustments:
        yield (
            order.id, "adjustment", given.number, given.amount, given.line, given.group, None,
            False, given.source, given.funded_by, "", None,
        )  # fmt: skip
    for tax in order.taxes:
        yield (
            order.id, "tax", tax.number, tax.amount, tax.line, None, tax.charge,
            tax.included, tax.jurisdiction, "", "", tax.rate,
        )  # fmt: skip


_TENDER_CHANGES = "amount, authorized, captured, voided, refunded, debt, authorized_until, status"
_TENDER = f"order_id, number, {_TENDER_CHANGES}, order_of_use, paid, kind, reference"


def _tender_changes(tender: Tender) -> Row:
    return (
        tender.amount,
        sum(one.held for one in tender.authorizations) + tender.voiding,
        tender.captured,
        tender.voided,
        tender.refunded,
        tender.debt,
        tender.authorized_until,
        tender.status,
    )


def _tender_row(state: SalesOrderState, tender: Tender) -> Row:
    return (
        state.id,
        tender.number,
        *_tender_changes(tender),
        state.tenders.index(tender) + 1,
        tender.status == "paid",
        tender.kind,
        tender.reference,
    )


def _update_orders(tx: Transaction, states: Sequence[SalesOrderState]) -> None:
    staged = [
        (s.id, s.stage, s.policy.version, s.news.closed_at if s.stage == CLOSED else None)
        for s in states
        if s.news.stage
    ]
    _update(
        tx,
        """
        UPDATE sales_order o SET stage = v.stage, policy_version = v.policy_version,
               closed_at = v.closed_at
        FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[])
             AS v (id, stage, policy_version, closed_at)
        WHERE o.id = v.id
        """,
        staged,
    )
    lines = [(s.id, n, *_counters(s.look(n))) for s in states for n in sorted(s.news.lines)]
    _update(tx, _UPDATE_LINES, lines)
    _update(tx, _UPDATE_GROUPS, [row for s in states for row in _changed_groups(s)])
    _copy(
        tx,
        "promise_change (order_id, group_number, changed_at, leave_by, arrive_by, reason)",
        ((s.id, *change) for s in states for change in s.news.promises),
    )
    joined = [
        _tender_row(s, t)
        for s in states
        if s.news.joined
        for t in s.tenders
        if t.number in s.news.joined
    ]
    _copy(tx, f"tender ({_TENDER})", joined)
    tenders = [
        (s.id, t.number, *_tender_changes(t))
        for s in states
        for t in s.tenders
        if t.number in s.news.tenders
    ]
    _update(tx, _UPDATE_TENDERS, tenders)


_UPDATE_LINES = f"""
UPDATE order_line l SET ({_COUNTERS}) = (SELECT {
    ", ".join(f"v.{name.strip()}" for name in _COUNTERS.split(","))
})
FROM unnest(%s::uuid[], %s::int[], {", ".join(["%s::int[]"] * 12)}, %s::bigint[], %s::bigint[],
            %s::bigint[])
     AS v (order_id, number, {_COUNTERS})
WHERE l.order_id = v.order_id AND l.number = v.number
"""

_UPDATE_TENDERS = """
UPDATE tender t SET amount = v.amount, authorized = v.authorized, captured = v.captured,
       voided = v.voided, refunded = v.refunded, debt = v.debt,
       authorized_until = v.authorized_until, status = v.status
FROM unnest(%s::uuid[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
            %s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[])
     AS v (order_id, number, amount, authorized, captured, voided, refunded, debt,
           authorized_until, status)
WHERE t.order_id = v.order_id AND t.number = v.number
"""

# A null leaves the column as it is; the first promise stays what it was once it is known.
_UPDATE_GROUPS = """
UPDATE delivery_group g
SET first_leave_by = coalesce(g.first_leave_by, v.leave_by),
    current_leave_by = coalesce(v.leave_by, g.current_leave_by),
    actual_left_at = coalesce(v.left_at, g.actual_left_at),
    actual_arrived_at = coalesce(v.arrived_at, g.actual_arrived_at),
    country = coalesce(v.country, g.country),
    postal_code = coalesce(v.postal_code, g.postal_code),
    latitude = coalesce(v.latitude, g.latitude),
    longitude = coalesce(v.longitude, g.longitude)
FROM unnest(%s::uuid[], %s::int[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
            %s::text[], %s::text[], %s::float8[], %s::float8[])
     AS v (order_id, number, leave_by, left_at, arrived_at, country, postal_code, latitude,
           longitude)
WHERE g.order_id = v.order_id AND g.number = v.number
"""


def _changed_groups(state: SalesOrderState) -> Iterator[Row]:
    for number, changed in state.news.groups.items():
        yield (
            state.id,
            number,
            changed.get("current_leave_by"),
            changed.get("actual_left_at"),
            changed.get("actual_arrived_at"),
            changed.get("country"),
            changed.get("postal_code"),
            changed.get("latitude"),
            changed.get("longitude"),
        )


def _insert_shipments(tx: Transaction, states: Sequence[SalesOrderState]) -> None:
    _copy(
        tx,
        "shipment (order_id, id, fulfillment_id, shipped_at, amount, node, reference)",
        ((s.id, *row) for s in states for row in s.news.shipments),
    )
    _copy(
        tx,
        "package (order_id, shipment_id, number, weight_grams, carrier, service, tracking)",
        ((s.id, *row) for s in states for row in s.news.packages),
    )
    _copy(
        tx,
        "shipment_line (order_id, shipment_id, package_number, line_number, quantity, amount,"
        " substitute)",
        ((s.id, *row) for s in states for row in s.news.shipment_lines),
    )
    for column in ("delivered_at", "lost_at", "stopped_at"):
        arrived = [
            (s.id, shipment, package, at)
            for s in states
            for shipment, package, name, at in s.news.arrivals
            if name == column
        ]
        _update(
            tx,
            f"""
            UPDATE package p SET {column} = v.at
            FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::timestamptz[])
                 AS v (order_id, shipment_id, number, at)
            WHERE p.order_id = v.order_id AND p.shipment_id = v.shipment_id
              AND p.number = v.number
            """,
            arrived,
        )


def _write_payments(tx: Transaction, states: Sequence[SalesOrderState]) -> None:
    _copy(
        tx,
        "payment_entry (order_id, key, tender_number, kind, amount, shipment_id, reason, status,"
        " requested_at, settled_at, reference)",
        ((s.id, key, *row) for s in states for key, row in s.news.entries.items()),
    )
    answers = [(s.id, key, *row) for s in states for key, row in s.news.answers.items()]
    _update(
        tx,
        """
        UPDATE payment_entry e SET status = v.status, settled_at = v.settled_at,
               reference = v.reference,
               reason = CASE WHEN v.reason = '' THEN e.reason ELSE v.reason END
        FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[])
             AS v (order_id, key, status, settled_at, reference, reason)
        WHERE e.order_id = v.order_id AND e.key = v.key
        """,
        answers,
    )
    _update(
        tx,
        """
        UPDATE received_payment p SET status = v.status, reason = v.reason, changed_at = v.at
        FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[])
             AS v (id, status, reason, at)
        WHERE p.id = v.id
        """,
        [row for s in states for row in s.news.received],
    )
    _copy(
        tx,
        "posting (order_id, posted_at, shipment_id, amount, kind, key, document)",
        ((s.id, *row) for s in states for row in s.news.postings),
    )


def _write_cancellations(tx: Transaction, states: Sequence[SalesOrderState]) -> None:
    """What was wanted back and what became of it add up over batches.

    MERGE, because INSERT ... ON CONFLICT checks the constraints of the row it only means to add.
    """
    rows = [
        (s.id, request_id, number, *row)
        for s in states
        for (request_id, number), row in s.news.cancellations.items()
    ]
    _update(
        tx,
        """
        MERGE INTO cancellation c
        USING unnest(%s::uuid[], %s::text[], %s::int[], %s::int[], %s::int[], %s::int[],
                     %s::int[], %s::text[], %s::timestamptz[])
              AS v (order_id, request_id, line_number, requested, canceled, stopped, refused,
                    reason, requested_at)
        ON c.order_id = v.order_id AND c.request_id = v.request_id
           AND c.line_number = v.line_number
        WHEN MATCHED THEN UPDATE
        SET requested = c.requested + v.requested, canceled = c.canceled + v.canceled,
            stopped = c.stopped + v.stopped, refused = c.refused + v.refused
        WHEN NOT MATCHED THEN
        INSERT (order_id, request_id, line_number, requested, canceled, stopped, refused, reason,
                requested_at)
        VALUES (v.order_id, v.request_id, v.line_number, v.requested, v.canceled, v.stopped,
                v.refused, v.reason, v.requested_at)
        """,
        rows,
    )


def _copy(tx: Transaction, target: str, rows: Iterable[Row]) -> None:
    rows = list(rows)
    if rows:
        tx.copy(target, rows)


def _update(tx: Transaction, statement: str, rows: Sequence[Row]) -> None:
    if rows:
        tx.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _json(attributes: dict[str, str]) -> str | None:
    return json.dumps(attributes) if attributes else None
