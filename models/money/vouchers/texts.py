"""The text of a code: how it is made, stored and written."""

import re
import secrets

from config.plain_text import unmarked

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without characters that look alike."""
LENGTH = 12
"""Characters of a code, of which there are ``31 ** 12``."""


def new() -> str:
    """A code that nobody guesses."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def normalise(text: str) -> str:
    """A code as it is stored: case, spaces, dashes and marks that nobody sees do not matter."""
    return re.sub(r"[\s\-_‐-―]+", "", unmarked(text)).upper()
