-- In a closed order without refused refunds, the money that stayed with us, the debts and what is
-- billed to an account come to what was shipped, less what was refunded for goods that did not stay.
SELECT o.id AS order_id, paid.kept, paid.debt, units.shipped_amount, units.returned
FROM sales_order o
JOIN LATERAL (SELECT sum(captured - refunded) AS kept, sum(debt) AS debt,
                     bool_or(status = 'account') AS billed
              FROM tender t WHERE t.order_id = o.id) paid ON true
JOIN LATERAL (SELECT sum(shipped_amount) AS shipped_amount, sum(lost + returned) AS returned
              FROM order_line l WHERE l.order_id = o.id) units ON true
WHERE o.stage = 'closed' AND NOT paid.billed AND units.returned = 0
  AND paid.kept + paid.debt <> units.shipped_amount
  AND NOT EXISTS (SELECT FROM payment_entry e WHERE e.order_id = o.id AND e.kind = 'refund'
                  AND (e.status <> 'done' OR e.shipment_id IS NULL AND e.reason <> 'canceled'));
