-- Whatever was asked of a payment provider was asked for a tender of the order.
SELECT e.order_id, e.key, e.tender_number
FROM payment_entry e
WHERE NOT EXISTS (SELECT FROM tender t
                  WHERE t.order_id = e.order_id AND t.number = e.tender_number);
