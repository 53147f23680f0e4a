"""Crossdock over HTTP: versioned, documented, safe to repeat."""
