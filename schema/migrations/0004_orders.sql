-- Orders as people and other systems read them: what was bought, who is to have it, how it is paid,
-- what was given to which node, what left. All rows mirror process states (written once per batch
-- by the processes' projectors), except holds, tasks and claims, which the ordering capability
-- keeps. Money is minor units of the order's currency. Personal data is in party and address only.
-- Every table of an order leads its key with order_id: ids are dense in time, so indexes stay
-- dense.

-- What was bought ------------------------------------------------------------------------------

CREATE TABLE sales_order (
    id uuid CONSTRAINT sales_order_pkey PRIMARY KEY,
    placed_at timestamptz NOT NULL,
    closed_at timestamptz,
    customer_id uuid,
    total bigint NOT NULL,
    revision int NOT NULL DEFAULT 1,
    priority smallint NOT NULL DEFAULT 3,
    test boolean NOT NULL DEFAULT false,
    currency text COLLATE "C" NOT NULL,
    presentment_currency text COLLATE "C" NOT NULL DEFAULT '',
    channel text COLLATE "C" NOT NULL,
    number text COLLATE "C" NOT NULL,
    brand text COLLATE "C" NOT NULL DEFAULT '',
    selling_entity text COLLATE "C" NOT NULL DEFAULT '',
    stage text COLLATE "C" NOT NULL,
    policy_version text COLLATE "C" NOT NULL DEFAULT '',
    attributes jsonb,
    CONSTRAINT one_order_per_channel_and_number UNIQUE (channel, number),
    CONSTRAINT sales_order_has_a_number CHECK (channel <> '' AND number <> ''),
    CONSTRAINT sales_order_priority CHECK (priority BETWEEN 1 AND 5),
    CONSTRAINT sales_order_stage CHECK (stage IN ('checking', 'held', 'open', 'closed')),
    CONSTRAINT closed_order_has_a_time CHECK ((stage = 'closed') = (closed_at IS NOT NULL)),
    CONSTRAINT sales_order_attributes_are_small CHECK (octet_length(attributes::text) <= 16384)
) WITH (fillfactor = 80);
-- Screening asks what a customer ordered lately.
CREATE INDEX sales_order_customer ON sales_order (customer_id, placed_at)
    WHERE customer_id IS NOT NULL;
COMMENT ON COLUMN sales_order.stage IS
    'of its process; what became of the units is told by the lines';
COMMENT ON COLUMN sales_order.revision IS
    'goes up with every edit; lines are added or canceled, never deleted';

-- Each unit of a line is in exactly one of nine states. Delivered, lost and returned are told of
-- units that are shipped.
CREATE TABLE order_line (
    order_id uuid NOT NULL,
    number int NOT NULL,
    quantity int NOT NULL,
    open int NOT NULL,
    soft int NOT NULL DEFAULT 0,
    backordered int NOT NULL DEFAULT 0,
    allocated int NOT NULL DEFAULT 0,
    released int NOT NULL DEFAULT 0,
    picked int NOT NULL DEFAULT 0,
    packed int NOT NULL DEFAULT 0,
    shipped int NOT NULL DEFAULT 0,
    canceled int NOT NULL DEFAULT 0,
    delivered int NOT NULL DEFAULT 0,
    lost int NOT NULL DEFAULT 0,
    returned int NOT NULL DEFAULT 0,
    group_number int NOT NULL DEFAULT 1,
    total bigint NOT NULL,
    charge_share bigint NOT NULL DEFAULT 0,
    adjustment_share bigint NOT NULL DEFAULT 0,
    tax_share bigint NOT NULL DEFAULT 0,
    payable bigint NOT NULL,
    shipped_amount bigint NOT NULL DEFAULT 0,
    canceled_amount bigint NOT NULL DEFAULT 0,
    credited_amount bigint NOT NULL DEFAULT 0,
    unit_price numeric NOT NULL,
    sku text COLLATE "C" NOT NULL,
    attributes jsonb,
    CONSTRAINT order_line_pkey PRIMARY KEY (order_id, number),
    CONSTRAINT every_unit_is_in_one_state CHECK (
        quantity = open + soft + backordered + allocated + released
                 + picked + packed + shipped + canceled),
    CONSTRAINT units_are_not_negative CHECK (
        least(open, soft, backordered, allocated, released, picked, packed, shipped, canceled,
              delivered, lost, returned) >= 0),
    CONSTRAINT only_shipped_units_arrive_or_get_lost CHECK (delivered + lost <= shipped),
    CONSTRAINT only_shipped_units_are_returned CHECK (returned <= shipped),
    CONSTRAINT order_line_has_units CHECK (quantity > 0),
    CONSTRAINT shares_make_the_payable CHECK (
        payable = total + charge_share + adjustment_share + tax_share),
    CONSTRAINT order_line_attributes_are_small CHECK (octet_length(attributes::text) <= 16384)
) WITH (fillfactor = 60);
COMMENT ON COLUMN order_line.total IS
    'the channel''s authoritative line total, before adjustments and taxes';
COMMENT ON COLUMN order_line.payable IS
    'what the customer pays for the line, with its share of everything: the lines'' sum '
    'is the order''s total';
COMMENT ON COLUMN order_line.shipped_amount IS
    'of the payable, what went to shipments; the n-th settled unit''s share is fixed from '
    'the start';

-- Lines with one method, one recipient and place, one service, one promise.
CREATE TABLE delivery_group (
    order_id uuid NOT NULL,
    recipient_id uuid,
    address_id uuid,
    latitude float8,
    longitude float8,
    requested_leave_by timestamptz,
    requested_arrive_by timestamptz,
    first_leave_by timestamptz,
    first_arrive_by timestamptz,
    current_leave_by timestamptz,
    current_arrive_by timestamptz,
    actual_left_at timestamptz,
    actual_arrived_at timestamptz,
    number int NOT NULL,
    method text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    postal_code text COLLATE "C" NOT NULL DEFAULT '',
    pickup_node text COLLATE "C",
    CONSTRAINT delivery_group_pkey PRIMARY KEY (order_id, number),
    CONSTRAINT delivery_group_method CHECK (
        method IN ('ship', 'pickup', 'ship_to_store', 'local_delivery', 'digital'))
) WITH (fillfactor = 80);
COMMENT ON COLUMN delivery_group.first_arrive_by IS 'the first promise; never overwritten';
COMMENT ON COLUMN delivery_group.actual_left_at IS 'when its last unit left';

-- Why a current promise became another one.
CREATE TABLE promise_change (
    order_id uuid NOT NULL,
    group_number int NOT NULL,
    changed_at timestamptz NOT NULL,
    leave_by timestamptz,
    arrive_by timestamptz,
    reason text COLLATE "C" NOT NULL
);
CREATE INDEX promise_change_order ON promise_change (order_id);

-- Charges, adjustments and taxes as the channel stated them; the lines hold their shares.
CREATE TABLE order_money (
    order_id uuid NOT NULL,
    number int NOT NULL,
    amount bigint NOT NULL,
    line_number int,
    group_number int,
    charge_number int,
    included boolean NOT NULL DEFAULT false,
    part text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    funded_by text COLLATE "C" NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    rate numeric,
    CONSTRAINT order_money_pkey PRIMARY KEY (order_id, part, number),
    CONSTRAINT order_money_part CHECK (part IN ('charge', 'adjustment', 'tax')),
    CONSTRAINT only_tax_is_included CHECK (NOT included OR part = 'tax')
);
COMMENT ON COLUMN order_money.kind IS
    'kind of charge, source of adjustment, or jurisdiction of tax';
COMMENT ON COLUMN order_money.included IS 'the tax is within the line totals already';

-- How it is paid -------------------------------------------------------------------------------

-- A way of paying, used in `order_of_use`. `paid`: the channel has the money already.
CREATE TABLE tender (
    order_id uuid NOT NULL,
    number int NOT NULL,
    order_of_use int NOT NULL DEFAULT 1,
    amount bigint NOT NULL,
    authorized bigint NOT NULL DEFAULT 0,
    captured bigint NOT NULL DEFAULT 0,
    voided bigint NOT NULL DEFAULT 0,
    refunded bigint NOT NULL DEFAULT 0,
    debt bigint NOT NULL DEFAULT 0,
    authorized_until timestamptz,
    paid boolean NOT NULL DEFAULT false,
    kind text COLLATE "C" NOT NULL,
    reference text NOT NULL DEFAULT '',
    status text COLLATE "C" NOT NULL,
    CONSTRAINT tender_pkey PRIMARY KEY (order_id, number),
    CONSTRAINT tender_status CHECK (
        status IN ('unused', 'asked', 'authorized', 'refused', 'paid', 'account', 'expired')),
    CONSTRAINT tender_amounts_are_not_negative CHECK (
        least(amount, authorized, captured, voided, refunded, debt) >= 0),
    CONSTRAINT refunds_come_from_captures CHECK (refunded <= captured),
    CONSTRAINT captures_stay_within_the_tender CHECK (captured <= amount)
) WITH (fillfactor = 70);
COMMENT ON COLUMN tender.status IS
    'paid: the channel has the money; account: the customer is billed; expired: not '
    'renewed in time';
COMMENT ON COLUMN tender.authorized IS
    'what the provider holds for us now: captures and voids take from it';
COMMENT ON COLUMN tender.debt IS 'shipped, asked for, and refused so far: money the customer owes';

-- Each thing asked of a payment provider; the key is its idempotency key.
CREATE TABLE payment_entry (
    order_id uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    settled_at timestamptz,
    shipment_id uuid,
    tender_number int NOT NULL,
    amount bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    reference text NOT NULL DEFAULT '',
    reason text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT payment_entry_pkey PRIMARY KEY (order_id, key),
    CONSTRAINT payment_entry_kind CHECK (kind IN ('authorize', 'capture', 'void', 'refund')),
    CONSTRAINT payment_entry_status CHECK (status IN ('asked', 'done', 'refused')),
    CONSTRAINT payment_entry_amount_is_positive CHECK (amount > 0)
) WITH (fillfactor = 70);

-- A document the ERP has taken; its number is in external_ref as well.
CREATE TABLE posting (
    order_id uuid NOT NULL,
    posted_at timestamptz NOT NULL,
    shipment_id uuid,
    amount bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    document text NOT NULL,
    CONSTRAINT posting_pkey PRIMARY KEY (order_id, key),
    CONSTRAINT posting_kind CHECK (
        kind IN ('order', 'delivery', 'invoice', 'payment', 'credit_memo', 'cancellation'))
);

-- What was given to which node, and what left -----------------------------------------------------

-- One node's work for part of one delivery group. Re-sourcing closes it; the next one `replaces`
-- it.
CREATE TABLE fulfillment_order (
    order_id uuid NOT NULL,
    id uuid NOT NULL,
    decision_id uuid,
    replaces uuid,
    opened_at timestamptz NOT NULL,
    ship_by timestamptz,
    closed_at timestamptz,
    estimated_cost bigint NOT NULL DEFAULT 0,
    group_number int NOT NULL,
    node text COLLATE "C" NOT NULL,
    work text COLLATE "C" NOT NULL,
    acknowledgement text COLLATE "C" NOT NULL,
    CONSTRAINT fulfillment_order_pkey PRIMARY KEY (order_id, id),
    CONSTRAINT fulfillment_order_work CHECK (
        work IN ('open', 'picking', 'picked', 'packed', 'shipped', 'delivered', 'canceled')),
    CONSTRAINT fulfillment_order_acknowledgement CHECK (
        acknowledgement IN ('submitted', 'accepted', 'declined', 'recall_requested', 'recalled'))
) WITH (fillfactor = 60);
-- A node's list of work: open rows only.
CREATE INDEX fulfillment_order_work_list ON fulfillment_order (node, opened_at)
    WHERE closed_at IS NULL;

CREATE TABLE fulfillment_line (
    order_id uuid NOT NULL,
    fulfillment_id uuid NOT NULL,
    line_number int NOT NULL,
    quantity int NOT NULL,
    picked int NOT NULL DEFAULT 0,
    short int NOT NULL DEFAULT 0,
    packed int NOT NULL DEFAULT 0,
    shipped int NOT NULL DEFAULT 0,
    given_back int NOT NULL DEFAULT 0,
    CONSTRAINT fulfillment_line_pkey PRIMARY KEY (order_id, fulfillment_id, line_number),
    CONSTRAINT fulfillment_line_has_units CHECK (quantity > 0),
    CONSTRAINT fulfillment_units_are_not_negative CHECK (
        least(picked, short, packed, shipped, given_back) >= 0),
    CONSTRAINT no_unit_is_worked_on_twice CHECK (
        greatest(picked, packed, shipped) + short + given_back <= quantity)
) WITH (fillfactor = 60);
COMMENT ON COLUMN fulfillment_line.picked IS
    'units picked so far, those packed and shipped included';
COMMENT ON COLUMN fulfillment_line.short IS 'units the node could not pick: sourced elsewhere';
COMMENT ON COLUMN fulfillment_line.given_back IS
    'units it gave back: declined, recalled or lost to a count';

-- What a node is asked to give back; it answers once per request.
CREATE TABLE recall (
    order_id uuid NOT NULL,
    fulfillment_id uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    answered_at timestamptz,
    line_number int NOT NULL,
    quantity int NOT NULL,
    given_back int NOT NULL DEFAULT 0,
    request_id text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    CONSTRAINT recall_pkey PRIMARY KEY (order_id, fulfillment_id, request_id, line_number),
    CONSTRAINT recall_has_units CHECK (quantity > 0),
    CONSTRAINT given_back_at_most_what_was_asked_for CHECK (given_back BETWEEN 0 AND quantity)
) WITH (fillfactor = 70);
CREATE INDEX recall_unanswered ON recall (requested_at) WHERE answered_at IS NULL;

-- What physically left, once: a parcel hand-over, a pickup, a download.
CREATE TABLE shipment (
    order_id uuid NOT NULL,
    id uuid NOT NULL,
    fulfillment_id uuid NOT NULL,
    shipped_at timestamptz NOT NULL,
    amount bigint NOT NULL,
    node text COLLATE "C" NOT NULL,
    reference text COLLATE "C" NOT NULL,
    CONSTRAINT shipment_pkey PRIMARY KEY (order_id, id)
);
COMMENT ON COLUMN shipment.reference IS 'what the node calls it';
COMMENT ON COLUMN shipment.amount IS
    'the sum of its lines'' money: what is captured and invoiced for it';

CREATE TABLE package (
    order_id uuid NOT NULL,
    shipment_id uuid NOT NULL,
    delivered_at timestamptz,
    lost_at timestamptz,
    stopped_at timestamptz,
    number int NOT NULL,
    weight_grams int NOT NULL DEFAULT 0,
    carrier text COLLATE "C" NOT NULL DEFAULT '',
    service text COLLATE "C" NOT NULL DEFAULT '',
    tracking text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT package_pkey PRIMARY KEY (order_id, shipment_id, number)
) WITH (fillfactor = 80);
CREATE INDEX package_tracking ON package (tracking) WHERE tracking <> '';
COMMENT ON COLUMN package.stopped_at IS 'the carrier stopped it on its way and brings it back';

CREATE TABLE shipment_line (
    order_id uuid NOT NULL,
    shipment_id uuid NOT NULL,
    package_number int NOT NULL,
    line_number int NOT NULL,
    quantity int NOT NULL,
    amount bigint NOT NULL,
    lot text COLLATE "C" NOT NULL DEFAULT '',
    serials text[],
    CONSTRAINT shipment_line_pkey PRIMARY KEY (order_id, shipment_id, package_number, line_number),
    CONSTRAINT shipment_line_has_units CHECK (quantity > 0)
);
COMMENT ON COLUMN shipment_line.amount IS
    'its share of the line''s payable; 0 for units sent again in place of lost ones';

-- Why something may not go on, who decides it, and what customers asked for too late ----------

CREATE TABLE hold (
    order_id uuid NOT NULL,
    placed_at timestamptz NOT NULL,
    lifted_at timestamptz,
    approved boolean,
    group_number int,
    name text COLLATE "C" NOT NULL,
    detail text NOT NULL DEFAULT '',
    lifted_by text NOT NULL DEFAULT '',
    CONSTRAINT hold_pkey PRIMARY KEY (order_id, name, placed_at),
    CONSTRAINT lifted_hold_was_decided CHECK ((lifted_at IS NULL) = (approved IS NULL))
);
CREATE INDEX hold_standing ON hold (placed_at) WHERE lifted_at IS NULL;

-- Work for a person: a team's, or a node's.
CREATE TABLE task (
    id uuid CONSTRAINT task_pkey PRIMARY KEY,
    order_id uuid,
    fulfillment_id uuid,
    opened_at timestamptz NOT NULL,
    due_at timestamptz,
    closed_at timestamptz,
    kind text COLLATE "C" NOT NULL,
    team text COLLATE "C" NOT NULL,
    node text COLLATE "C",
    subject text NOT NULL,
    detail text NOT NULL DEFAULT '',
    status text COLLATE "C" NOT NULL DEFAULT 'open',
    closed_by text NOT NULL DEFAULT '',
    CONSTRAINT task_status CHECK (status IN ('open', 'done', 'rejected', 'withdrawn')),
    CONSTRAINT closed_task_has_a_time CHECK ((status = 'open') = (closed_at IS NULL))
);
CREATE INDEX task_open ON task (team, opened_at) WHERE closed_at IS NULL;
CREATE INDEX task_order ON task (order_id) WHERE order_id IS NOT NULL;

-- What a customer wanted back and what became of it, per line: never silent.
CREATE TABLE cancellation (
    order_id uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    line_number int NOT NULL,
    requested int NOT NULL,
    canceled int NOT NULL DEFAULT 0,
    stopped int NOT NULL DEFAULT 0,
    refused int NOT NULL DEFAULT 0,
    request_id text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    CONSTRAINT cancellation_pkey PRIMARY KEY (order_id, request_id, line_number),
    CONSTRAINT canceled_at_most_what_was_requested CHECK (
        canceled + stopped + refused <= requested)
) WITH (fillfactor = 70);
COMMENT ON COLUMN cancellation.stopped IS 'units the carrier stopped on their way';
COMMENT ON COLUMN cancellation.refused IS
    'units that were gone: the customer is told, a return claim is kept';

-- Units a customer sends or wants to send back; returns turn claims into refunds.
CREATE TABLE return_claim (
    id uuid CONSTRAINT return_claim_pkey PRIMARY KEY,
    order_id uuid NOT NULL,
    claimed_at timestamptz NOT NULL,
    line_number int NOT NULL,
    quantity int NOT NULL,
    amount bigint NOT NULL,
    reason text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'open',
    CONSTRAINT return_claim_has_units CHECK (quantity > 0),
    CONSTRAINT return_claim_status CHECK (status IN ('open', 'closed'))
);
CREATE INDEX return_claim_order ON return_claim (order_id);
