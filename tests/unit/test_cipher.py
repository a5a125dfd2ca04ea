"""Each AES module against the definition of the mode: c[i] = E(m[i] ^ c[i-1]) ^ m[i-1]."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from config.settings import load
from daemon.transfer.datacentres.cipher import MODULES, cipher
from tests import environment

BLOCK = 16
KEYS = st.binary(min_size=32, max_size=32)


def infinite_garble_extension(data: bytes, key: bytes, vector: bytes) -> bytes:
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    before, plain_before = vector[:BLOCK], vector[BLOCK:]
    sealed = []
    for at in range(0, len(data), BLOCK):
        plain = data[at : at + BLOCK]
        before = _xor(block.update(_xor(plain, before)), plain_before)
        plain_before = plain
        sealed.append(before)
    return b"".join(sealed)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def test_the_setting_offers_every_module(tmp_path: Path) -> None:
    for module in MODULES:
        environ = environment.minimal(tmp_path) | {"TRANSFER_CIPHER": module}
        assert load(environ, dotenv=None).transfer_cipher == module


@pytest.mark.parametrize("module", MODULES)
@given(data=st.binary(min_size=BLOCK, max_size=512), key=KEYS, vector=KEYS)
def test_it_is_aes_256_in_ige_mode(module: str, data: bytes, key: bytes, vector: bytes) -> None:
    whole = data[: len(data) // BLOCK * BLOCK]
    sealed = cipher(module).encrypt(whole, key, vector)
    assert sealed == infinite_garble_extension(whole, key, vector)
    assert cipher(module).decrypt(sealed, key, vector) == whole
