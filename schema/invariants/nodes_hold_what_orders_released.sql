-- The units an order counts as released, picked or packed are those its nodes have left to send;
-- while messages of the order are under way, one of the two may not know yet.
WITH differing AS (
    SELECT order_id, number, l.released + l.picked + l.packed AS at_nodes,
           coalesce(f.remaining, 0) AS remaining
    FROM order_line l
    FULL JOIN (SELECT f.order_id, f.line_number AS number,
                      sum(f.quantity - f.short - f.given_back - f.shipped) AS remaining
               FROM fulfillment_line f
               GROUP BY f.order_id, f.line_number) f USING (order_id, number)
    WHERE l.released + l.picked + l.packed IS DISTINCT FROM coalesce(f.remaining, 0)
), under_way AS (
    SELECT route FROM inbox UNION SELECT route FROM held_message UNION SELECT route FROM dead_letter
)
SELECT * FROM differing d
WHERE NOT EXISTS (SELECT FROM under_way u WHERE u.route = d.order_id::text)
