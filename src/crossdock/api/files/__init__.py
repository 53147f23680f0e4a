"""Whole files of stock, products and prices, each loaded as one job."""
