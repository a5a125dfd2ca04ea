"""What the operator reads in chat of the shop and its customers: pure functions, like the other screens."""
