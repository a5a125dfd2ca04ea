"""Two kinds of encryption: of what is kept for good, and of what one person types for one process.

What is kept (an account's session) is encrypted with a key made from ``SECRET_KEY``: AES-256-GCM, whose associated data
says what the text belongs to, so that nobody can put one account's session in another's place.

What is typed (a number, a code, a password) is encrypted to the public key of one running daemon, whose private half is
in its memory alone: X25519 with a key of the sender's made for this once, HKDF, AES-256-GCM. What such a text leaves in
a log of the database or a backup opens to nobody once that daemon has ended.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from models.errors import Unopenable
from models.promotion.identity import key_for

KEPT = b"peaje: accounts"
MARKS = b"peaje: marks of sessions"
TYPED = b"peaje: typed secrets"
NONCE_BYTES, KEY_BYTES = 12, 32
_ONCE = bytes(NONCE_BYTES)
"""The nonce of a key that encrypts a single text."""


def keep(secret_key: str, text: str, about: str) -> str:
    """*text* encrypted, to be opened for *about* alone, with the same ``SECRET_KEY``."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return _text(nonce + AESGCM(key_for(secret_key, KEPT)).encrypt(nonce, text.encode(), about.encode()))


def kept(secret_key: str, sealed: str, about: str) -> str:
    """The text that :func:`keep` has encrypted.

    :raises Unopenable: ``SECRET_KEY`` is another one, or the text belongs to something else, or is damaged.
    """
    packed = _bytes(sealed)
    return _opened(key_for(secret_key, KEPT), packed[:NONCE_BYTES], packed[NONCE_BYTES:], about)


def mark(secret_key: str, session: str) -> str:
    """What tells two sessions apart without saying anything about either; 24 characters."""
    digest = hmac.new(key_for(secret_key, MARKS), session.encode(), hashlib.sha256).digest()
    return _text(digest[:18])


class Recipient:
    """One process that can open what is typed for it; its private key is nowhere else."""

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = _text(self._private.public_key().public_bytes_raw())

    def opened(self, sealed: str, about: str) -> str:
        """The text that :func:`seal_for` has encrypted to this process.

        :raises Unopenable: it was encrypted to another one, or for something else, or is damaged.
        """
        packed = _bytes(sealed)
        sender, text = packed[:KEY_BYTES], packed[KEY_BYTES:]
        if len(sender) < KEY_BYTES:
            raise Unopenable
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(sender))
        except ValueError:  # a point that gives nothing secret
            raise Unopenable from None
        return _opened(_derived(shared, sender, _bytes(self.public)), _ONCE, text, about)


def seal_for(public: str, text: str, about: str) -> str:
    """*text* encrypted to the :class:`Recipient` with this public key, to be opened for *about* alone.

    :raises Unopenable: *public* is no public key.
    """
    recipient, once = _bytes(public), X25519PrivateKey.generate()
    sender = once.public_key().public_bytes_raw()
    try:
        shared = once.exchange(X25519PublicKey.from_public_bytes(recipient))
    except ValueError:
        raise Unopenable from None
    key = _derived(shared, sender, recipient)
    return _text(sender + AESGCM(key).encrypt(_ONCE, text.encode(), about.encode()))


def _derived(shared: bytes, sender: bytes, recipient: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=TYPED + sender + recipient).derive(shared)


def _opened(key: bytes, nonce: bytes, text: bytes, about: str) -> str:
    try:
        return AESGCM(key).decrypt(nonce, text, about.encode()).decode()
    except (InvalidTag, ValueError):
        raise Unopenable from None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Unopenable from None
