"""A real Caddy with the project's own Caddyfile, on loopback: its own authority signs the certificate."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tests import machine
from tests.paypal_shop import free_port, until

CADDYFILE = machine.REPOSITORY / "deploy" / "Caddyfile"


class From(HTTPAdapter):
    """Connects from this address of the machine."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *words: Any, **options: Any) -> None:
        super().init_poolmanager(*words, source_address=(self._address, 0), **options)


@dataclass(frozen=True)
class Caddy:
    """A running Caddy in front of one web program."""

    port: int
    plain_port: int
    root: Path
    """The certificate of the authority that it made for itself."""

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def visitor(self, address: str = "127.0.0.1") -> requests.Session:
        """Somebody at this loopback address who trusts its authority, as the world trusts public ones."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.root)
        session.mount("https://", From(address))
        return session

    def connect(self) -> ssl.SSLSocket:
        """A bare connection, for what no library sends."""
        context = ssl.create_default_context(cafile=str(self.root))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        return context.wrap_socket(plain, server_hostname="localhost")

    def answers(self) -> bool:
        try:
            return self.root.exists() and self.visitor().get(f"{self.url}/health/live", timeout=5).ok
        except requests.RequestException:
            return False


@contextlib.contextmanager
def in_front_of(web_url: str, place: Path, backend_url: str = "https://localhost") -> Iterator[Caddy]:
    """Caddy with ``deploy/Caddyfile`` for *backend_url*, which the web program answers behind it."""
    machine.need_command("caddy", packages="caddy")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "XDG_DATA_HOME": str(place / "data"),
        "XDG_CONFIG_HOME": str(place / "config"),
        "BACKEND_URL": backend_url,
        "PEAJE_ADDRESS": web_url.removeprefix("http://"),
    }
    adapted = subprocess.run(
        ["caddy", "adapt", "--config", CADDYFILE], env=environ, capture_output=True, text=True, check=True
    )
    running = Caddy(free_port(), free_port(), place / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt")
    file = place / "caddy.json"
    file.write_text(json.dumps(_on_loopback(json.loads(adapted.stdout), running)))
    with (place / "caddy.out").open("wb") as output:
        process = subprocess.Popen(["caddy", "run", "--config", file], env=environ, stdout=output, stderr=output)
    try:
        until(running.answers, "Caddy", 20)
        yield running
    finally:
        process.terminate()
        assert process.wait(30) == 0


def _on_loopback(config: dict[str, Any], running: Caddy) -> dict[str, Any]:
    """The same, on ports that are free, touching nothing of the machine."""
    http = config["apps"]["http"]
    (server,) = http["servers"].values()
    server["listen"] = [f"127.0.0.1:{running.port}"]
    http |= {"http_port": running.plain_port, "https_port": running.port}
    authority = {"certificate_authorities": {"local": {"install_trust": False}}}
    return {**config, "admin": {"disabled": True}, "apps": {**config["apps"], "pki": authority}}
