-- Who stands in gates of demand together with others has one of these seats until the commit: there
-- are never more claims that one of them cannot see than there are other seats.
CREATE TABLE demand_seat (
    number int CONSTRAINT demand_seat_pkey PRIMARY KEY
);
INSERT INTO demand_seat SELECT generate_series(1, 8);

-- Take a free seat; returns how many others there are. NULL when none is free, or when this
-- transaction has claimed from one already: then its gates are for it alone.
CREATE FUNCTION take_demand_seat() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    seat int;
BEGIN
    IF current_setting('crossdock.demand_seat', true) <> '' THEN
        RETURN NULL;
    END IF;
    SELECT number INTO seat FROM demand_seat ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF seat IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('crossdock.demand_seat', seat::text, true);
    RETURN (SELECT count(*) - 1 FROM demand_seat);
END $$;
