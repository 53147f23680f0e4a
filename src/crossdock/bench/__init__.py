"""Measurements. Each module has `run(seed, scale)`, which answers a BenchResult."""
