-- In a closed order the money that stayed with us and the debts come to what was shipped less what
-- was credited, unless it was billed to an account. What a provider refused to pay back is not
-- ours: a person pays it another way.
SELECT o.id AS order_id, paid.kept, paid.debt, owed.amount AS owed, units.shipped_amount,
       units.credited_amount
FROM sales_order o
JOIN LATERAL (SELECT sum(captured - refunded) AS kept, sum(debt) AS debt,
                     bool_or(status = 'account') AS billed
              FROM tender t WHERE t.order_id = o.id) paid ON true
JOIN LATERAL (SELECT coalesce(sum(e.amount), 0) AS amount
              FROM payment_entry e
              WHERE e.order_id = o.id AND e.kind = 'refund' AND e.status = 'refused') owed ON true
JOIN LATERAL (SELECT sum(shipped_amount) AS shipped_amount,
                     sum(credited_amount) AS credited_amount
              FROM order_line l WHERE l.order_id = o.id) units ON true
WHERE o.stage = 'closed' AND NOT paid.billed
  AND paid.kept - owed.amount + paid.debt <> units.shipped_amount - units.credited_amount;
