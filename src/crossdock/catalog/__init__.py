"""Master data: who sells and fulfills, where, what and through which channel."""
