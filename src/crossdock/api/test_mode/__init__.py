"""Test mode: keys whose orders run on made-up stock and fakes, in a schema of their own."""
