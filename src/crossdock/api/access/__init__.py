"""Who calls: API keys and bearer tokens, what each may do and see, and how often."""
