-- What channels do besides placing orders: reserve while a customer checks out, and edit.

-- Units kept for a customer who is checking out; its reservations carry its id as checkout_id.
CREATE TABLE checkout (
    id uuid CONSTRAINT checkout_pkey PRIMARY KEY,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    closed_at timestamptz,
    order_id uuid,
    channel text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    last_request text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT checkout_status CHECK (
        status IN ('asked', 'reserved', 'placed', 'confirmed', 'expired', 'dropped')),
    CONSTRAINT closed_checkout_has_a_time CHECK (
        (status IN ('confirmed', 'expired', 'dropped')) = (closed_at IS NOT NULL)),
    CONSTRAINT placed_checkout_names_its_order CHECK (
        status NOT IN ('placed', 'confirmed') OR order_id IS NOT NULL)
) WITH (fillfactor = 80);
-- Finds closed ones that are old enough to be removed.
CREATE INDEX checkout_closed ON checkout (closed_at) WHERE closed_at IS NOT NULL;
COMMENT ON COLUMN checkout.status IS
    'asked: not answered yet; reserved; placed: its order is being checked and nothing expires; '
    'confirmed: the order has taken the units over; expired and dropped: they are free again';
COMMENT ON COLUMN checkout.last_request IS 'the last extension that was answered';

CREATE TABLE checkout_line (
    checkout_id uuid NOT NULL,
    number int NOT NULL,
    quantity int NOT NULL,
    reserved int NOT NULL DEFAULT 0,
    sku text COLLATE "C" NOT NULL,
    method text COLLATE "C" NOT NULL,
    pickup_node text COLLATE "C",
    CONSTRAINT checkout_line_pkey PRIMARY KEY (checkout_id, number),
    CONSTRAINT checkout_line_has_units CHECK (quantity > 0),
    CONSTRAINT reserved_at_most_what_was_asked CHECK (reserved BETWEEN 0 AND quantity)
) WITH (fillfactor = 80);
COMMENT ON COLUMN checkout_line.reserved IS
    'units that were there; the others are not kept: the customer has to be told';

-- What somebody wanted changed in an order, and whether it was; one row per request.
CREATE TABLE order_edit (
    order_id uuid NOT NULL,
    decided_at timestamptz NOT NULL,
    expected_revision int NOT NULL,
    revision int NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    result text COLLATE "C" NOT NULL,
    CONSTRAINT order_edit_pkey PRIMARY KEY (order_id, request_id),
    CONSTRAINT order_edit_result CHECK (result IN ('applied', 'stale', 'too_late', 'closed'))
);
COMMENT ON COLUMN order_edit.revision IS 'of the order after this';
