"""Checkouts as channels reserve, read, extend and drop them."""
