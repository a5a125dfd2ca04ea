"""Files in a content delivery network: ``upload.getFile`` answers with a redirect, and the bytes come encrypted.

Every data centre of this server plays the network's part, too.
"""

import os
from dataclasses import dataclass, field
from hashlib import sha256

from pyrogram import raw
from pyrogram.crypto import aes
from pyrogram.raw.core import TLObject

from .content import KIB, MIB, Content
from .errors import RpcError
from .registry import Call, method

_HASHED = 128 * KIB


@dataclass
class Outsourced:
    """A file as the network holds it. ``uploaded``: whether it has it already, or asks for it first."""

    content: Content
    key: bytes = field(default_factory=lambda: os.urandom(32))
    iv: bytes = field(default_factory=lambda: os.urandom(12) + bytes(4))
    uploaded: bool = True


@dataclass
class Network:
    """What was given out, by its token."""

    files: dict[bytes, Outsourced] = field(default_factory=dict)

    def named(self, token: bytes) -> Outsourced:
        """Raises RpcError FILE_TOKEN_INVALID."""
        if token not in self.files:
            raise RpcError(400, "FILE_TOKEN_INVALID")
        return self.files[token]


def redirect(call: Call, content: Content, *, uploaded: bool) -> TLObject:
    """Send the caller to the network for a file."""
    token, outsourced = os.urandom(32), Outsourced(content, uploaded=uploaded)
    call.world.part(Network).files[token] = outsourced
    return raw.types.upload.FileCdnRedirect(
        dc_id=call.dc,
        file_token=token,
        encryption_key=outsourced.key,
        encryption_iv=outsourced.iv,
        file_hashes=_hashes(content, 0),
    )


def _hashes(content: Content, offset: int) -> list[TLObject]:
    starts = range(offset, min(offset + MIB, content.size), _HASHED)
    pieces = [(start, content.read(start, _HASHED)) for start in starts]
    return [raw.types.FileHash(offset=start, limit=len(piece), hash=sha256(piece).digest()) for start, piece in pieces]


@method("help.getCdnConfig", anyone=True)
def get_cdn_config(call: Call, query: raw.functions.help.GetCdnConfig) -> TLObject:
    key = call.server.rsa.public_pem().decode()
    keys = [raw.types.CdnPublicKey(dc_id=dc, public_key=key) for dc in call.server.ports]
    return raw.types.CdnConfig(public_keys=keys)


@method("upload.getCdnFile", anyone=True)
def get_cdn_file(call: Call, query: raw.functions.upload.GetCdnFile) -> TLObject:
    outsourced = call.world.part(Network).named(query.file_token)
    if not outsourced.uploaded:
        return raw.types.upload.CdnFileReuploadNeeded(request_token=query.file_token)
    data = outsourced.content.read(query.offset, query.limit)
    counter = bytearray(outsourced.iv[:-4] + (query.offset // 16).to_bytes(4, "big"))
    return raw.types.upload.CdnFile(bytes=aes.ctr256_encrypt(data, outsourced.key, counter))


@method("upload.getCdnFileHashes")
def get_cdn_file_hashes(call: Call, query: raw.functions.upload.GetCdnFileHashes) -> list[TLObject]:
    return _hashes(call.world.part(Network).named(query.file_token).content, query.offset)


@method("upload.reuploadCdnFile")
def reupload_cdn_file(call: Call, query: raw.functions.upload.ReuploadCdnFile) -> list[TLObject]:
    outsourced = call.world.part(Network).named(query.file_token)
    outsourced.uploaded = True
    return _hashes(outsourced.content, 0)
