"""Statements about orders as channels read them: one function each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from crossdock.api.orders.model import OrderRead, Person
from crossdock.api.shipments.store import LOTS_OF_SHIPMENT
from crossdock.db import Connection
from crossdock.kernel.ids import ORDER_SHARDS, shard_of

_decode = msgspec.json.Decoder(OrderRead).decode

_PERSON = "SELECT id, name, company, email, phone, language FROM party WHERE id ="

_ORDERS = f"""
SELECT to_json(item)::text FROM (
    SELECT o.id, o.channel, o.number, o.stage, o.revision, o.placed_at, o.closed_at, o.currency,
           o.total, o.priority, o.brand, o.selling_entity, o.test, o.substitutes_allowed,
           coalesce(o.attributes, '{{}}') AS attributes,
           (SELECT to_json(p) FROM ({_PERSON} o.customer_id) AS p) AS customer,
           (SELECT json_agg(l ORDER BY l.number) FROM (
                SELECT number, sku, quantity, unit_price::text, total, payable, shipped_amount,
                       canceled_amount, credited_amount, group_number AS "group",
                       coalesce(attributes, '{{}}') AS attributes,
                       json_build_object(
                           'open', open, 'soft', soft, 'backordered', backordered,
                           'allocated', allocated, 'released', released, 'picked', picked,
                           'packed', packed, 'shipped', shipped, 'canceled', canceled,
                           'delivered', delivered, 'lost', lost, 'returned', returned) AS units
                FROM order_line WHERE order_id = o.id) AS l) AS lines,
           (SELECT json_agg(g ORDER BY g.number) FROM (
                SELECT g.number, g.method, g.service, g.pickup_node,
                       (SELECT to_json(p) FROM ({_PERSON} g.recipient_id) AS p) AS recipient,
                       json_build_object(
                           'country', g.country, 'postal_code', g.postal_code,
                           'latitude', g.latitude, 'longitude', g.longitude,
                           'lines', coalesce(a.lines, '{{}}'), 'city', coalesce(a.city, ''),
                           'administrative_area', coalesce(a.administrative_area, ''),
                           'instructions', coalesce(a.instructions, '')) AS address,
                       json_build_object('leave_by', g.requested_leave_by,
                                         'arrive_by', g.requested_arrive_by) AS requested,
                       json_build_object('leave_by', g.first_leave_by,
                                         'arrive_by', g.first_arrive_by) AS first,
                       json_build_object('leave_by', g.current_leave_by,
                                         'arrive_by', g.current_arrive_by) AS current,
                       json_build_object('leave_by', g.actual_left_at,
                                         'arrive_by', g.actual_arrived_at) AS actual
                FROM delivery_group g LEFT JOIN address a ON a.id = g.address_id
                WHERE g.order_id = o.id) AS g) AS groups,
           (SELECT coalesce(json_agg(m ORDER BY m.part, m.number), '[]') FROM (
                SELECT part, number, kind, amount, line_number AS line, group_number AS "group",
                       included
                FROM order_money WHERE order_id = o.id) AS m) AS money,
           (SELECT coalesce(json_agg(t ORDER BY t.order_of_use, t.number), '[]') FROM (
                SELECT number, order_of_use, kind, status, amount, authorized, captured, voided,
                       refunded, debt
                FROM tender WHERE order_id = o.id) AS t) AS tenders,
           (SELECT coalesce(json_agg(h ORDER BY h.placed_at, h.name), '[]') FROM (
                SELECT name, detail, placed_at, lifted_at, approved
                FROM hold WHERE order_id = o.id) AS h) AS holds,
           (SELECT coalesce(json_agg(f ORDER BY f.opened_at, f.id), '[]') FROM (
                SELECT f.id, f.group_number AS "group", f.node, f.work,
                       f.acknowledgement, f.opened_at, f.ship_by, f.closed_at, f.replaces,
                       f.decision_id, f.estimated_cost,
                       (SELECT coalesce(json_agg(fl ORDER BY fl.line), '[]') FROM (
                            SELECT line_number AS line, quantity, picked, short, packed, shipped,
                                   given_back, substitute
                            FROM fulfillment_line
                            WHERE order_id = o.id AND fulfillment_id = f.id) AS fl) AS lines
                FROM fulfillment_order f WHERE f.order_id = o.id) AS f) AS fulfillments,
           (SELECT coalesce(json_agg(s ORDER BY s.shipped_at, s.id), '[]') FROM (
                SELECT s.id, s.fulfillment_id, s.node, s.reference, s.shipped_at,
                       s.amount, {LOTS_OF_SHIPMENT} AS lots,
                       (SELECT coalesce(json_agg(p ORDER BY p.number), '[]') FROM (
                            SELECT p.number, p.carrier, p.service, p.tracking, p.weight_grams,
                                   p.delivered_at, p.lost_at, p.stopped_at,
                                   (SELECT coalesce(json_agg(sl ORDER BY sl.line), '[]') FROM (
                                        SELECT line_number AS line, quantity, amount,
                                               coalesce(serials, '{{}}') AS serials, substitute
                                        FROM shipment_line
                                        WHERE order_id = o.id AND shipment_id = s.id
                                          AND package_number = p.number) AS sl) AS lines
                            FROM package p
                            WHERE p.order_id = o.id AND p.shipment_id = s.id) AS p) AS packages
                FROM shipment s WHERE s.order_id = o.id) AS s) AS shipments,
           (SELECT coalesce(json_agg(c ORDER BY c.requested_at, c.request_id, c.line), '[]') FROM (
                SELECT request_id, line_number AS line, requested, canceled, stopped, refused,
                       reason, requested_at
                FROM cancellation WHERE order_id = o.id) AS c) AS cancellations
    FROM sales_order o WHERE o.id = ANY (%s::uuid[]) ORDER BY o.id
) AS item
"""


def read_orders(connection: Connection, ids: Sequence[str]) -> dict[str, OrderRead]:
    """Whole orders by id; what is not there is left out."""
    if not ids:
        return {}
    rows = connection.execute(_ORDERS, (list(ids),), prepare=True).fetchall()
    found = (_decode(row[0]) for row in rows)
    return {order.id: order for order in found}


def waiting_order(connection: Connection, id: str) -> bytes | None:
    """The body of an OrderPlaced that nobody has worked on yet."""
    row = connection.execute(
        "SELECT body FROM inbox WHERE shard = %s AND instance = %s"
        " AND type = 'crossdock.order.placed.v1'",
        (shard_of(id), id),
    ).fetchone()
    return bytes(row[0]) if row else None


def persons(connection: Connection, ids: Sequence[str]) -> dict[str, Person]:
    """Customers and recipients by id."""
    rows = connection.execute(
        "SELECT id, name, company, email, phone, language FROM party WHERE id = ANY (%s::uuid[])",
        (list(ids),),
    ).fetchall()
    return {row[0]: Person(*row) for row in rows}


class Street(NamedTuple):
    """What of an address is not in the delivery group."""

    lines: list[str]
    city: str
    administrative_area: str
    instructions: str


def streets(connection: Connection, ids: Sequence[str]) -> dict[str, Street]:
    """Addresses by id."""
    rows = connection.execute(
        "SELECT id, lines, city, administrative_area, instructions FROM address"
        " WHERE id = ANY (%s::uuid[])",
        (list(ids),),
    ).fetchall()
    return {row[0]: Street(*row[1:]) for row in rows}


class Filter(NamedTuple):
    """Which orders are wanted; None and empty are all."""

    channels: Sequence[str] | None = None
    stages: Sequence[str] = ()
    customer_id: str | None = None


_WANTED = """
    (%(channels)s::text[] IS NULL OR o.channel = ANY (%(channels)s::text[]))
    AND (%(stages)s::text[] = '{}' OR o.stage = ANY (%(stages)s::text[]))
    AND (%(customer)s::uuid IS NULL OR o.customer_id = %(customer)s::uuid)
"""


def order_ids(
    connection: Connection, wanted: Filter, after: str, before: str, limit: int
) -> list[str]:
    """Ids between the two, in their order, which is that of the times they were placed at."""
    rows = connection.execute(
        f"SELECT o.id FROM sales_order o WHERE {_WANTED}"
        " AND o.id > %(after)s::uuid AND o.id < %(before)s::uuid ORDER BY o.id LIMIT %(limit)s",
        {
            "channels": None if wanted.channels is None else list(wanted.channels),
            "stages": list(wanted.stages),
            "customer": wanted.customer_id,
            "after": after,
            "before": before,
            "limit": limit,
        },
    ).fetchall()
    return [row[0] for row in rows]


def wanted_of(connection: Connection, wanted: Filter, ids: Sequence[str]) -> set[str]:
    """Those of the orders that are wanted."""
    rows = connection.execute(
        f"SELECT o.id FROM sales_order o WHERE {_WANTED} AND o.id = ANY (%(ids)s::uuid[])",
        {
            "channels": None if wanted.channels is None else list(wanted.channels),
            "stages": list(wanted.stages),
            "customer": wanted.customer_id,
            "ids": list(ids),
        },
    ).fetchall()
    return {row[0] for row in rows}


class LogEntry(NamedTuple):
    """A change of an order; None where the entry is about none."""

    shard: int
    number: int
    recorded_at: datetime
    order_id: str | None


def places_at(connection: Connection, since: datetime) -> list[int]:
    """For each order shard, the last number of the log before a time.

    Read backwards, so that it costs as much as what follows: which the reader is about to read.
    """
    rows = connection.execute(
        """
        SELECT s.shard, coalesce((
            SELECT e.number FROM event_log e
            WHERE e.shard = s.shard AND e.recorded_at < %s
            ORDER BY e.number DESC LIMIT 1), 0)
        FROM generate_series(0, %s) AS s (shard) ORDER BY s.shard
        """,
        (since, ORDER_SHARDS - 1),
    ).fetchall()
    return [row[1] for row in rows]


def log_entries(
    connection: Connection, places: Sequence[int], per_shard: int
) -> list[list[LogEntry]]:
    """For each order shard, what follows its place, in order and without a gap."""
    rows = connection.execute(
        """
        SELECT s.shard, e.number, e.recorded_at, CASE e.process
                   WHEN 'order-to-fulfillment' THEN e.instance::text
                   WHEN 'fulfillment' THEN (
                       SELECT min(o) FROM unnest(e.objects) AS o WHERE o <> e.instance::text)
               END
        FROM unnest(%s::int[], %s::bigint[]) AS s (shard, place)
        CROSS JOIN LATERAL (
            SELECT number, recorded_at, process, instance, objects FROM event_log
            WHERE shard = s.shard AND number > s.place ORDER BY number LIMIT %s) AS e
        ORDER BY s.shard, e.number
        """,
        (list(range(ORDER_SHARDS)), list(places), per_shard),
    ).fetchall()
    found: list[list[LogEntry]] = [[] for _ in range(ORDER_SHARDS)]
    for row in rows:
        found[row[0]].append(LogEntry(*row))
    return found


def edit_answer(connection: Connection, order_id: str, request_id: str) -> str | None:
    """How an edit was answered; None while it was not."""
    row = connection.execute(
        "SELECT result FROM order_edit WHERE order_id = %s::uuid AND request_id = %s",
        (order_id, request_id),
        prepare=True,
    ).fetchone()
    return str(row[0]) if row else None
