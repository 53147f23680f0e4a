-- Every allocation zone with nodes has a shard, or nobody would ever allocate there.
SELECT z.code AS zone, count(*) AS nodes
FROM allocation_zone z
JOIN node n ON n.allocation_zone = z.code
WHERE NOT EXISTS (SELECT 1 FROM shard s WHERE s.zone = z.code)
GROUP BY z.code
