-- Another SKU than a line's is picked only for an order that allows substitutes, and what left is
-- what its node was to pick.
SELECT f.order_id, f.fulfillment_id, f.line_number, f.substitute AS to_pick, '' AS sent
FROM fulfillment_line f JOIN sales_order o ON o.id = f.order_id
WHERE f.substitute <> '' AND NOT o.substitutes_allowed
UNION ALL
SELECT l.order_id, s.fulfillment_id, l.line_number, f.substitute, l.substitute
FROM shipment_line l
JOIN shipment s ON s.order_id = l.order_id AND s.id = l.shipment_id
JOIN fulfillment_line f ON f.order_id = l.order_id AND f.fulfillment_id = s.fulfillment_id
                       AND f.line_number = l.line_number
WHERE l.substitute <> f.substitute;
