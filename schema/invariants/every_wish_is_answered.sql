-- In a closed order, everything that was asked back was canceled, stopped on its way or refused.
SELECT c.order_id, c.request_id, c.line_number, c.requested, c.canceled, c.stopped, c.refused
FROM cancellation c
JOIN sales_order o ON o.id = c.order_id
WHERE o.stage = 'closed' AND c.requested <> c.canceled + c.stopped + c.refused;
