"""Two-step verification: the server's side of SRP as Telegram does it (core.telegram.org/api/srp)."""

import hashlib
import os
from dataclasses import dataclass

from pyrogram import raw
from pyrogram.crypto import prime
from pyrogram.utils import compute_password_hash

_G = 3
_P = prime.CURRENT_DH_PRIME
_SIZE = 256


def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _bytes(number: int) -> bytes:
    return number.to_bytes(_SIZE, "big")


@dataclass(frozen=True)
class Password:
    """What the server keeps of a password: two salts and the verifier."""

    salt1: bytes
    salt2: bytes
    verifier: int

    @classmethod
    def of(cls, text: str) -> "Password":
        """Keep a new password."""
        kept = cls(os.urandom(40), os.urandom(16), 0)
        exponent = int.from_bytes(compute_password_hash(kept.algorithm(), text), "big")
        return cls(kept.salt1, kept.salt2, pow(_G, exponent, _P))

    def algorithm(self) -> raw.types.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow:
        return raw.types.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow(
            salt1=self.salt1, salt2=self.salt2, g=_G, p=_bytes(_P)
        )


class Challenge:
    """One attempt to log in with a password."""

    def __init__(self, password: Password) -> None:
        self._password = password
        self._secret = int.from_bytes(os.urandom(_SIZE), "big")
        k = int.from_bytes(_sha256(_bytes(_P), _bytes(_G)), "big")
        self.public = _bytes((k * password.verifier + pow(_G, self._secret, _P)) % _P)

    def accepts(self, client_public: bytes, proof: bytes) -> bool:
        """Whether the client has shown that it knows the password."""
        a = client_public.rjust(_SIZE, b"\0")
        u = int.from_bytes(_sha256(a, self.public), "big")
        shared = pow(int.from_bytes(a, "big") * pow(self._password.verifier, u, _P), self._secret, _P)
        mixed = bytes(x ^ y for x, y in zip(_sha256(_bytes(_P)), _sha256(_bytes(_G)), strict=True))
        expected = _sha256(
            mixed,
            _sha256(self._password.salt1),
            _sha256(self._password.salt2),
            a,
            self.public,
            _sha256(_bytes(shared)),
        )
        return proof == expected
