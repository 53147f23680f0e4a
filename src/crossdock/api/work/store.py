"""Statements about the work of nodes: one function each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from crossdock.api.feeds import Seat
from crossdock.api.feeds_store import Changed, at_nodes, behind
from crossdock.api.work.model import WorkItem
from crossdock.db import Connection

_decode_item = msgspec.json.Decoder(WorkItem).decode


def changed_work(
    connection: Connection, nodes: Sequence[str], seat: Seat, since: datetime | None, limit: int
) -> list[Changed]:
    """Work of these nodes behind a seat, in the order of change.

    What ended before the reader began (`seat.start`) is left out.
    """
    rows = connection.execute(
        f"""
        WITH open AS (
            SELECT order_id, id, changed_in FROM fulfillment_order
            WHERE {at_nodes(nodes)} AND closed_at IS NULL
              AND (changed_in, id) > (%(after)s::text::xid8, %(after_id)s::uuid)
              AND changed_in < %(horizon)s::text::xid8
              AND (%(since)s::timestamptz IS NULL OR changed_at >= %(since)s)
            ORDER BY changed_in, id LIMIT %(limit)s
        ), ended AS (
            SELECT order_id, id, changed_in FROM fulfillment_order
            WHERE {at_nodes(nodes)} AND closed_at IS NOT NULL
              AND (changed_in, id) > (%(after)s::text::xid8, %(after_id)s::uuid)
              AND changed_in >= %(start)s::text::xid8
              AND changed_in < %(horizon)s::text::xid8
              AND (%(since)s::timestamptz IS NULL OR changed_at >= %(since)s)
            ORDER BY changed_in, id LIMIT %(limit)s
        )
        SELECT order_id, id, changed_in::text::bigint FROM (
            SELECT * FROM open UNION ALL SELECT * FROM ended) AS either
        ORDER BY changed_in, id LIMIT %(limit)s
        """,
        behind(nodes, seat, since, limit),
        prepare=True,
    ).fetchall()
    return [Changed(*row) for row in rows]


def work_items(connection: Connection, ids: Sequence[tuple[str, str]]) -> list[WorkItem]:
    """Work by (order id, id), in the order given."""
    rows = connection.execute(
        """
        SELECT row_to_json(item)::text FROM (
            SELECT f.id, f.order_id, o.channel, o.number AS order_number, f.node, f.work,
                   f.acknowledgement, f.opened_at, f.changed_at, f.ship_by, f.closed_at,
                   f.replaces, g.method, g.service, g.pickup_node,
                   coalesce(lines.lines, '[]') AS lines, coalesce(recalls.recalls, '[]') AS recalls,
                   CASE WHEN f.closed_at IS NULL AND p.id IS NOT NULL THEN json_build_object(
                       'name', p.name, 'company', p.company, 'email', p.email, 'phone', p.phone)
                   END AS recipient,
                   CASE WHEN f.closed_at IS NULL AND a.id IS NOT NULL THEN json_build_object(
                       'country', a.country, 'postal_code', a.postal_code,
                       'administrative_area', a.administrative_area, 'city', a.city,
                       'lines', a.lines, 'instructions', a.instructions)
                   END AS address,
                   wanted.place
            FROM unnest(%s::uuid[], %s::uuid[]) WITH ORDINALITY AS wanted (order_id, id, place)
            JOIN fulfillment_order f ON f.order_id = wanted.order_id AND f.id = wanted.id
            JOIN sales_order o ON o.id = f.order_id
            JOIN delivery_group g ON g.order_id = f.order_id AND g.number = f.group_number
            LEFT JOIN party p ON p.id = g.recipient_id
            LEFT JOIN address a ON a.id = g.address_id
            LEFT JOIN LATERAL (
                SELECT json_agg(json_build_object(
                           'line', l.line_number, 'sku', s.sku, 'name', coalesce(d.name, ''),
                           'instead_of', CASE WHEN l.substitute = '' THEN '' ELSE ol.sku END,
                           'quantity', l.quantity, 'picked', l.picked, 'short', l.short,
                           'packed', l.packed, 'shipped', l.shipped, 'given_back', l.given_back,
                           'to_ship', l.quantity - l.short - l.given_back - l.shipped,
                           'lots', coalesce(lots.lots, '[]'))
                       ORDER BY l.line_number) AS lines
                FROM fulfillment_line l
                JOIN order_line ol ON ol.order_id = l.order_id AND ol.number = l.line_number
                CROSS JOIN LATERAL (SELECT coalesce(nullif(l.substitute, ''), ol.sku)) AS s (sku)
                LEFT JOIN product d ON d.sku = s.sku
                LEFT JOIN LATERAL (
                    SELECT json_agg(json_build_object(
                               'sku', r.sku, 'lot', r.lot, 'expires_on', t.expires_on,
                               'quantity', r.quantity) ORDER BY t.expires_on, r.sku, r.lot) AS lots
                    FROM (SELECT sku, lot, sum(quantity) AS quantity FROM reservation
                          WHERE order_id = f.order_id AND line_number = l.line_number
                            AND node = f.node AND lot <> ''
                            AND coalesce(fulfillment_id, f.id) = f.id
                          GROUP BY sku, lot) AS r
                    LEFT JOIN lot t USING (sku, lot)) AS lots ON f.closed_at IS NULL
                WHERE l.order_id = f.order_id AND l.fulfillment_id = f.id) AS lines ON true
            LEFT JOIN LATERAL (
                SELECT json_agg(json_build_object(
                           'request_id', r.request_id, 'reason', r.reason,
                           'requested_at', r.requested_at, 'lines', r.lines)
                       ORDER BY r.requested_at, r.request_id) AS recalls
                FROM (SELECT request_id, min(reason) AS reason, min(requested_at) AS requested_at,
                             json_agg(json_build_object('line', line_number, 'quantity', quantity)
                                      ORDER BY line_number) AS lines
                      FROM recall
                      WHERE order_id = f.order_id AND fulfillment_id = f.id AND answered_at IS NULL
                      GROUP BY request_id) AS r) AS recalls ON true
        ) AS item ORDER BY place
        """,
        ([order_id for order_id, _ in ids], [one for _, one in ids]),
        prepare=True,
    ).fetchall()
    return [_decode_item(text) for (text,) in rows]


class FoundWork(NamedTuple):
    """What a node's update has to fit."""

    id: str
    order_id: str
    node: str
    lines: tuple[tuple[int, int], ...]
    """(line, units that are still here)."""
    recalls: tuple[str, ...]
    """Requests, answered ones included."""


def find_work(connection: Connection, ids: Sequence[str]) -> dict[str, FoundWork]:
    """Work by its own id; what there is not is left out."""
    rows = connection.execute(
        """
        SELECT f.id, f.order_id, f.node,
               ARRAY(SELECT l.line_number FROM fulfillment_line l
                     WHERE l.order_id = f.order_id AND l.fulfillment_id = f.id
                     ORDER BY l.line_number),
               ARRAY(SELECT l.quantity - l.short - l.given_back - l.shipped FROM fulfillment_line l
                     WHERE l.order_id = f.order_id AND l.fulfillment_id = f.id
                     ORDER BY l.line_number),
               ARRAY(SELECT DISTINCT r.request_id FROM recall r
                     WHERE r.order_id = f.order_id AND r.fulfillment_id = f.id)
        FROM fulfillment_order f WHERE f.id = ANY (%s::uuid[])
        """,
        (list(ids),),
        prepare=True,
    ).fetchall()
    return {
        row[0]: FoundWork(
            row[0], row[1], row[2], tuple(zip(row[3], row[4], strict=True)), tuple(row[5])
        )
        for row in rows
    }


def all_nodes(connection: Connection) -> list[str]:
    """Every node's code."""
    rows = connection.execute("SELECT code FROM node ORDER BY code", prepare=True).fetchall()
    return [code for (code,) in rows]
