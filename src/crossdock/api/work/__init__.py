"""The work of nodes: what they are asked for, and what they tell of it."""
