"""What simulated people see, one statement for all nodes; and when the next timer is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from crossdock import db
from crossdock.model.messages import LineQuantity
from crossdock.simulator.people import Held, Wanted
from crossdock.simulator.staff import Recall, Work


def fetch(
    connection: db.Connection,
    statement: str,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
) -> list[Any]:
    """All rows of a statement, prepared on first use."""
    return connection.execute(statement, parameters, prepare=True).fetchall()


def next_timer(connection: db.Connection) -> datetime | None:
    """When the next timer is due; None when none runs."""
    found: datetime | None = fetch(
        connection,
        """
        SELECT min(t.due) FROM shard s,
               LATERAL (SELECT due FROM timer WHERE shard = s.number ORDER BY due LIMIT 1) t
        """,
    )[0][0]
    return found


def new_work(connection: db.Connection, since: datetime) -> list[Work]:
    """FulfillmentOrders of all nodes that were opened after `since` and are open."""
    rows = fetch(
        connection,
        """
        WITH opened AS MATERIALIZED (
            SELECT order_id, id, node, group_number FROM fulfillment_order
            WHERE closed_at IS NULL AND opened_at > %s)
        SELECT f.id, f.order_id, f.node, g.service, g.latitude, g.longitude,
               (SELECT array_agg(ARRAY[l.line_number, l.quantity] ORDER BY l.line_number)
                FROM fulfillment_line l WHERE l.order_id = f.order_id AND l.fulfillment_id = f.id)
        FROM opened f
        JOIN delivery_group g ON g.order_id = f.order_id AND g.number = f.group_number
        """,
        (since,),
    )
    return [
        Work(
            fulfillment_id=row[0],
            order_id=row[1],
            node=row[2],
            service=row[3],
            latitude=row[4],
            longitude=row[5],
            lines=tuple(LineQuantity(*line) for line in row[6]),
        )
        for row in rows
    ]


def work_left(
    connection: db.Connection, asked: Sequence[tuple[str, str]]
) -> dict[str, dict[int, int]]:
    """Units by line that open work of (order, FulfillmentOrder) still asks for."""
    rows = fetch(
        connection,
        """
        SELECT f.id, l.line_number, l.quantity - l.short - l.given_back
        FROM unnest(%s::uuid[], %s::uuid[]) AS a (order_id, id)
        JOIN fulfillment_order f ON f.order_id = a.order_id AND f.id = a.id
        JOIN fulfillment_line l ON l.order_id = f.order_id AND l.fulfillment_id = f.id
        WHERE f.closed_at IS NULL
        """,
        ([order_id for order_id, _ in asked], [one for _, one in asked]),
    )
    left: dict[str, dict[int, int]] = {}
    for one, line, quantity in rows:
        left.setdefault(one, {})[line] = quantity
    return left


def open_recalls(connection: db.Connection) -> list[Recall]:
    """What nodes are asked to give back and have not answered."""
    rows = fetch(
        connection,
        """
        SELECT r.fulfillment_id, r.order_id, f.node, r.request_id,
               array_agg(ARRAY[r.line_number, r.quantity] ORDER BY r.line_number)
        FROM recall r
        JOIN fulfillment_order f ON f.order_id = r.order_id AND f.id = r.fulfillment_id
        WHERE r.answered_at IS NULL
        GROUP BY r.fulfillment_id, r.order_id, f.node, r.request_id
        """,
    )
    return [
        Recall(
            fulfillment_id=row[0],
            order_id=row[1],
            node=row[2],
            request_id=row[3],
            lines=tuple(LineQuantity(*line) for line in row[4]),
        )
        for row in rows
    ]


def standing_holds(connection: db.Connection) -> list[Held]:
    """Holds that wait for a person, with where the order goes."""
    rows = fetch(
        connection,
        """
        SELECT h.order_id, h.name, h.placed_at, g.number, g.country, g.postal_code, g.latitude,
               g.longitude
        FROM hold h
        JOIN LATERAL (SELECT * FROM delivery_group g
                      WHERE g.order_id = h.order_id
                        AND g.number = coalesce(h.group_number, g.number)
                      ORDER BY g.number LIMIT 1) g ON true
        WHERE h.lifted_at IS NULL
        """,
    )
    return [Held(*row) for row in rows]


def backordered(connection: db.Connection) -> list[Wanted]:
    """Units that wait for stock, by SKU."""
    rows = fetch(
        connection,
        "SELECT sku, sum(quantity)::int FROM reservation"
        " WHERE node IS NULL AND state = 'backordered' GROUP BY sku",
    )
    return [Wanted(*row) for row in rows]


def unfinished_orders(connection: db.Connection) -> int:
    """Orders taken in and not closed."""
    found: int = fetch(
        connection,
        "SELECT count(*) FROM process WHERE process = 'order-to-fulfillment' AND stage <> 'closed'",
    )[0][0]
    return found


def unsent_effects(connection: db.Connection, until: datetime) -> int:
    """Effects that are to be sent, or tried again, by `until`; those left to people are later."""
    found: int = fetch(
        connection, "SELECT count(*) FROM outbox WHERE available_at <= %s", (until,)
    )[0][0]
    return found


def is_unused(connection: db.Connection) -> bool:
    """Whether no order was ever taken in and no stock loaded."""
    used: bool = fetch(
        connection,
        "SELECT EXISTS (SELECT FROM process) OR EXISTS (SELECT FROM stock_level)"
        " OR EXISTS (SELECT FROM inbox)",
    )[0][0]
    return not used


def analyze(connection: db.Connection) -> None:
    """Give the planner fresh numbers after a bulk load."""
    connection.execute("ANALYZE")


def connectors_with_work(
    connection: db.Connection, connectors: Iterable[str], now: datetime
) -> list[str]:
    """Those of the connectors that have effects to send, or to try again, by `now`."""
    rows = fetch(
        connection,
        """
        SELECT c FROM unnest(%s::text[]) AS c
        WHERE EXISTS (SELECT FROM outbox WHERE connector = c AND available_at <= %s)
        """,
        (sorted(connectors), now),
    )
    return [name for (name,) in rows]
