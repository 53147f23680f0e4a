"""Sourcing: which node fulfills which quantity, as a pure function with a stored reason."""
