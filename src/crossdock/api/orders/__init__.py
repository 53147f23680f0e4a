"""Orders as channels read, follow, edit and cancel them."""
