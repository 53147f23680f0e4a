-- When every unit of a line is shipped or canceled, what went to shipments and to cancellations is
-- exactly what the line was to cost.
SELECT order_id, number, payable, shipped_amount, canceled_amount
FROM order_line
WHERE shipped + canceled = quantity AND shipped_amount + canceled_amount <> payable;
