-- A shipment is charged with the sum of its lines' money; it has lines, and lines have a shipment.
SELECT order_id, shipment_id, s.amount, l.amount AS lines_amount
FROM (SELECT order_id, id AS shipment_id, amount FROM shipment) s
FULL JOIN (SELECT order_id, shipment_id, sum(amount) AS amount
           FROM shipment_line GROUP BY order_id, shipment_id) l USING (order_id, shipment_id)
WHERE s.amount IS DISTINCT FROM l.amount;
