"""The AES of media connections: the fastest module that is installed and does what it should.

AES in IGE mode is most of the processor time of a transfer: each megabyte is decrypted once and encrypted once.
``cryptg`` uses the processor's AES instructions. ``tgcrypto``, the library's own, is there on every platform.
"""

import hashlib
import importlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from config.units import MIB

logger = logging.getLogger(__name__)

Function = Callable[[bytes, bytes, bytes], bytes]
"""Takes data (whole blocks of 16 bytes), key and initialisation vector, and returns the data."""


@dataclass(frozen=True, slots=True)
class Cipher:
    """AES-256 in IGE mode."""

    encrypt: Function
    decrypt: Function


class CipherUnusable(Exception):
    """A module is not installed, or does not encrypt as it should."""


AUTO = "auto"
_NAMES = {
    "cryptg": ("encrypt_ige", "decrypt_ige"),
    "tgcrypto": ("ige256_encrypt", "ige256_decrypt"),
}
MODULES = tuple(_NAMES)

_DATA, _KEY, _VECTOR = bytes(range(256)), bytes(range(32)), bytes(range(32, 64))
_KNOWN_ANSWER = "1ddf3dc56319059bac3bf8315e87912b3d2cf51eb64520bece1f6fd8ccf79dbc"
"""SHA-256 of the data above, encrypted: another mode, or a faulty one, gives another."""


def cipher(module: str) -> Cipher:
    """The cipher of *module*, one of :data:`MODULES`, or of the fastest of them for :data:`AUTO`.

    :raises CipherUnusable: there is none that passes a test with a known answer.
    """
    usable, reasons = {}, []
    for name in MODULES if module == AUTO else (module,):
        try:
            usable[name] = load(name)
        except CipherUnusable as error:
            reasons.append(str(error))
            logger.warning("cipher.unusable", extra={"reason": str(error)})
    if not usable:
        raise CipherUnusable("; ".join(reasons))
    rates = {name: _rate(each) for name, each in usable.items()}
    fastest = max(rates, key=rates.__getitem__)
    logger.info("cipher.chosen", extra={"cipher": fastest, "mb_s": round(rates[fastest])})
    return usable[fastest]


def load(module: str) -> Cipher:
    """The cipher of *module*, which is imported now.

    :raises CipherUnusable: it is not installed, or fails a test with a known answer.
    """
    try:
        loaded = importlib.import_module(module)
        found = Cipher(*(getattr(loaded, name) for name in _NAMES[module]))
        sealed = found.encrypt(_DATA, _KEY, _VECTOR)
        opened = found.decrypt(sealed, _KEY, _VECTOR)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise CipherUnusable(f"{module}: {error!r}") from error
    if hashlib.sha256(sealed).hexdigest() != _KNOWN_ANSWER or opened != _DATA:
        raise CipherUnusable(f"{module}: a wrong answer to a known question")
    return found


def _rate(measured: Cipher) -> float:
    """Megabytes a second, the better of two tries."""
    data = bytes(MIB // 4)
    took = []
    for _ in range(2):
        began = time.perf_counter()
        measured.encrypt(data, _KEY, _VECTOR)
        took.append(time.perf_counter() - began)
    return len(data) / 1e6 / min(took)
