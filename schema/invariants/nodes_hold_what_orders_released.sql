-- The units an order counts as released, picked or packed are those its nodes have left to send.
SELECT l.order_id, l.number, l.released + l.picked + l.packed AS at_nodes,
       coalesce(f.remaining, 0) AS remaining
FROM order_line l
LEFT JOIN (SELECT f.order_id, f.line_number,
                  sum(f.quantity - f.short - f.given_back - f.shipped) AS remaining
           FROM fulfillment_line f
           GROUP BY f.order_id, f.line_number) f
  ON f.order_id = l.order_id AND f.line_number = l.number
WHERE l.released + l.picked + l.packed <> coalesce(f.remaining, 0);
