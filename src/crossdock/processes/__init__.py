"""The retailer's business processes: each folder's process.py reads as the business reads it."""
