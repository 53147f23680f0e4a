-- A shipment is charged with the sum of its lines' money.
SELECT s.order_id, s.id, s.amount, l.amount AS lines_amount
FROM shipment s
JOIN (SELECT order_id, shipment_id, sum(amount) AS amount
      FROM shipment_line GROUP BY order_id, shipment_id) l
  ON l.order_id = s.order_id AND l.shipment_id = s.id
WHERE s.amount <> l.amount
UNION ALL
SELECT s.order_id, s.id, s.amount, NULL
FROM shipment s
WHERE NOT EXISTS (SELECT FROM shipment_line l
                  WHERE l.order_id = s.order_id AND l.shipment_id = s.id);
