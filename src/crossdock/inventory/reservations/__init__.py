"""A reservation's life: soft or backordered, allocated, picked, consumed; or freed, expired."""
