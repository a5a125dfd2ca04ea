"""The AES of media connections: the library's own module, or one that uses the processor's AES instructions.

AES in IGE mode is most of the processor time of a transfer: each megabyte is decrypted once and encrypted once.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

Function = Callable[[bytes, bytes, bytes], bytes]
"""Takes data (whole blocks of 16 bytes), key and initialisation vector, and returns the data."""


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
    """The cipher of *module*, one of :data:`MODULES`, which is imported now."""
    loaded = importlib.import_module(module)
    encrypt, decrypt = _NAMES[module]
    return Cipher(getattr(loaded, encrypt), getattr(loaded, decrypt))
