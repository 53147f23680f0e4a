-- A closed order has every unit canceled, delivered, lost or returned, no hold standing, no open
-- work, nothing asked of a provider, and no money held but for a debt or where a provider refused
-- to let it go.
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
WHERE o.stage = 'closed'
UNION ALL
SELECT o.id, 'money held', t.number::text
FROM sales_order o
JOIN tender t ON t.order_id = o.id
WHERE o.stage = 'closed'
  AND t.authorized > t.debt + (SELECT coalesce(sum(e.amount), 0) FROM payment_entry e
                               WHERE e.order_id = o.id AND e.tender_number = t.number
                                 AND e.kind = 'void' AND e.status = 'refused');
