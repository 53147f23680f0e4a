"""What left, and where it is."""
