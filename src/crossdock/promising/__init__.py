"""Promising: which ways to deliver are open to a customer, by when, at what cost."""
