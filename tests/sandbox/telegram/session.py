"""Authorisation keys and sessions. Both outlive TCP connections, as on the real server.

Packets are sealed with cryptg where it is there: with the library's own module half of the server's time went into AES,
and a measurement of a fast client measured the server.
"""

import asyncio
import os
import struct
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import TYPE_CHECKING

from pyrogram.crypto.mtproto import kdf
from pyrogram.raw.core import Long

try:
    from cryptg import decrypt_ige, encrypt_ige
except ImportError:  # it has no wheel for every platform
    from tgcrypto import ige256_decrypt as decrypt_ige
    from tgcrypto import ige256_encrypt as encrypt_ige

if TYPE_CHECKING:
    from .connection import Connection

_MAX_SESSIONS = 64
_MAX_OUTCOMES = 1000
_HEADER = struct.Struct("<q8sqii")


class BadPacket(Exception):
    """A packet whose checksum does not fit its content."""


@dataclass(eq=False)
class AuthKey:
    """A key agreed on with one data centre, and the account that logged in with it, if any."""

    key: bytes
    dc: int
    user_id: int | None = None
    # What every packet under this key is answered with from now on, once the key has been killed on request.
    verdict: str | None = None
    id: bytes = b""
    salt: int = 0
    sessions: dict[bytes, "Session"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.id = sha1(self.key).digest()[-8:]
        if not self.salt:
            self.salt = int.from_bytes(os.urandom(8), "little", signed=True)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "sessions": {}}

    @classmethod
    def of_user(cls, user_id: int, dc: int) -> "AuthKey":
        """A key that is logged in from the start, as session strings carry them."""
        return cls(os.urandom(256), dc, user_id)

    def session_string(self, api_id: int, is_bot: bool) -> str:
        """Pyrogram's session string for this key."""
        packed = struct.pack(">BI?256sQ?", self.dc, api_id, False, self.key, self.user_id, is_bot)
        return urlsafe_b64encode(packed).decode().rstrip("=")

    def session(self, session_id: bytes) -> "Session":
        """The session of this id, begun if need be; the oldest ones end when there are too many."""
        if session_id not in self.sessions:
            while len(self.sessions) >= _MAX_SESSIONS:
                del self.sessions[next(iter(self.sessions))]
            self.sessions[session_id] = Session(self, session_id)
        return self.sessions[session_id]

    def decrypt(self, packet: bytes) -> "Incoming":
        """Open a packet from the client. Raises BadPacket."""
        message_key = packet[8:24]
        plain = decrypt_ige(packet[24:], *kdf(self.key, message_key, True))
        if sha256(self.key[88:120] + plain).digest()[8:24] != message_key:
            raise BadPacket
        salt, session_id, message_id, _, length = _HEADER.unpack_from(plain)
        start = _HEADER.size
        if not 0 <= length <= len(plain) - start:
            raise BadPacket
        return Incoming(salt, session_id, message_id, plain[start : start + length])

    def encrypt(self, session_id: bytes, message_id: int, sequence: int, body: bytes) -> bytes:
        """Seal a message to the client."""
        padding = os.urandom(-(_HEADER.size + len(body) + 12) % 16 + 12)
        plain = b"".join((_HEADER.pack(self.salt, session_id, message_id, sequence, len(body)), body, padding))
        digest = sha256(self.key[96:128])
        digest.update(plain)
        message_key = digest.digest()[8:24]
        return b"".join((self.id, message_key, encrypt_ige(plain, *kdf(self.key, message_key, False))))


@dataclass(frozen=True, slots=True)
class Incoming:
    """One decrypted packet: a message or a container of messages."""

    salt: int
    session_id: bytes
    message_id: int
    body: bytes


@dataclass(eq=False)
class Session:
    """A client's session under a key: numbers its messages and knows the connection used last."""

    key: AuthKey
    id: bytes
    connection: "Connection | None" = None
    announced: bool = False
    # Updates go only to sessions that have made a call other than moving files and reading the configuration.
    wants_updates: bool = False
    initialised: bool = False
    outcomes: "Outcomes" = field(default_factory=lambda: Outcomes())
    _content_sent: int = 0
    _last_message_id: int = 0

    @property
    def user_id(self) -> int | None:
        return self.key.user_id

    def next_message_id(self, reply: bool) -> int:
        """Rises strictly; clients drop a lower one silently, so it is taken at the moment of writing."""
        message_id = int(time.time() * 2**32) & ~3 | (1 if reply else 3)
        if message_id <= self._last_message_id:
            message_id = self._last_message_id - self._last_message_id % 4 + 4 + (1 if reply else 3)
        self._last_message_id = message_id
        return message_id

    def next_sequence(self, content: bool) -> int:
        sequence = self._content_sent * 2 + content
        self._content_sent += content
        return sequence


class Outcomes:
    """How the newest calls of a session ended, for those that are to be carried out after them."""

    def __init__(self) -> None:
        self._known: dict[int, asyncio.Future[bool]] = {}

    def settle(self, message_id: int, succeeded: bool) -> None:
        """Note how a call ended."""
        outcome = self._of(message_id)
        if not outcome.done():
            outcome.set_result(succeeded)

    async def of(self, message_id: int) -> bool:
        """Whether a call succeeded, once that is known; also of one that has not arrived yet."""
        return await asyncio.shield(self._of(message_id))

    def _of(self, message_id: int) -> asyncio.Future[bool]:
        if message_id not in self._known:
            while len(self._known) >= _MAX_OUTCOMES:
                del self._known[next(iter(self._known))]
            self._known[message_id] = asyncio.get_running_loop().create_future()
        return self._known[message_id]


def message_id_now(reply: bool = True) -> int:
    """A message id for unencrypted messages."""
    return int(time.time() * 2**32) & ~3 | (1 if reply else 3)


def plain_packet(body: bytes) -> bytes:
    """An unencrypted message, as used in the key exchange."""
    return b"".join((bytes(8), Long(message_id_now()), len(body).to_bytes(4, "little"), body))
