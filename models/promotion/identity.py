"""A keyed hash of a person's id: what outlives an erasure, so that what is given once is not given twice.

Without ``SECRET_KEY`` nobody can tell whose hash it is, although ids are few enough to try them all.
"""

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE = b"peaje: persons"


def hashed(secret_key: str, user_id: int) -> str:
    """The hash of this id, always the same under one ``SECRET_KEY``; 24 characters."""
    digest = hmac.new(key_for(secret_key, PURPOSE), str(user_id).encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:18]).decode()


def key_for(secret_key: str, purpose: bytes) -> bytes:
    """The key of a purpose, 32 bytes: who learns it knows neither ``SECRET_KEY`` nor the key of another purpose."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(secret_key.encode())
