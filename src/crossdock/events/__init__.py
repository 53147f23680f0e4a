"""Published events: what the log was told to tell the world, in one order."""
