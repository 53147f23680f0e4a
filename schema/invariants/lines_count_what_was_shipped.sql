-- The units and cents a line has shipped are those of its shipment lines, each in a package; lost
-- packages that were sent again count once in units, and cost nothing the second time.
SELECT order_id, number, l.shipped, l.lost, l.shipped_amount, s.quantity, s.lost AS given_up,
       s.amount, s.unpacked
FROM order_line l
FULL JOIN (SELECT s.order_id, s.line_number AS number, sum(s.quantity) AS quantity,
                  sum(s.amount) AS amount,
                  coalesce(sum(s.quantity) FILTER (WHERE p.lost_at IS NOT NULL), 0) AS lost,
                  count(*) FILTER (WHERE p.number IS NULL) AS unpacked
           FROM shipment_line s
           LEFT JOIN package p ON p.order_id = s.order_id AND p.shipment_id = s.shipment_id
                              AND p.number = s.package_number
           GROUP BY s.order_id, s.line_number) s USING (order_id, number)
WHERE l.quantity IS NULL OR s.unpacked > 0
   OR l.shipped <> coalesce(s.quantity - s.lost, 0) + l.lost
   OR l.shipped_amount <> coalesce(s.amount, 0);
