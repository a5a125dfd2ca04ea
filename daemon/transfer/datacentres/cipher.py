"""The AES that media connections use: the library's own module, or one that uses the processor's AES instructions.

AES in IGE mode is most of what moving a file costs, because every megabyte is decrypted once and encrypted once.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

Function = Callable[[bytes, bytes, bytes], bytes]
"""Data, key and initialisation vector in, data out. The data is a whole number of blocks of 16 bytes."""


@dataclass(frozen=True, slots=True)
class Cipher:
    """AES-256 in IGE mode."""

    encrypt: Function
    decrypt: Function


_NAMES = {
    "tgcrypto": ("ige256_encrypt", "ige256_decrypt"),
    "cryptg": ("encrypt_ige", "decrypt_ige"),
}
MODULES = tuple(_NAMES)


def cipher(module: str) -> Cipher:
    """The functions of *module*, one of :data:`MODULES`; it is imported now."""
    loaded = importlib.import_module(module)
    encrypt, decrypt = _NAMES[module]
    return Cipher(getattr(loaded, encrypt), getattr(loaded, decrypt))
