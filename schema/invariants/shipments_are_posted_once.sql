-- No shipment has two deliveries or two invoices in the ERP, and no order was posted twice.
SELECT order_id, shipment_id, kind, count(*) AS postings
FROM posting
WHERE kind IN ('order', 'delivery', 'invoice')
GROUP BY order_id, shipment_id, kind
HAVING count(*) > 1;
