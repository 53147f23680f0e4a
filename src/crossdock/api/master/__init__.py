"""Master data as systems read and write it."""
