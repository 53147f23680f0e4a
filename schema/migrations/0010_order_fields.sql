-- What orders and their work carry besides, and where readers find it.

ALTER TABLE sales_order
    ADD COLUMN presentment_total bigint,
    ADD COLUMN exchange_rate numeric,
    ADD COLUMN exchanged_at timestamptz,
    ADD CONSTRAINT what_the_customer_saw_has_a_currency CHECK (
        presentment_currency <> ''
        OR num_nonnulls(presentment_total, exchange_rate, exchanged_at) = 0),
    ADD CONSTRAINT exchange_rate_is_positive CHECK (exchange_rate > 0);
COMMENT ON COLUMN sales_order.presentment_total IS 'minor units of presentment_currency';
COMMENT ON COLUMN sales_order.exchange_rate IS
    'units of currency for one of presentment_currency, as the channel used it';

ALTER TABLE order_line
    ADD COLUMN channel_sku text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN order_line.channel_sku IS 'what the channel calls it, where that is not the sku';
COMMENT ON COLUMN order_line.owner IS
    'the legal entity whose stock it must come from; empty leaves it open';

-- The local day of its node on which a FulfillmentOrder takes a place, until it ends without
-- having sent anything. What was counted so far cannot be given back: counting begins anew.
ALTER TABLE fulfillment_order ADD COLUMN counted_on date;
COMMENT ON COLUMN fulfillment_order.counted_on IS 'null: its node has no daily capacity';
DELETE FROM node_capacity;
