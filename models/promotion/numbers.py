"""Numbers that people read, type and pass on, and that nobody guesses."""

import secrets

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Letters and digits that look like no other."""


def new(length: int) -> str:
    """A number of so many characters by chance."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
