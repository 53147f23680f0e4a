"""The contracts of everything that crosses the border or is stored: types, versions, rules."""
