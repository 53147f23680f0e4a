-- A closed order has every unit canceled, delivered, lost or returned, no hold standing, no open
-- work, and no answer about money outstanding.
SELECT o.id AS order_id, 'units' AS what, l.number::text AS where_
FROM sales_order o
JOIN order_line l ON l.order_id = o.id
WHERE o.stage = 'closed'
  AND (l.shipped + l.canceled <> l.quantity OR l.delivered + l.lost + l.returned < l.shipped)
UNION ALL
SELECT o.id, 'hold', h.name
FROM sales_order o
JOIN hold h ON h.order_id = o.id AND h.lifted_at IS NULL
WHERE o.stage = 'closed'
UNION ALL
SELECT o.id, 'work', f.id::text
FROM sales_order o
JOIN fulfillment_order f ON f.order_id = o.id AND f.closed_at IS NULL
WHERE o.stage = 'closed'
UNION ALL
SELECT o.id, 'money asked for', e.key
FROM sales_order o
JOIN payment_entry e ON e.order_id = o.id AND e.status = 'asked'
WHERE o.stage = 'closed';
