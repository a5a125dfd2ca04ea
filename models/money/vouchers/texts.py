"""The text of a code: how it is made, stored and written."""

import re
import secrets

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without characters that look alike."""
LENGTH = 12
"""Characters of a code, of which there are ``31 ** 12``."""


def new() -> str:
    """A code that nobody guesses."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def normalise(text: str) -> str:
    """A code as it is stored: case, spaces and dashes do not matter."""
    return re.sub(r"[\s\-_‐-―]+", "", text).upper()
