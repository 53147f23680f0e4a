-- Orders that allow substitutes, and what was sent in place of what a line names.

ALTER TABLE sales_order ADD COLUMN substitutes_allowed boolean NOT NULL DEFAULT false;

ALTER TABLE fulfillment_line ADD COLUMN substitute text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN fulfillment_line.substitute IS
    'the SKU to pick in place of the order line''s; empty: the line''s own';

ALTER TABLE shipment_line ADD COLUMN substitute text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN shipment_line.substitute IS
    'the SKU that left in place of the order line''s; empty: the line''s own';

-- Whose substitute a SKU is: asked for what arrives, and few products have any.
CREATE INDEX product_substitutes ON product USING gin (substitutes) WHERE substitutes <> '{}';
