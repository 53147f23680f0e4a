-- The units and cents a line has shipped are those of its shipment lines; lost packages that were
-- sent again count once in units, and cost nothing the second time.
SELECT l.order_id, l.number, l.shipped, l.lost, l.shipped_amount, s.quantity, s.lost AS given_up,
       s.amount
FROM order_line l
JOIN (SELECT s.order_id, s.line_number, sum(s.quantity) AS quantity, sum(s.amount) AS amount,
             coalesce(sum(s.quantity) FILTER (WHERE p.lost_at IS NOT NULL), 0) AS lost
      FROM shipment_line s
      JOIN package p ON p.order_id = s.order_id AND p.shipment_id = s.shipment_id
                    AND p.number = s.package_number
      GROUP BY s.order_id, s.line_number) s
  ON s.order_id = l.order_id AND s.line_number = l.number
WHERE l.shipped <> s.quantity - s.lost + l.lost OR l.shipped_amount <> s.amount
UNION ALL
SELECT l.order_id, l.number, l.shipped, l.lost, l.shipped_amount, 0, 0, 0
FROM order_line l
WHERE (l.shipped > 0 OR l.shipped_amount <> 0)
  AND NOT EXISTS (SELECT FROM shipment_line s
                  WHERE s.order_id = l.order_id AND s.line_number = l.number);
