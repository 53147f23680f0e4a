"""How orders are paid, as finance and payment systems see it."""
