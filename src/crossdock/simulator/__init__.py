"""The same engine, SQL and processes under a virtual clock, with simulated people and faults."""
