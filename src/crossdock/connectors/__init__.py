"""Adapters to outside systems, each an `engine.effects.Port`: the only way to the network."""
