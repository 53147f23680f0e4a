-- Stock levels that changed are published too, from the ledger and after the fact.

ALTER TABLE event_publisher ADD COLUMN stock_until timestamptz;
COMMENT ON COLUMN event_publisher.stock_until IS
    'up to which recorded time the stock ledger was looked at; null: not yet';
COMMENT ON COLUMN published_event.order_id IS
    'the order, checkout or stock level whose events come in order';
COMMENT ON COLUMN published_event.subject IS
    'the order as its channel names it, channel:number; channel:id of a checkout; node:sku of a '
    'level';
