"""Each AES module against the definition of the mode: c[i] = E(m[i] ^ c[i-1]) ^ m[i-1]."""

import sys
from pathlib import Path

import cryptg
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from config import settings
from daemon.transfer.datacentres.cipher import AUTO, MODULES, CipherUnusable, cipher, load
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
    for module in (AUTO, *MODULES):
        environ = environment.minimal(tmp_path) | {"TRANSFER_CIPHER": module}
        assert settings.load(environ, dotenv=None).transfer_cipher == module


@pytest.mark.parametrize("module", MODULES)
@given(data=st.binary(min_size=BLOCK, max_size=512), key=KEYS, vector=KEYS)
def test_it_is_aes_256_in_ige_mode(module: str, data: bytes, key: bytes, vector: bytes) -> None:
    whole = data[: len(data) // BLOCK * BLOCK]
    sealed = load(module).encrypt(whole, key, vector)
    assert sealed == infinite_garble_extension(whole, key, vector)
    assert load(module).decrypt(sealed, key, vector) == whole


def chosen(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(vars(record)["cipher"]) for record in caplog.records if record.msg == "cipher.chosen"]


def test_the_fastest_is_taken_and_named(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level("INFO")
    slow = load("cryptg").encrypt

    def late(data: bytes, key: bytes, vector: bytes) -> bytes:
        return slow(data * 16, key, vector)[: len(data)]

    assert cipher(AUTO)
    monkeypatch.setattr(cryptg, "encrypt_ige", late)
    assert cipher(AUTO)
    assert chosen(caplog) == ["cryptg", "tgcrypto"]


def test_a_module_that_is_not_there_is_done_without(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setitem(sys.modules, "cryptg", None)
    assert cipher(AUTO) == load("tgcrypto")
    assert chosen(caplog) == ["tgcrypto"]
    with pytest.raises(CipherUnusable, match="cryptg"):
        cipher("cryptg")


@pytest.mark.parametrize("direction", ["encrypt_ige", "decrypt_ige"])
def test_a_module_that_answers_wrongly_is_never_used(direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(cryptg, direction)
    monkeypatch.setattr(cryptg, direction, lambda *given: bytes([right(*given)[0] ^ 1]) + right(*given)[1:])
    assert cipher(AUTO) == load("tgcrypto")
    with pytest.raises(CipherUnusable, match="known"):
        cipher("cryptg")
