-- A stock level carries the zone and the methods that its node, product and lot have now.
WITH terms AS (
    SELECT code AS node, allocation_zone AS zone,
           CASE WHEN enabled THEN method_bits(methods) ELSE 0 END AS methods
    FROM node
), special AS (
    SELECT p.sku, p.node,
           CASE WHEN n.enabled AND p.enabled
                THEN method_bits(n.methods) & ~method_bits(p.methods_off) ELSE 0 END AS methods
    FROM product_node p JOIN node n ON n.code = p.node
)
SELECT l.sku, l.node, l.owner, l.lot, l.zone, t.zone AS node_zone, l.methods,
       CASE WHEN d.is_over THEN 0 ELSE coalesce(s.methods, t.methods, 0) END AS node_methods
FROM stock_level l
LEFT JOIN terms t ON t.node = l.node
LEFT JOIN special s ON s.sku = l.sku AND s.node = l.node
LEFT JOIN lot d ON d.sku = l.sku AND d.lot = l.lot
WHERE l.zone <> coalesce(t.zone, '')
   OR l.methods <> CASE WHEN d.is_over THEN 0 ELSE coalesce(s.methods, t.methods, 0) END
