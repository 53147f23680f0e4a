-- The totals per SKU, zone and set of methods are the sums over the stock levels.
SELECT sku, zone, methods, t.sellable, l.sellable AS levels_sellable, t.reserved,
       l.reserved AS levels_reserved, t.available, l.available AS levels_available
FROM stock_total t
FULL JOIN (
    SELECT sku, zone, methods, sum(sellable) AS sellable, sum(reserved) AS reserved,
           sum(available) AS available
    FROM stock_level GROUP BY sku, zone, methods
) l USING (sku, zone, methods)
WHERE coalesce(t.sellable, 0) <> coalesce(l.sellable, 0)
   OR coalesce(t.reserved, 0) <> coalesce(l.reserved, 0)
   OR coalesce(t.available, 0) <> coalesce(l.available, 0)
