-- The units the ledger has in picked at a node are those of its picked reservations.
WITH moved AS (
    SELECT sku, node, owner, lot, picked::bigint AS units FROM stock_balance WHERE picked <> 0
    UNION ALL
    SELECT sku, node, owner, lot,
           sum(quantity * ((to_bucket = 'picked')::int - (from_bucket = 'picked')::int))
    FROM stock_ledger
    WHERE (to_bucket = 'picked' OR from_bucket = 'picked')
      AND recorded_at >= coalesce((SELECT until FROM stock_ledger_closing), '-infinity')
    GROUP BY sku, node, owner, lot
), fold AS (
    SELECT sku, node, owner, lot, sum(units) AS units FROM moved GROUP BY sku, node, owner, lot
), held AS (
    SELECT sku, node, owner, lot, sum(quantity) AS units
    FROM reservation WHERE state = 'picked' GROUP BY sku, node, owner, lot
)
SELECT sku, node, owner, lot, f.units AS ledger_picked, h.units AS picked
FROM fold f FULL JOIN held h USING (sku, node, owner, lot)
WHERE coalesce(f.units, 0) <> coalesce(h.units, 0)
