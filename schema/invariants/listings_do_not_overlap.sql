-- A channel's SKU stands for one product on any day.
SELECT earlier.channel, earlier.channel_sku, earlier.valid_from, earlier.valid_to,
       later.valid_from AS next_from
FROM listing earlier
JOIN listing later ON later.channel = earlier.channel
    AND later.channel_sku = earlier.channel_sku
    AND later.valid_from > earlier.valid_from
WHERE earlier.valid_to IS NULL OR earlier.valid_to > later.valid_from
