-- A shipment has one delivery and one invoice in the ERP, unless the ERP has not answered yet or
-- refused it; no order was posted twice.
WITH unposted AS (
    SELECT s.order_id, s.id AS shipment_id, d.kind
    FROM shipment s
    CROSS JOIN (VALUES ('delivery'), ('invoice')) AS d (kind)
    WHERE NOT EXISTS (SELECT FROM posting p
                      WHERE p.order_id = s.order_id AND p.kind = d.kind
                        AND (p.shipment_id = s.id
                             OR p.key = s.order_id || '/' || d.kind || '/' || s.id))
), under_way AS (
    SELECT route FROM outbox WHERE connector = 'erp'
    UNION SELECT route FROM inbox
    UNION SELECT route FROM held_message UNION SELECT route FROM dead_letter
)
SELECT order_id, shipment_id, kind, count(*) AS postings
FROM posting
WHERE kind IN ('order', 'delivery', 'invoice')
GROUP BY order_id, shipment_id, kind
HAVING count(*) > 1
UNION ALL
SELECT order_id, shipment_id, kind, 0
FROM unposted n
WHERE NOT EXISTS (SELECT FROM under_way u WHERE u.route = n.order_id::text)
  AND NOT EXISTS (SELECT FROM case_file c WHERE c.kind = 'document refused'
                  AND c.subject = n.order_id || '/' || n.kind || '/' || n.shipment_id)
