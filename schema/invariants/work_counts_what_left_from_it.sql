-- A node's work has lines, and the units these count as shipped are those of its shipments; a
-- shipment that its order has not heard of yet is in a message.
WITH sent AS (
    SELECT s.order_id, s.fulfillment_id, l.line_number, sum(l.quantity) AS units
    FROM shipment s
    JOIN shipment_line l ON l.order_id = s.order_id AND l.shipment_id = s.id
    GROUP BY s.order_id, s.fulfillment_id, l.line_number
), counted AS (
    SELECT f.order_id, f.id AS fulfillment_id, l.line_number, l.shipped
    FROM fulfillment_order f
    LEFT JOIN fulfillment_line l ON l.order_id = f.order_id AND l.fulfillment_id = f.id
), differing AS (
    SELECT order_id, fulfillment_id, line_number, c.shipped, s.units AS sent
    FROM counted c FULL JOIN sent s USING (order_id, fulfillment_id, line_number)
    WHERE line_number IS NULL OR c.shipped IS DISTINCT FROM coalesce(s.units, 0)
    UNION ALL
    SELECT l.order_id, l.fulfillment_id, l.line_number, l.shipped, NULL
    FROM fulfillment_line l
    WHERE NOT EXISTS (SELECT FROM fulfillment_order f
                      WHERE f.order_id = l.order_id AND f.id = l.fulfillment_id)
), under_way AS (
    SELECT route FROM inbox UNION SELECT route FROM held_message UNION SELECT route FROM dead_letter
)
SELECT * FROM differing d
WHERE NOT EXISTS (SELECT FROM under_way u WHERE u.route = d.order_id::text)
