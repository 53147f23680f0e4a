"""What must hold when a run is over, beyond the invariants that always hold."""

from __future__ import annotations

from typing import NamedTuple

from crossdock import db
from crossdock.simulator.store import fetch


class Rule(NamedTuple):
    """A rule of a finished run; the query counts what breaks it."""

    name: str
    rule: str
    query: str


AT_THE_END = (
    Rule(
        "closed_order_is_settled_in_units",
        "In a closed order every unit is shipped or canceled.",
        """SELECT count(*) FROM order_line l JOIN sales_order o ON o.id = l.order_id
           WHERE o.stage = 'closed' AND l.shipped + l.canceled <> l.quantity""",
    ),
    Rule(
        "closed_order_is_settled_in_cents",
        "In a closed order the money of shipped and canceled units is the money of the line.",
        """SELECT count(*) FROM order_line l JOIN sales_order o ON o.id = l.order_id
           WHERE o.stage = 'closed' AND l.shipped_amount + l.canceled_amount <> l.payable""",
    ),
    Rule(
        "closed_order_holds_no_stock",
        "A closed order has no live reservation.",
        """SELECT count(*) FROM reservation r JOIN sales_order o ON o.id = r.order_id
           WHERE o.stage = 'closed'""",
    ),
    Rule(
        "closed_order_leaves_no_work",
        "A closed order has no open FulfillmentOrder.",
        """SELECT count(*) FROM fulfillment_order f JOIN sales_order o ON o.id = f.order_id
           WHERE o.stage = 'closed' AND f.closed_at IS NULL""",
    ),
    Rule(
        "shipped_units_left_once",
        "A line counts as shipped what left for it, less at most what was lost or stopped.",
        """SELECT count(*) FROM order_line l
           LEFT JOIN (SELECT s.order_id, s.line_number, sum(s.quantity) AS units,
                             sum(s.quantity) FILTER (
                                 WHERE p.lost_at IS NOT NULL OR p.stopped_at IS NOT NULL) AS back
                      FROM shipment_line s
                      JOIN package p ON p.order_id = s.order_id AND p.shipment_id = s.shipment_id
                                    AND p.number = s.package_number
                      GROUP BY s.order_id, s.line_number) s
                  ON s.order_id = l.order_id AND s.line_number = l.number
           WHERE l.shipped > coalesce(s.units, 0)
              OR l.shipped < coalesce(s.units, 0) - coalesce(s.back, 0)""",
    ),
    Rule(
        "nothing_sold_twice",
        "No node reserves more than it has, except where a fact said so.",
        "SELECT count(*) FROM stock_level WHERE reserved > sellable + shortfall OR available < 0",
    ),
    Rule(
        "no_message_is_dead",
        "Every message could be handled.",
        "SELECT count(*) FROM dead_letter",
    ),
    Rule(
        "no_message_was_refused",
        "No process was told something it could not take.",
        "SELECT count(*) FROM case_file WHERE kind = 'message refused'",
    ),
    Rule(
        "closed_order_waits_for_nothing",
        "A closed order has no effect left to be sent.",
        """SELECT count(*) FROM outbox x JOIN sales_order o ON o.id::text = x.route
           WHERE o.stage = 'closed'""",
    ),
)


def broken(connection: db.Connection, rule: Rule) -> int:
    """How many rows break a rule."""
    found: int = fetch(connection, rule.query)[0][0]
    return found
