-- What a tender says was captured and refunded is what its provider said so of; a tender the
-- channel was paid with has the money from the start.
SELECT t.order_id, t.number, t.captured, t.refunded, e.captured AS entries_captured,
       e.refunded AS entries_refunded
FROM tender t
LEFT JOIN (SELECT order_id, tender_number,
                  coalesce(sum(amount) FILTER (WHERE kind = 'capture'), 0) AS captured,
                  coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0) AS refunded
           FROM payment_entry WHERE status = 'done'
           GROUP BY order_id, tender_number) e
  ON e.order_id = t.order_id AND e.tender_number = t.number
WHERE t.captured <> CASE WHEN t.paid THEN t.amount ELSE coalesce(e.captured, 0) END
   OR t.refunded <> coalesce(e.refunded, 0);
