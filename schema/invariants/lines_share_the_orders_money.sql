-- The shares of an order's lines sum to its charges, to its adjustments, and to its taxes that are
-- not within the line totals.
SELECT order_id, l.charges AS charge_shares, m.charges, l.adjustments AS adjustment_shares,
       m.adjustments, l.taxes AS tax_shares, m.taxes
FROM (SELECT order_id, sum(charge_share) AS charges, sum(adjustment_share) AS adjustments,
             sum(tax_share) AS taxes
      FROM order_line
      WHERE charge_share <> 0 OR adjustment_share <> 0 OR tax_share <> 0
      GROUP BY order_id) l
FULL JOIN (SELECT order_id, sum(amount) FILTER (WHERE part = 'charge') AS charges,
                  sum(amount) FILTER (WHERE part = 'adjustment') AS adjustments,
                  sum(amount) FILTER (WHERE part = 'tax') AS taxes
           FROM order_money WHERE NOT included
           GROUP BY order_id) m USING (order_id)
WHERE coalesce(l.charges, 0) <> coalesce(m.charges, 0)
   OR coalesce(l.adjustments, 0) <> coalesce(m.adjustments, 0)
   OR coalesce(l.taxes, 0) <> coalesce(m.taxes, 0);
