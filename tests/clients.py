"""Foreign Telegram clients for tests: the unmodified Pyrogram library, led to the sandbox by its own hooks."""

import hashlib
import ipaddress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pyrogram import Client
from pyrogram.connection import Connection
from pyrogram.crypto import rsa
from pyrogram.raw.core import Bytes


def read_public_key(scenario: dict[str, Any]) -> RSAPublicKey:
    """Return the key that the sandbox's Telegram server proves itself with; the scenario holds PEM text or a path."""
    text = scenario["telegram"]["public_key"]
    pem = text if text.startswith("-----") else Path(text).read_text()
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, RSAPublicKey)
    return key


def trust(scenario: dict[str, Any]) -> None:
    """Let Pyrogram clients of this process accept the sandbox's key."""
    numbers = read_public_key(scenario).public_numbers()
    encoded = Bytes(numbers.n.to_bytes(256, "big")) + Bytes(numbers.e.to_bytes(3, "big"))
    fingerprint = int.from_bytes(hashlib.sha1(encoded, usedforsecurity=False).digest()[-8:], "little", signed=True)
    rsa.server_public_keys[fingerprint] = rsa.PublicKey(numbers.n, numbers.e)


def connections_to(endpoint: str) -> type[Connection]:
    """Return a connection class that reaches the home data centre at ``endpoint`` (host:port).

    Addresses that the server itself named (``help.getConfig``) are loopback already and stay as they are.
    """
    host, port = endpoint.rsplit(":", 1)

    class SandboxConnection(Connection):
        def __init__(self, *args: Any, server_address: str, **options: Any) -> None:
            if not ipaddress.ip_address(server_address).is_loopback:
                server_address, options["port"] = host, int(port)
            super().__init__(*args, server_address=server_address, **options)

    return SandboxConnection


def client(scenario: dict[str, Any], name: str = "client", **options: Any) -> Client:
    """Return a Pyrogram client for the sandbox; pass ``session_string=``, ``bot_token=`` or ``phone_number=``."""
    trust(scenario)
    defaults = {
        "api_id": scenario["api_id"],
        "api_hash": scenario["api_hash"],
        "in_memory": True,
        "connection_factory": connections_to(scenario["telegram"]["endpoint"]),
    }
    return Client(name, **{**defaults, **options})
