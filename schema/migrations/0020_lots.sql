-- What is known of a lot wherever it lies (GS1 application identifiers 10 and 17).
CREATE TABLE lot (
    as_of timestamptz NOT NULL,
    expires_on date NOT NULL,
    is_over boolean NOT NULL,
    sku text COLLATE "C" NOT NULL,
    lot text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    CONSTRAINT lot_pkey PRIMARY KEY (sku, lot)
);
COMMENT ON COLUMN lot.expires_on IS 'its last day of life, as told of the latest time';
COMMENT ON COLUMN lot.is_over IS
    'nobody can get it with the life that is owed: it is offered nowhere';
COMMENT ON COLUMN lot.source IS 'who told the date';

-- Where a SKU lies in lots: units that a source tells without their lot are looked for there.
CREATE INDEX stock_level_lot ON stock_level (sku, node) WHERE lot <> '';

-- What master data say of a level: its zone, methods and what is held back there. A lot that is
-- over has no methods; stock is held back once per SKU and node: at the level without owner and
-- lot.
DROP FUNCTION level_terms(text, text);
CREATE FUNCTION level_terms(
    of_sku text, at_node text, of_owner text, of_lot text,
    OUT zone text, OUT methods smallint, OUT safety_stock int, OUT buffer int
) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE ROWS 1 AS $$
    SELECT n.allocation_zone,
           CASE WHEN n.enabled AND coalesce(p.enabled, true)
                     AND (of_lot = '' OR NOT EXISTS (
                         SELECT 1 FROM lot t WHERE t.sku = of_sku AND t.lot = of_lot AND t.is_over))
                THEN method_bits(ARRAY(
                    SELECT m FROM unnest(n.methods) AS m
                    WHERE m <> ALL (coalesce(p.methods_off, '{}'))))
                ELSE 0::smallint END,
           CASE WHEN of_owner = '' AND of_lot = ''
                THEN coalesce(p.safety_stock, n.safety_stock) ELSE 0 END,
           CASE WHEN of_owner = '' AND of_lot = '' THEN coalesce(p.buffer, n.buffer) ELSE 0 END
    FROM node n LEFT JOIN product_node p ON p.sku = of_sku AND p.node = n.code
    WHERE n.code = at_node
$$;

-- Lots that left with a shipment: whom a recalled lot was sent to.
CREATE TABLE shipped_lot (
    order_id uuid NOT NULL,
    shipment_id uuid NOT NULL,
    line_number int NOT NULL,
    quantity int NOT NULL,
    sku text COLLATE "C" NOT NULL,
    lot text COLLATE "C" NOT NULL,
    CONSTRAINT shipped_lot_pkey PRIMARY KEY (order_id, shipment_id, line_number, sku, lot),
    CONSTRAINT shipped_lot_has_units CHECK (quantity > 0)
);
CREATE INDEX shipped_lot_lot ON shipped_lot (sku, lot);
COMMENT ON COLUMN shipped_lot.quantity IS 'base units of the SKU';
ALTER TABLE shipment_line DROP COLUMN lot;

ALTER TABLE stock_reading ADD COLUMN lot text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE stock_reading DROP CONSTRAINT stock_reading_pkey;
ALTER TABLE stock_reading
    ADD CONSTRAINT stock_reading_pkey PRIMARY KEY (source, node, sku, bucket, lot);
ALTER TABLE stock_correction ADD COLUMN lot text COLLATE "C" NOT NULL DEFAULT '';
