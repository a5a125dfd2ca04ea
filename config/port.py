"""The port of the web program: whether it can listen there, before something that would try in vain does."""

from __future__ import annotations

import contextlib
import errno
import socket
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings
from config.texts import Message

_FIRST_FREE = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@dataclass(frozen=True)
class PortFault:
    """Why nobody can listen there. ``passes``: it may be over by itself, when another program ends."""

    text: Message
    passes: bool


def fault(settings: Settings, *, as_root: bool | None = None) -> PortFault | None:
    """Why the web program cannot listen at ``WEB_ADDRESS`` and ``PORT``; None when it can.

    :param as_root: whether it will run as root; None: as this process does, which finds out by itself.
    """
    address, port = settings.web_address, settings.port
    if as_root is False and port < _first_unprivileged():
        return PortFault(_privileged(port), passes=False)
    try:
        _bind(address, port)
    except OSError as error:
        return _fault_of(error, address, port)
    return None


def _bind(address: str, port: int) -> None:
    """Bind, and no more: Linux then refuses what somebody listens at, and two who only try do not meet.

    :raises OSError: it cannot be.
    """
    family, kind, _, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with contextlib.closing(socket.socket(family, kind)) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind(where)


def _fault_of(error: OSError, address: str, port: int) -> PortFault:
    if error.errno == errno.EADDRINUSE:
        taken = Message(
            "PORT {port} is taken by another program: stop that one (`ss -ltnp` lists them), or set another PORT",
            port=port,
        )
        return PortFault(taken, passes=True)
    if error.errno == errno.EACCES:
        return PortFault(_privileged(port), passes=False)
    foreign = Message(
        "WEB_ADDRESS {address} is no address of this machine: 0.0.0.0 stands for all that it has", address=address
    )
    return PortFault(foreign, passes=False)


def _privileged(port: int) -> Message:
    return Message("PORT {port} is for root alone: set one above 1023, such as 8000, behind a proxy", port=port)


def _first_unprivileged() -> int:
    try:
        return int(_FIRST_FREE.read_text())
    except (OSError, ValueError):
        return 1024
