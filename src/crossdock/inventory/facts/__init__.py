"""What the world says of our stock: moves and counts, always taken, and what follows from them."""
