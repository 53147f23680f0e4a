"""Webhooks after the Standard Webhooks specification: who is sent which events, and the sending."""
