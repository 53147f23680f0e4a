-- An order has lines, and what they cost, with their shares of everything, is its total. A person
-- may wave an order through that was placed with another total; no other goes beyond its checks.
SELECT o.id AS order_id, o.total, sum(l.payable) AS payable
FROM sales_order o
LEFT JOIN order_line l ON l.order_id = o.id
GROUP BY o.id
HAVING count(l.number) = 0
    OR (sum(l.payable) <> o.total AND bool_or(l.open + l.canceled < l.quantity)
        AND NOT EXISTS (SELECT FROM hold h WHERE h.order_id = o.id AND h.name = 'order'));
