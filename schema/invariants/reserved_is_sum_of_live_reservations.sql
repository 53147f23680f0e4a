-- What is reserved at a stock level is the sum of its live reservations, allocated and picked.
SELECT sku, node, owner, lot, l.reserved, r.units AS promised
FROM stock_level l
FULL JOIN (
    SELECT sku, node, owner, lot, sum(quantity) AS units
    FROM reservation WHERE node IS NOT NULL GROUP BY sku, node, owner, lot
) r USING (sku, node, owner, lot)
WHERE coalesce(l.reserved, 0) <> coalesce(r.units, 0)
