"""What was decided, told and asked for, for whoever has to explain it."""
