"""Telegram's address: the library's own, or ``TELEGRAM_ENDPOINT`` in tests and in the demo. And leaving it."""

from hashlib import sha1
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pyrogram.connection import Connection
from pyrogram.crypto import rsa
from pyrogram.raw.core.primitives import Bytes
from pyrogram.session import Session
from pyrogram.storage.sqlite_storage import PROD, TEST

SHIPPED_ADDRESSES = frozenset({*PROD.values(), *TEST.values()})


def connection_class(endpoint: tuple[str, int] | None) -> type[Connection]:
    """The connection class that clients use.

    With an *endpoint*, connections to the addresses that the library ships with go there instead. Addresses that the
    server names (``help.getConfig``, for its other data centres) are left as they are.
    """
    if endpoint is None:
        stock: type[Connection] = Connection
        return stock
    host, port = endpoint

    class LocalConnection(Connection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            if kwargs["server_address"] in SHIPPED_ADDRESSES:
                kwargs |= {"server_address": host, "port": port}
            super().__init__(*args, **kwargs)

    return LocalConnection


def hang_up(session: Session | None) -> None:
    """End the connection of a session at once, where the library's own stop was cut off.

    The connection's ``close`` would not do: it waits for a call that is being sent, on a dead path forever.
    """
    connection = session.connection if session is not None else None
    protocol = connection.protocol if connection is not None else None
    if protocol is not None and protocol.writer is not None:
        protocol.writer.transport.abort()


def trust(public_key: str) -> None:
    """Let clients of this process complete the handshake with the holder of *public_key* (PEM text).

    :raises ValueError: *public_key* is not an RSA public key.
    """
    key = load_pem_public_key(public_key.encode())
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not an RSA public key")
    numbers = key.public_numbers()
    rsa.server_public_keys[_fingerprint(numbers.n, numbers.e)] = rsa.PublicKey(numbers.n, numbers.e)


def _fingerprint(modulus: int, exponent: int) -> int:
    """MTProto's fingerprint of a key: the low 64 bits of the SHA-1 of its two numbers in TL form."""
    parts = (number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (modulus, exponent))
    digest = sha1(b"".join(bytes(Bytes(part)) for part in parts)).digest()
    return int.from_bytes(digest[-8:], "little", signed=True)
