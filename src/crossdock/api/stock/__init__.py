"""Stock as systems see, report and correct it."""
