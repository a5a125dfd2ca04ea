"""What customers read: pure functions from values to a text with its keyboard. No I/O, no clock."""
