-- Every order has a tender, and those of an accepted one come to what was not canceled, at least.
SELECT o.id AS order_id, o.total, t.amount AS tendered, l.canceled_amount
FROM sales_order o
LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM tender GROUP BY order_id) t
  ON t.order_id = o.id
LEFT JOIN (SELECT order_id, sum(canceled_amount) AS canceled_amount
           FROM order_line
           GROUP BY order_id HAVING bool_or(open + canceled < quantity)) l
  ON l.order_id = o.id
WHERE t.amount IS NULL OR t.amount < o.total - l.canceled_amount;
