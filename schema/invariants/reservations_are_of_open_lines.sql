-- Reservations of an order are of lines that still have units to fulfill, and of what these lines
-- sell: the product, components of it, or a substitute, be it one now or when a node was given it.
-- None is kept for a line that is canceled or shipped, and none for more units than the line has.
SELECT r.order_id, r.line_number, r.sku, r.kit, r.state, sum(r.quantity) AS promised,
       max(l.quantity) AS ordered, max(l.sku) AS ordered_sku
FROM reservation r
LEFT JOIN order_line l ON l.order_id = r.order_id AND l.number = r.line_number
WHERE r.order_id IS DISTINCT FROM r.checkout_id
GROUP BY r.order_id, r.line_number, r.sku, r.kit, r.state
HAVING max(l.quantity) IS NULL
    OR max(l.canceled + l.shipped) >= max(l.quantity)
    OR sum(r.quantity) > max(l.quantity) * max(r.per_unit)
    OR (max(l.sku) NOT IN (r.sku, r.kit)
        AND NOT EXISTS (SELECT FROM product p WHERE p.sku = max(l.sku)
                        AND coalesce(nullif(r.kit, ''), r.sku) = ANY (p.substitutes))
        AND NOT EXISTS (SELECT FROM fulfillment_line f
                        WHERE f.order_id = r.order_id AND f.line_number = r.line_number
                          AND f.substitute = coalesce(nullif(r.kit, ''), r.sku)))
