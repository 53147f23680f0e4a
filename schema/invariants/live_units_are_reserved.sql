-- Every unit that an order has promised and neither sent nor canceled has its reservation: queued
-- ones are soft or backordered as the line counts them, and an open order has no unit that nobody
-- was asked for. Orders that have messages under way may not know yet what became of their units.
WITH part AS (
    -- Units of the line; lots may divide those of a component, so fractions are summed.
    SELECT order_id, line_number, kit, CASE kit WHEN '' THEN '' ELSE sku END AS component,
           round(sum(quantity::numeric / per_unit), 6) AS units,
           round(sum(quantity::numeric / per_unit) FILTER (WHERE state = 'soft'), 6) AS soft,
           round(sum(quantity::numeric / per_unit) FILTER (WHERE state = 'backordered'), 6)
               AS backordered
    FROM reservation WHERE order_id IS DISTINCT FROM checkout_id
    GROUP BY order_id, line_number, kit, component
), whole AS (
    -- Every unit of a kit has a row of each component.
    SELECT order_id, line_number, max(units) AS units, max(soft) AS soft,
           max(backordered) AS backordered
    FROM part GROUP BY order_id, line_number, kit
), reserved AS (
    SELECT order_id, line_number, sum(units) AS units, coalesce(sum(soft), 0) AS soft,
           coalesce(sum(backordered), 0) AS backordered
    FROM whole GROUP BY order_id, line_number
), differing AS (
    SELECT l.order_id, l.number AS line_number, l.open,
           l.quantity - l.open - l.shipped - l.canceled AS live, coalesce(r.units, 0) AS reserved,
           l.soft, coalesce(r.soft, 0) AS reserved_soft,
           l.backordered, coalesce(r.backordered, 0) AS reserved_backordered
    FROM order_line l
    LEFT JOIN reserved r ON r.order_id = l.order_id AND r.line_number = l.number
    WHERE l.shipped + l.canceled < l.quantity
      AND (l.quantity - l.open - l.shipped - l.canceled <> coalesce(r.units, 0)
           OR l.soft > coalesce(r.soft, 0)
           OR l.backordered <> coalesce(r.backordered, 0)
           OR l.open > 0 AND EXISTS (SELECT FROM sales_order o
                                     WHERE o.id = l.order_id AND o.stage = 'open'))
), under_way AS (
    SELECT route FROM inbox UNION SELECT route FROM held_message UNION SELECT route FROM dead_letter
)
SELECT * FROM differing d
WHERE NOT EXISTS (SELECT FROM under_way u WHERE u.route = d.order_id::text)
