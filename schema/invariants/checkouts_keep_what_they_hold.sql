-- Units kept for a checkout belong to one that is known and not over: nothing stays behind.
SELECT r.checkout_id, r.sku, sum(r.quantity) AS kept, max(c.status) AS status
FROM reservation r
LEFT JOIN checkout c ON c.id = r.checkout_id
WHERE r.order_id = r.checkout_id
GROUP BY r.checkout_id, r.sku
HAVING max(c.status) IS NULL OR max(c.status) IN ('confirmed', 'expired', 'dropped')
