"""Statements about shipments: one function each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from crossdock.api.feeds import Seat
from crossdock.api.feeds_store import Changed, at_nodes, behind
from crossdock.api.shipments.model import LotSent, ShipmentSeen
from crossdock.db import Connection

_decode = msgspec.json.Decoder(ShipmentSeen).decode


LOTS_OF_SHIPMENT = """(
    SELECT coalesce(json_agg(json_build_object(
               'line', l.line_number, 'sku', l.sku, 'lot', l.lot, 'expires_on', t.expires_on,
               'quantity', l.quantity) ORDER BY l.line_number, l.sku, l.lot), '[]')
    FROM shipped_lot l LEFT JOIN lot t USING (sku, lot)
    WHERE l.order_id = s.order_id AND l.shipment_id = s.id)"""
"""What of the shipment `s` was kept in lots."""


def changed_shipments(
    connection: Connection, nodes: Sequence[str], seat: Seat, since: datetime | None, limit: int
) -> list[Changed]:
    """Shipments of these nodes behind a seat, in the order of change."""
    rows = connection.execute(
        f"""
        SELECT order_id, id, changed_in::text::bigint FROM shipment
        WHERE {at_nodes(nodes)}
          AND (changed_in, id) > (%(after)s::text::xid8, %(after_id)s::uuid)
          AND changed_in < %(horizon)s::text::xid8
          AND (%(since)s::timestamptz IS NULL OR changed_at >= %(since)s)
        ORDER BY changed_in, id LIMIT %(limit)s
        """,
        behind(nodes, seat, since, limit),
        prepare=True,
    ).fetchall()
    return [Changed(*row) for row in rows]


def shipments(connection: Connection, ids: Sequence[tuple[str, str]]) -> list[ShipmentSeen]:
    """Shipments by (order id, id), in the order given."""
    rows = connection.execute(
        f"""
        SELECT row_to_json(item)::text FROM (
            SELECT s.id, s.order_id, o.channel, o.number AS order_number,
                   s.fulfillment_id AS work_id, s.node, s.reference, s.shipped_at, s.changed_at,
                   s.amount, o.currency, packages.packages, {LOTS_OF_SHIPMENT} AS lots,
                   wanted.place
            FROM unnest(%s::uuid[], %s::uuid[]) WITH ORDINALITY AS wanted (order_id, id, place)
            JOIN shipment s ON s.order_id = wanted.order_id AND s.id = wanted.id
            JOIN sales_order o ON o.id = s.order_id
            CROSS JOIN LATERAL (
                SELECT json_agg(json_build_object(
                           'number', p.number, 'carrier', p.carrier, 'service', p.service,
                           'tracking', p.tracking, 'weight_grams', p.weight_grams,
                           'status', CASE WHEN p.delivered_at IS NOT NULL THEN 'delivered'
                                          WHEN p.stopped_at IS NOT NULL THEN 'stopped'
                                          WHEN p.lost_at IS NOT NULL THEN 'lost'
                                          ELSE 'on_way' END,
                           'delivered_at', p.delivered_at, 'lost_at', p.lost_at,
                           'stopped_at', p.stopped_at,
                           'lines', (SELECT json_agg(json_build_object(
                                                'line', l.line_number, 'quantity', l.quantity,
                                                'sku', coalesce(nullif(l.substitute, ''), ol.sku),
                                                'instead_of', CASE WHEN l.substitute = '' THEN ''
                                                                   ELSE ol.sku END)
                                            ORDER BY l.line_number)
                                     FROM shipment_line l
                                     JOIN order_line ol ON ol.order_id = l.order_id
                                                       AND ol.number = l.line_number
                                     WHERE l.order_id = p.order_id
                                       AND l.shipment_id = p.shipment_id
                                       AND l.package_number = p.number))
                       ORDER BY p.number) AS packages
                FROM package p WHERE p.order_id = s.order_id AND p.shipment_id = s.id) AS packages
        ) AS item ORDER BY place
        """,
        ([order_id for order_id, _ in ids], [one for _, one in ids]),
        prepare=True,
    ).fetchall()
    return [_decode(text) for (text,) in rows]


LotPlace = tuple[UUID, UUID, int]
"""Order, shipment, line."""


def sent_of_lot(
    connection: Connection,
    sku: str,
    lot: str,
    nodes: Sequence[str] | None,
    after: LotPlace | None,
    limit: int,
) -> list[LotSent]:
    """What left of a lot, in the order of LotPlace, behind a place; `nodes` None are all."""
    rows = connection.execute(
        """
        SELECT l.sku, l.lot, l.quantity, l.line_number, l.order_id, o.channel, o.number,
               l.shipment_id, s.node, s.shipped_at
        FROM shipped_lot l
        JOIN shipment s ON s.order_id = l.order_id AND s.id = l.shipment_id
        JOIN sales_order o ON o.id = l.order_id
        WHERE l.sku = %(sku)s AND l.lot = %(lot)s
          AND (%(nodes)s::text[] IS NULL OR s.node = ANY (%(nodes)s))
          AND (%(order)s::uuid IS NULL OR (l.order_id, l.shipment_id, l.line_number)
                                        > (%(order)s, %(shipment)s::uuid, %(line)s::numeric))
        ORDER BY l.order_id, l.shipment_id, l.line_number LIMIT %(limit)s
        """,
        {
            "sku": sku,
            "lot": lot,
            "nodes": None if nodes is None else list(nodes),
            "order": after and after[0],
            "shipment": after and after[1],
            "line": after and after[2],
            "limit": limit,
        },
    ).fetchall()
    names = LotSent.__struct_fields__
    return [LotSent(**dict(zip(names, row, strict=True))) for row in rows]


class Found(NamedTuple):
    """A package, or the work that it will leave from."""

    order_id: str
    work_id: str
    node: str
    shipment_id: str
    reference: str


def by_id(connection: Connection, ids: Sequence[str]) -> dict[str, Found]:
    """Shipments by our id."""
    rows = connection.execute(
        "SELECT id, order_id, fulfillment_id, node, id, reference FROM shipment"
        " WHERE id = ANY (%s::uuid[])",
        (list(ids),),
        prepare=True,
    ).fetchall()
    return {row[0]: Found(*row[1:]) for row in rows}


def by_tracking(connection: Connection, numbers: Sequence[str]) -> dict[str, list[Found]]:
    """Shipments by the tracking numbers of their packages: carriers use numbers again."""
    rows = connection.execute(
        """
        SELECT p.tracking, s.order_id, s.fulfillment_id, s.node, s.id, s.reference
        FROM package p JOIN shipment s ON s.order_id = p.order_id AND s.id = p.shipment_id
        WHERE p.tracking = ANY (%s::text[]) AND p.tracking <> ''
        ORDER BY s.shipped_at DESC
        """,
        (list(numbers),),
        prepare=True,
    ).fetchall()
    found: dict[str, list[Found]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Found(*row[1:]))
    return found
