"""Encryption of a file with a passphrase.

The format, so that the file can be read without this program::

    15 bytes  b"PEAJE-SEALED-1\\n"
    16 bytes  salt
     7 bytes  prefix of the nonces
    then, for each 65536 bytes of the content (fewer, perhaps none, in the last piece), the ciphertext of AES-256-GCM,
    followed by its tag of 16 bytes

The key is scrypt(passphrase in UTF-8, salt, n=2**15, r=8, p=1), 32 bytes. The nonce of a piece is the prefix, its
number from 0 on (4 bytes, most significant first), and a byte that is 1 for the last piece, else 0: pieces can be
neither exchanged nor cut off. The 38 bytes of the head are the additional data of every piece.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from config.texts import Message
from config.units import KIB
from models.errors import PassphraseWrong

MAGIC = b"PEAJE-SEALED-1\n"
SALT_BYTES, PREFIX_BYTES, TAG_BYTES = 16, 7, 16
HEAD_BYTES = len(MAGIC) + SALT_BYTES + PREFIX_BYTES
PIECE_BYTES = 64 * KIB


def is_sealed(file: Path) -> bool:
    """Whether a file begins as one that :func:`seal` has written."""
    with file.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def seal(source: BinaryIO, target: BinaryIO, passphrase: str) -> None:
    """Write the content of *source* to *target*, encrypted."""
    head = MAGIC + secrets.token_bytes(SALT_BYTES + PREFIX_BYTES)
    target.write(head)
    cipher = _cipher(head, passphrase)
    for nonce, piece in _pieces(source, head, PIECE_BYTES):
        target.write(cipher.encrypt(nonce, piece, head))


def unseal(source: BinaryIO, target: BinaryIO, passphrase: str) -> None:
    """Write the content of *source* to *target*, decrypted.

    :raises PassphraseWrong: the passphrase is another one, or the file was altered or cut off.
    """
    head = source.read(HEAD_BYTES)
    if not head.startswith(MAGIC):
        raise PassphraseWrong(Message("not a sealed file"))
    if len(head) < HEAD_BYTES:
        raise PassphraseWrong(Message("the file is cut off"))
    cipher = _cipher(head, passphrase)
    try:
        for nonce, piece in _pieces(source, head, PIECE_BYTES + TAG_BYTES):
            target.write(cipher.decrypt(nonce, piece, head))
    except InvalidTag:
        raise PassphraseWrong(Message("the passphrase is another one, or the file is damaged")) from None


def _cipher(head: bytes, passphrase: str) -> AESGCM:
    salt = head[len(MAGIC) : len(MAGIC) + SALT_BYTES]
    return AESGCM(Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode()))


def _pieces(source: BinaryIO, head: bytes, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The content in pieces of *size* bytes, each with its nonce. The last piece may be empty."""
    prefix = head[len(MAGIC) + SALT_BYTES :]
    number, piece = 0, source.read(size)
    while True:
        following = source.read(size)
        yield prefix + number.to_bytes(4, "big") + bytes([not following]), piece
        if not following:
            return
        number, piece = number + 1, following
