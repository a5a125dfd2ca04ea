"""The key exchange (core.telegram.org/mtproto/auth_key), server side."""

import os
import time
from hashlib import sha1

from pyrogram import raw
from pyrogram.crypto import aes, prime
from pyrogram.raw.core import TLObject

from . import tl
from .rsa_key import RsaKey
from .session import AuthKey
from .transport import ProtocolViolation

# Two primes whose product fits 63 bits: clients must factor it, and both must fit 4 bytes.
_P, _Q = 1229739323, 1402015859
_GENERATOR = 3
_DH_PRIME = prime.CURRENT_DH_PRIME


def _bytes(number: int, size: int) -> bytes:
    return number.to_bytes(size, "little", signed=True)


def _random(size: int) -> int:
    return int.from_bytes(os.urandom(size), "little", signed=True)


class Handshake:
    """One exchange on one connection; ``key`` is set when it has ended well."""

    def __init__(self, rsa: RsaKey, dc: int) -> None:
        self._rsa = rsa
        self._dc = dc
        self._server_nonce = _random(16)
        self._new_nonce = b""
        self._secret = int.from_bytes(os.urandom(256), "big")
        self.key: AuthKey | None = None

    def answer(self, query: TLObject) -> TLObject:
        """Take the next step. Raises ProtocolViolation."""
        if isinstance(query, (raw.functions.ReqPq, raw.functions.ReqPqMulti)):
            return self._res_pq(query.nonce)
        if query.server_nonce != self._server_nonce:
            raise ProtocolViolation("server nonce")
        if isinstance(query, raw.functions.ReqDHParams):
            return self._dh_params(query)
        if isinstance(query, raw.functions.SetClientDHParams) and self._new_nonce:
            return self._dh_gen(query)
        raise ProtocolViolation(f"unencrypted {query.QUALNAME}")

    def _res_pq(self, nonce: int) -> TLObject:
        return raw.types.ResPQ(
            nonce=nonce,
            server_nonce=self._server_nonce,
            pq=(_P * _Q).to_bytes(8, "big"),
            server_public_key_fingerprints=[self._rsa.fingerprint],
        )

    def _dh_params(self, query: raw.functions.ReqDHParams) -> TLObject:
        block = self._rsa.decrypt(query.encrypted_data)[1:]
        inner = tl.read(block[20:])
        if sha1(inner.write()).digest() != block[:20]:
            raise ProtocolViolation("hash of the inner data")
        self._new_nonce = _bytes(inner.new_nonce, 32)
        answer = raw.types.ServerDHInnerData(
            nonce=query.nonce,
            server_nonce=query.server_nonce,
            g=_GENERATOR,
            dh_prime=_DH_PRIME.to_bytes(256, "big"),
            g_a=pow(_GENERATOR, self._secret, _DH_PRIME).to_bytes(256, "big"),
            server_time=int(time.time()),
        ).write()
        answer = sha1(answer).digest() + answer
        answer += os.urandom(-len(answer) % 16)
        return raw.types.ServerDHParamsOk(
            nonce=query.nonce,
            server_nonce=query.server_nonce,
            encrypted_answer=aes.ige256_encrypt(answer, *self._temporary_key()),
        )

    def _dh_gen(self, query: raw.functions.SetClientDHParams) -> TLObject:
        inner = tl.read(aes.ige256_decrypt(query.encrypted_data, *self._temporary_key())[20:])
        shared = pow(int.from_bytes(inner.g_b, "big"), self._secret, _DH_PRIME).to_bytes(256, "big")
        salt = bytes(x ^ y for x, y in zip(self._new_nonce[:8], _bytes(self._server_nonce, 16)[:8], strict=True))
        self.key = AuthKey(shared, self._dc, salt=int.from_bytes(salt, "little", signed=True))
        proof = sha1(self._new_nonce + b"\x01" + sha1(shared).digest()[:8]).digest()[4:20]
        return raw.types.DhGenOk(
            nonce=query.nonce,
            server_nonce=query.server_nonce,
            new_nonce_hash1=int.from_bytes(proof, "little", signed=True),
        )

    def _temporary_key(self) -> tuple[bytes, bytes]:
        new, server = self._new_nonce, _bytes(self._server_nonce, 16)
        key = sha1(new + server).digest() + sha1(server + new).digest()[:12]
        iv = sha1(server + new).digest()[12:] + sha1(new + new).digest() + new[:4]
        return key, iv
