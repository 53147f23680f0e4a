-- Led by the key: the dispatcher asks for it in a way that no other index can answer.
DROP INDEX outbox_order;
CREATE INDEX outbox_order ON outbox (order_key, connector, number);
