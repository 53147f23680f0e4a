-- What the lines of an order cost, with their shares of everything, is the order's total.
SELECT o.id AS order_id, o.total, sum(l.payable) AS payable
FROM sales_order o
JOIN order_line l ON l.order_id = o.id
GROUP BY o.id
HAVING sum(l.payable) <> o.total;
