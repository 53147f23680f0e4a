-- What a node has taken on for a day is the work counted on that day, but for work that ended and
-- sent nothing; it is more than that only while messages about it are under way.
WITH given AS (
    SELECT node, counted_on AS day, count(*) AS work
    FROM fulfillment_order WHERE counted_on IS NOT NULL AND work <> 'canceled'
    GROUP BY node, counted_on
), differing AS (
    SELECT node, day, coalesce(c.used, 0) AS used, coalesce(g.work, 0) AS work
    FROM node_capacity c FULL JOIN given g USING (node, day)
    WHERE coalesce(c.used, 0) <> coalesce(g.work, 0)
)
SELECT node, day, used, work FROM differing
WHERE used < work
   OR NOT EXISTS (
        SELECT FROM inbox WHERE type IN (
            'crossdock.order.allocated.v1', 'crossdock.fulfillment.opened.v1',
            'crossdock.capacity.given_back.v1')
        UNION ALL
        SELECT FROM held_message WHERE type IN (
            'crossdock.order.allocated.v1', 'crossdock.fulfillment.opened.v1',
            'crossdock.capacity.given_back.v1')
        UNION ALL
        SELECT FROM dead_letter WHERE type IN (
            'crossdock.order.allocated.v1', 'crossdock.fulfillment.opened.v1',
            'crossdock.capacity.given_back.v1'))
