"""The server's RSA key: clients encrypt the first step of the key exchange for it."""

from hashlib import sha1
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pyrogram.raw.core import Bytes

_BITS = 2048


class RsaKey:
    """Private key with the fingerprint that MTProto names it by."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        numbers = key.private_numbers()
        self._modulus = numbers.public_numbers.n
        self._exponent = numbers.d
        public = Bytes(self._modulus.to_bytes(_BITS // 8, "big")) + Bytes(numbers.public_numbers.e.to_bytes(3, "big"))
        self.fingerprint = int.from_bytes(sha1(public).digest()[-8:], "little", signed=True)

    @classmethod
    def kept_in(cls, path: Path) -> "RsaKey":
        """Load the key from a PEM file, or make one and keep it there."""
        if path.exists():
            return cls(serialization.load_pem_private_key(path.read_bytes(), password=None))
        key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cls(key)

    def public_pem(self) -> bytes:
        """The public part in PKCS #1, the form Telegram publishes its own keys in."""
        return self._key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)

    def decrypt(self, data: bytes) -> bytes:
        """Textbook RSA, as MTProto uses it; returns 256 bytes."""
        return pow(int.from_bytes(data, "big"), self._exponent, self._modulus).to_bytes(_BITS // 8, "big")
