"""Which node fulfills what: joins sourcing's plan with inventory's reservations, zone by zone."""
