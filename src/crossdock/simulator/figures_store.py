"""The figures of a run, each read in one statement from the tables everybody uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from crossdock import db
from crossdock.simulator.outcome import (
    Activity,
    Counted,
    Flow,
    Interval,
    NodeLoad,
    Step,
    Totals,
)
from crossdock.simulator.store import fetch

WANT_OF_STOCK = ("nothing_available", "backorder_expired", "hold_sourcing")
"""Why units are canceled that the retailer could not supply: refused, waited for in vain, or given
up by a person. Any other reason lies with the customer, the payment or the order itself."""


def totals(connection: db.Connection, currency: str) -> Totals:
    """Orders, groups, lines and units of the whole run; the value if all are in that currency."""
    (row,) = fetch(
        connection,
        """
        WITH one AS (
            SELECT order_id, count(*) AS lines, sum(quantity) AS units, sum(shipped) AS shipped,
                   sum(canceled) AS canceled, sum(shipped_amount) AS amount
            FROM order_line GROUP BY order_id)
        SELECT count(*), count(*) FILTER (WHERE o.stage = 'closed'),
               count(*) FILTER (WHERE shipped > 0),
               (SELECT count(*) FROM (SELECT FROM shipment GROUP BY order_id
                                      HAVING count(*) > 1) s),
               count(*) FILTER (WHERE canceled = units),
               (SELECT count(*) FROM delivery_group
                WHERE actual_arrived_at IS NOT NULL AND first_arrive_by IS NOT NULL),
               (SELECT count(*) FROM delivery_group WHERE actual_arrived_at <= first_arrive_by),
               coalesce(sum(lines), 0)::bigint, coalesce(sum(units), 0)::bigint,
               coalesce(sum(shipped), 0)::bigint, coalesce(sum(canceled), 0)::bigint,
               (SELECT coalesce(sum(canceled), 0)::bigint FROM cancellation
                WHERE reason = ANY (%s::text[])),
               (SELECT coalesce(sum(quantity), 0)::bigint FROM shipment_line
                WHERE substitute <> ''),
               coalesce(sum(units - shipped - canceled), 0)::bigint,
               CASE WHEN bool_and(o.currency = %s) THEN sum(amount)::bigint ELSE 0 END
        FROM sales_order o JOIN one ON one.order_id = o.id
        """,
        (list(WANT_OF_STOCK), currency),
    )
    return Totals(**dict(zip(Totals.__struct_fields__, row, strict=True)))


_WAYS = """
    WITH work AS (
        SELECT f.order_id, f.id, f.opened_at, o.placed_at, s.shipped_at, p.delivered_at,
               (SELECT min(occurred_at) FROM event_log e
                WHERE e.instance = f.id AND e.activity = 'FulfillmentAccepted') AS accepted_at,
               (SELECT min(occurred_at) FROM event_log e
                WHERE e.instance = f.id AND e.activity = 'ItemsPicked') AS picked_at
        FROM fulfillment_order f
        JOIN sales_order o ON o.id = f.order_id
        LEFT JOIN shipment s ON s.order_id = f.order_id AND s.fulfillment_id = f.id
        LEFT JOIN LATERAL (SELECT max(delivered_at) AS delivered_at FROM package p
                           WHERE p.order_id = s.order_id AND p.shipment_id = s.id) p ON true),
    whole AS (
        SELECT order_id, min(placed_at) AS placed_at, min(opened_at) AS opened_at,
               min(shipped_at) AS shipped_at, max(delivered_at) AS delivered_at
        FROM work GROUP BY order_id),
    taken (place, step, seconds) AS (
        SELECT 1, 'placed to released', extract(epoch FROM opened_at - placed_at) FROM whole
        UNION ALL
        SELECT 2, 'released to accepted', extract(epoch FROM accepted_at - opened_at) FROM work
        UNION ALL
        SELECT 3, 'accepted to picked', extract(epoch FROM picked_at - accepted_at) FROM work
        UNION ALL
        SELECT 4, 'picked to shipped', extract(epoch FROM shipped_at - picked_at) FROM work
        UNION ALL
        SELECT 5, 'shipped to delivered', extract(epoch FROM delivered_at - shipped_at) FROM work
        UNION ALL
        SELECT 6, 'placed to shipped', extract(epoch FROM shipped_at - placed_at) FROM whole
        UNION ALL
        SELECT 7, 'placed to delivered', extract(epoch FROM delivered_at - placed_at) FROM whole)
"""


def steps(connection: db.Connection) -> list[Step]:
    """Median and 90th percentile of each stretch of the way."""
    rows = fetch(
        connection,
        _WAYS
        + """
        SELECT step, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::float8,
               percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds)::float8
        FROM (SELECT place, step, greatest(seconds, 0) AS seconds FROM taken
              WHERE seconds IS NOT NULL) t
        GROUP BY place, step ORDER BY place
        """,
    )
    return [
        Step(name=name, count=count, median_seconds=median, p90_seconds=p90)
        for name, count, median, p90 in rows
    ]


def spread(connection: db.Connection, step: str, bin_seconds: float, bins: int) -> tuple[int, ...]:
    """Counts of one stretch in bins of equal width; the last one is open."""
    rows = fetch(
        connection,
        _WAYS
        + """
        SELECT least(floor(seconds / %s::float8), %s::int - 1)::int AS bin, count(*)
        FROM taken WHERE step = %s AND seconds >= 0 GROUP BY bin
        """,
        (bin_seconds, bins, step),
    )
    found = dict(rows)
    return tuple(found.get(place, 0) for place in range(bins))


def nearly_all_happened(connection: db.Connection) -> datetime | None:
    """When 995 of 1,000 placings, deliveries and ends of orders had happened."""
    found: datetime | None = fetch(
        connection,
        """
        SELECT percentile_disc(0.995) WITHIN GROUP (ORDER BY at) FROM (
            SELECT placed_at AS at FROM sales_order
            UNION ALL SELECT delivered_at FROM package WHERE delivered_at IS NOT NULL
            UNION ALL SELECT closed_at FROM sales_order WHERE closed_at IS NOT NULL) happened
        """,
    )[0][0]
    return found


def intervals(
    connection: db.Connection, start: datetime, end: datetime, width: timedelta
) -> list[Interval]:
    """Orders placed, first shipped, last delivered and canceled whole, per interval."""
    rows = fetch(
        connection,
        """
        WITH canceled AS (
            SELECT o.closed_at FROM sales_order o
            WHERE o.stage = 'closed' AND NOT EXISTS (
                SELECT FROM order_line l WHERE l.order_id = o.id AND l.shipped > 0)),
        happened (kind, at) AS (
            SELECT 'placed', placed_at FROM sales_order
            UNION ALL SELECT 'shipped', min(shipped_at) FROM shipment GROUP BY order_id
            UNION ALL SELECT 'delivered', max(delivered_at) FROM package
                      WHERE delivered_at IS NOT NULL GROUP BY order_id
            UNION ALL SELECT 'canceled', closed_at FROM canceled),
        counted AS (
            SELECT date_bin(%(width)s, at, %(start)s) AS bin, kind, count(*) AS n
            FROM happened WHERE at <= %(end)s GROUP BY bin, kind)
        SELECT t.bin, coalesce(sum(n) FILTER (WHERE kind = 'placed'), 0)::int,
               coalesce(sum(n) FILTER (WHERE kind = 'shipped'), 0)::int,
               coalesce(sum(n) FILTER (WHERE kind = 'delivered'), 0)::int,
               coalesce(sum(n) FILTER (WHERE kind = 'canceled'), 0)::int
        FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz, %(width)s) AS t (bin)
        LEFT JOIN counted USING (bin) GROUP BY t.bin ORDER BY t.bin
        """,
        {"start": start, "end": end, "width": width},
    )
    return [
        Interval(start=bin, placed=placed, shipped=shipped, delivered=delivered, canceled=canceled)
        for bin, placed, shipped, delivered, canceled in rows
    ]


def node_loads(connection: db.Connection) -> list[NodeLoad]:
    """What each node shipped and could not find."""
    rows = fetch(
        connection,
        """
        SELECT n.code, n.kind, n.latitude, n.longitude, coalesce(w.orders, 0),
               coalesce(w.units, 0), coalesce(w.short, 0)
        FROM node n LEFT JOIN (
            SELECT f.node, count(DISTINCT f.id)::int AS orders, sum(l.shipped)::int AS units,
                   sum(l.short)::int AS short
            FROM fulfillment_order f
            JOIN fulfillment_line l ON l.order_id = f.order_id AND l.fulfillment_id = f.id
            GROUP BY f.node) w ON w.node = n.code
        ORDER BY n.code
        """,
    )
    names = ("id", "kind", "latitude", "longitude", "fulfillments", "units", "short_units")
    return [NodeLoad(**dict(zip(names, row, strict=True))) for row in rows]


def destinations(connection: db.Connection, most: int) -> list[tuple[float, float]]:
    """Where orders go, thinned out to at most `most` places, the same ones every time."""
    rows = fetch(
        connection,
        """
        SELECT latitude, longitude
        FROM (SELECT round(latitude::numeric, 1)::float8 AS latitude,
                     round(longitude::numeric, 1)::float8 AS longitude
              FROM delivery_group WHERE latitude IS NOT NULL GROUP BY 1, 2) places
        ORDER BY md5(latitude::text || longitude::text) LIMIT %s
        """,
        (most,),
    )
    return [(latitude, longitude) for latitude, longitude in rows]


def cases(connection: db.Connection) -> list[Counted]:
    """Cases by kind."""
    rows = fetch(
        connection, "SELECT kind, count(*) FROM case_file GROUP BY kind ORDER BY 2 DESC, 1"
    )
    return [Counted(name=name, count=count) for name, count in rows]


def frequent_activities(
    connection: db.Connection, process: str, most: int, left_out: Sequence[str]
) -> list[str]:
    """The most frequent kinds of events of a process, without what changed nothing."""
    rows = fetch(
        connection,
        "SELECT activity FROM event_log WHERE process = %s AND activity <> ALL (%s::text[])"
        " AND activity NOT LIKE '%% (%%' GROUP BY activity ORDER BY count(*) DESC, 1 LIMIT %s",
        (process, list(left_out), most),
    )
    return [name for (name,) in rows]


def activities(connection: db.Connection, process: str, kept: Sequence[str]) -> list[Activity]:
    """These kinds of events of a process, with their mean place in their instances."""
    rows = fetch(
        connection,
        """
        WITH placed AS (
            SELECT activity, instance,
                   row_number() OVER (PARTITION BY instance ORDER BY shard, number) - 1 AS place,
                   count(*) OVER (PARTITION BY instance) - 1 AS last
            FROM event_log WHERE process = %s AND activity = ANY (%s::text[]))
        SELECT activity, count(*),
               avg(CASE WHEN last = 0 THEN 0 ELSE place::float8 / last END)::float8
        FROM placed GROUP BY activity ORDER BY 3, 1
        """,
        (process, list(kept)),
    )
    return [Activity(name=name, count=count, position=position) for name, count, position in rows]


def flows(connection: db.Connection, process: str, kept: Sequence[str]) -> list[Flow]:
    """How often one of these directly followed another, and the median time between them."""
    rows = fetch(
        connection,
        """
        WITH pairs AS (
            SELECT activity AS source, lead(activity) OVER following AS target,
                   extract(epoch FROM lead(occurred_at) OVER following - occurred_at) AS seconds
            FROM event_log WHERE process = %s AND activity = ANY (%s::text[])
            WINDOW following AS (PARTITION BY instance ORDER BY shard, number))
        SELECT source, target, count(*),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::float8
        FROM pairs WHERE target IS NOT NULL GROUP BY source, target ORDER BY 3 DESC, 1, 2
        """,
        (process, list(kept)),
    )
    return [
        Flow(source=source, target=target, count=count, median_seconds=max(median, 0.0))
        for source, target, count, median in rows
    ]


def instances(connection: db.Connection, process: str) -> int:
    """How many instances a process has had."""
    found: int = fetch(connection, "SELECT count(*) FROM process WHERE process = %s", (process,))[
        0
    ][0]
    return found


def unfinished(connection: db.Connection, most: int) -> list[tuple[Any, ...]]:
    """Orders that did not close: channel, number, stage, units by state, work still open."""
    return fetch(
        connection,
        """
        SELECT o.channel, o.number, o.stage,
               (SELECT string_agg(concat_ws(' ', state, units), ', ') FROM (
                    SELECT state, sum(units) AS units FROM order_line l, LATERAL (VALUES
                        ('open', l.open), ('soft', l.soft), ('backordered', l.backordered),
                        ('allocated', l.allocated), ('released', l.released),
                        ('picked', l.picked), ('packed', l.packed), ('shipped', l.shipped),
                        ('canceled', l.canceled)) AS v (state, units)
                    WHERE l.order_id = o.id AND units > 0 GROUP BY state) u),
               (SELECT string_agg(f.node || ' ' || f.work || ' ' || f.acknowledgement, ', ')
                FROM fulfillment_order f WHERE f.order_id = o.id AND f.closed_at IS NULL),
               (SELECT string_agg(h.name, ', ') FROM hold h
                WHERE h.order_id = o.id AND h.lifted_at IS NULL),
               (SELECT count(*) FROM outbox x WHERE x.route = o.id::text),
               (SELECT count(*) FROM held_message m WHERE m.route = o.id::text),
               (SELECT count(*) FROM dead_letter d WHERE d.route = o.id::text)
        FROM sales_order o WHERE o.stage <> 'closed' ORDER BY o.placed_at, o.id LIMIT %s
        """,
        (most,),
    )


def outcome_rows(connection: db.Connection) -> list[tuple[Any, ...]]:
    """What became of every line and every parcel, for comparing two runs."""
    return fetch(
        connection,
        """
        SELECT 'line', l.order_id::text, l.number, l.shipped, l.canceled, l.delivered, l.lost,
               l.shipped_amount::text
        FROM order_line l
        UNION ALL
        SELECT 'shipment', s.order_id::text, 0, 0, 0, 0, 0,
               s.node || s.shipped_at::text || s.amount::text
        FROM shipment s
        UNION ALL
        SELECT 'closed', o.id::text, 0, 0, 0, 0, 0, o.closed_at::text FROM sales_order o
        ORDER BY 1, 2, 3, 8
        """,
    )


def shipped_decisions(connection: db.Connection) -> Iterator[tuple[bytes, list[str]]]:
    """Stored decisions with the nodes of theirs that shipped, read in portions."""
    with connection.cursor(name="shipped_decisions") as cursor:
        cursor.itersize = 500
        cursor.execute(
            """
            SELECT d.body, f.nodes
            FROM (SELECT f.order_id, f.decision_id, array_agg(DISTINCT f.node) AS nodes
                  FROM fulfillment_order f
                  WHERE EXISTS (SELECT FROM shipment s
                                WHERE s.order_id = f.order_id AND s.fulfillment_id = f.id)
                  GROUP BY f.order_id, f.decision_id) f
            JOIN decision d ON d.order_id = f.order_id AND d.id = f.decision_id
            """
        )
        yield from cursor


def telling_orders(connection: db.Connection, most: int) -> list[tuple[str, str]]:
    """Orders worth explaining, with why: re-sourced, split, largest, and an ordinary one."""
    rows = fetch(
        connection,
        """
        WITH work AS (
            SELECT order_id, count(*) AS pieces, count(DISTINCT node) AS nodes,
                   count(*) FILTER (WHERE replaces IS NOT NULL) AS again
            FROM fulfillment_order GROUP BY order_id),
        ranked AS (
            SELECT order_id, CASE WHEN again > 0 THEN 'sourced again after a failed pick'
                                  WHEN nodes > 2 THEN 'split over ' || nodes || ' nodes'
                                  WHEN nodes = 2 THEN 'split over two nodes'
                                  ELSE 'one node' END AS why, pieces
            FROM work),
        numbered AS (
            SELECT order_id, why,
                   row_number() OVER (PARTITION BY why ORDER BY pieces DESC, order_id) AS place
            FROM ranked)
        SELECT order_id, why FROM numbered WHERE place <= 2 ORDER BY place, why DESC LIMIT %s
        """,
        (most,),
    )
    return [(order_id, why) for order_id, why in rows]


def order_number(connection: db.Connection, order_id: str) -> str:
    """What the channel calls the order."""
    (row,) = fetch(
        connection, "SELECT channel || ' ' || number FROM sales_order WHERE id = %s", (order_id,)
    )
    found: str = row[0]
    return found


def cancellation_reasons(connection: db.Connection) -> list[Counted]:
    """Canceled units by reason: the customer's own words, or what the process gives up for."""
    rows = fetch(
        connection,
        "SELECT reason, sum(canceled)::bigint FROM cancellation GROUP BY reason"
        " HAVING sum(canceled) > 0 ORDER BY 2 DESC",
    )
    return [Counted(name=name, count=count) for name, count in rows]


def credits(connection: db.Connection) -> list[Counted]:
    """What became of lines credited by notes that name no order; a line can be in several."""
    (row,) = fetch(
        connection,
        """
        SELECT count(*), coalesce(sum(requested), 0)::bigint,
               count(*) FILTER (WHERE canceled > 0), coalesce(sum(canceled), 0)::bigint,
               count(*) FILTER (WHERE stopped > 0), coalesce(sum(stopped), 0)::bigint,
               count(*) FILTER (WHERE refused > 0), coalesce(sum(refused), 0)::bigint,
               count(*) FILTER (WHERE requested > canceled + stopped + refused),
               coalesce(sum(requested - canceled - stopped - refused), 0)::bigint
        FROM cancellation WHERE reason = 'credit'
        """,
    )
    names = (
        "order lines credited in all",
        "their units",
        "lines still open: canceled",
        "their units",
        "lines on their way: stopped",
        "their units",
        "lines gone: return claims",
        "their units",
        "lines not answered yet",
        "their units",
    )
    return [Counted(name=name, count=count) for name, count in zip(names, row, strict=True)]


def shortages(connection: db.Connection) -> list[Counted]:
    """Units nodes could not pick, by the reason they gave."""
    rows = fetch(
        connection,
        """
        SELECT reason, sum(quantity)::bigint FROM stock_ledger
        WHERE fulfillment_id IS NOT NULL
          AND to_bucket IN ('unexplained', 'damaged', 'quality_control', 'lost')
        GROUP BY reason ORDER BY 2 DESC
        """,
    )
    return [Counted(name=name.replace("_", " "), count=count) for name, count in rows]
