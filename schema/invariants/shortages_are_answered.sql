-- More is reserved than is sellable only where picked units alone explain it, or under quarantine.
SELECT l.sku, l.node, l.owner, l.lot, l.sellable, l.reserved, l.shortfall,
       coalesce(sum(r.quantity), 0) AS still_unpicked
FROM stock_level l
LEFT JOIN reservation r ON r.node = l.node AND r.sku = l.sku AND r.owner = l.owner
                       AND r.lot = l.lot AND r.state = 'allocated'
WHERE (l.reserved > l.sellable OR l.shortfall > 0) AND NOT l.quarantined
GROUP BY l.sku, l.node, l.owner, l.lot
HAVING l.shortfall <> greatest(0, l.reserved - l.sellable) OR count(r.id) > 0
