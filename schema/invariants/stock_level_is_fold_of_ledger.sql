-- Every bucket of a stock level is what the ledger's moves add up to, from the closing balance on.
WITH moved AS (
    SELECT sku, node, owner, lot, sellable::bigint AS sellable, reserved::bigint AS reserved,
           damaged::bigint AS damaged, quality_control::bigint AS quality_control,
           in_transit::bigint AS in_transit
    FROM stock_balance
    UNION ALL
    SELECT sku, node, owner, lot,
           sum(quantity * ((to_bucket IN ('free', 'reserved', 'picked'))::int
                         - (from_bucket IN ('free', 'reserved', 'picked'))::int)),
           sum(quantity * ((to_bucket IN ('reserved', 'picked'))::int
                         - (from_bucket IN ('reserved', 'picked'))::int)),
           sum(quantity * ((to_bucket = 'damaged')::int - (from_bucket = 'damaged')::int)),
           sum(quantity * ((to_bucket = 'quality_control')::int
                         - (from_bucket = 'quality_control')::int)),
           sum(quantity * ((to_bucket = 'in_transit')::int - (from_bucket = 'in_transit')::int))
    FROM stock_ledger
    WHERE recorded_at >= coalesce((SELECT until FROM stock_ledger_closing), '-infinity')
    GROUP BY sku, node, owner, lot
), fold AS (
    SELECT sku, node, owner, lot, sum(sellable) AS sellable, sum(reserved) AS reserved,
           sum(damaged) AS damaged, sum(quality_control) AS quality_control,
           sum(in_transit) AS in_transit
    FROM moved GROUP BY sku, node, owner, lot
)
SELECT sku, node, owner, lot,
       l.sellable AS level_sellable, f.sellable AS ledger_sellable,
       l.reserved AS level_reserved, f.reserved AS ledger_reserved,
       l.damaged AS level_damaged, f.damaged AS ledger_damaged,
       l.quality_control AS level_quality_control, f.quality_control AS ledger_quality_control,
       l.in_transit AS level_in_transit, f.in_transit AS ledger_in_transit
FROM stock_level l FULL JOIN fold f USING (sku, node, owner, lot)
WHERE coalesce(l.sellable, 0) <> coalesce(f.sellable, 0)
   OR coalesce(l.reserved, 0) <> coalesce(f.reserved, 0)
   OR coalesce(l.damaged, 0) <> coalesce(f.damaged, 0)
   OR coalesce(l.quality_control, 0) <> coalesce(f.quality_control, 0)
   OR coalesce(l.in_transit, 0) <> coalesce(f.in_transit, 0)
