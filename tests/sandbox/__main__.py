"""``python -m tests.sandbox --state DIR``: run the local Telegram, and the local PayPal, until stopped.

The same DIR brings back the same ports, keys and state. When everything answers, DIR/env (settings for the programs)
and DIR/scenario.json (what is there to play with) are put in place.
"""

import argparse
import asyncio
import json
import logging
import os
import secrets
import signal
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from . import announcement, memory, scenario
from .control import ControlServer
from .telegram.server import HOME_DC, SECOND_DC, Server

logger = logging.getLogger(__name__)

_CONTROL_MODULES = (
    "tests.sandbox.telegram.controls",
    "tests.sandbox.telegram.message_controls",
    "tests.sandbox.telegram.fault_controls",
    "tests.sandbox.telegram.account_controls",
    "tests.sandbox.telegram.update_controls",
    "tests.sandbox.telegram.object_controls",
    "tests.sandbox.telegram.delivery_controls",
    "tests.sandbox.telegram.payment_controls",
    "tests.sandbox.paypal_controls",
)


@dataclass
class Sandbox:
    """Everything that runs; what control calls are given. ``paypal`` is None where that server is not there."""

    state: Path
    telegram: Server
    paypal: Any

    @property
    def chats(self) -> dict[str, int]:
        """Ids of the scenario's channels by name."""
        return self.telegram.world.part(scenario.Scene).chats


def _write(path: Path, text: str) -> None:
    """Put a file in place atomically, readable by its owner only."""
    new = path.with_name(path.name + ".new")
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def _kept_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


async def _start_telegram(state: Path, identity: dict[str, Any], ports: dict[str, int]) -> Server:
    server = Server(state, identity["api_id"], identity["api_hash"])
    known = server.load()
    await server.start({HOME_DC: ports.get("telegram", 0), SECOND_DC: ports.get("telegram_second", 0)})
    if not known:
        scenario.build(server)
        server.stats.reset()
        server.save()
    return server


def _start_paypal(state: Path, port: int | None) -> Any:
    """PayPal; where its API files are not installed, nothing is checked against them."""
    # Imported here so that --telegram-only needs nothing of PayPal's.
    from . import paypal

    try:
        return paypal.start(state / "paypal", port)
    except paypal.SpecificationsMissing as error:
        logger.warning("the local PayPal checks nothing: %s", error)
        return paypal.start(state / "paypal", port, unchecked=True)


def _identity(state: Path) -> dict[str, Any]:
    """The application's id and hash, made once."""
    path = state / "identity.json"
    identity = _kept_json(path)
    if not identity:
        identity = {"api_id": 1_000_000 + secrets.randbelow(1_000_000), "api_hash": secrets.token_hex(16)}
        _write(path, json.dumps(identity))
    return identity


async def run(arguments: argparse.Namespace) -> None:
    """Start, say where, wait for the end, stop."""
    state: Path = arguments.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    for stale in ("env", "scenario.json"):
        (state / stale).unlink(missing_ok=True)
    ports = _kept_json(state / "ports.json")
    ports.update({name: port for name, port in _given_ports(arguments).items() if port})
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    telegram = await _start_telegram(state, _identity(state), ports)
    paypal = None if arguments.telegram_only else _start_paypal(state, ports.get("paypal"))
    for name in _CONTROL_MODULES:
        import_module(name)
    control = ControlServer(Sandbox(state, telegram, paypal), ports.get("control", 0))
    control.start()
    _announce(state, telegram, paypal, control)
    await stopped.wait()
    control.stop()
    await telegram.stop()
    if paypal is not None:
        paypal.stop()


def _given_ports(arguments: argparse.Namespace) -> dict[str, int]:
    return {"telegram": arguments.telegram_port, "paypal": arguments.paypal_port}


def _announce(state: Path, telegram: Server, paypal: Any, control: ControlServer) -> None:
    environment = announcement.environment(telegram)
    ports = {
        "telegram": telegram.ports[HOME_DC],
        "telegram_second": telegram.ports[SECOND_DC],
        "control": control.port,
    }
    if paypal is not None:
        environment |= paypal.env()
        ports["paypal"] = int(paypal.endpoint.rpartition(":")[2])
    _write(state / "ports.json", json.dumps(ports))
    _write(state / "scenario.json", json.dumps(announcement.description(telegram, control.url), indent=1))
    _write(state / "env", "".join(f"{name}={value}\n" for name, value in environment.items()))
    logger.info("sandbox ready: Telegram on %s, control on %s", telegram.endpoint, control.url)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="directory of all state")
    parser.add_argument("--telegram-port", type=int, default=0, metavar="N")
    parser.add_argument("--paypal-port", type=int, default=0, metavar="N")
    parser.add_argument("--telegram-only", action="store_true", help="do not start the local PayPal")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # The client library, used here for its TL classes only, has nothing to tell.
    logging.getLogger("pyrogram").setLevel(logging.WARNING)
    memory.keep_large_blocks()
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
