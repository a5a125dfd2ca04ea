"""What a visitor can break: the network, the daemon, the account; and how the programs stand meanwhile."""

import asyncio
import contextlib
import http.client
import os
import signal
import time
import xmlrpc.client
from collections.abc import Callable
from typing import Any
from xmlrpc.client import ServerProxy

import requests
from supervisor.xmlrpc import SupervisorTransport

from daemon.supervision.programs import runtime_directory
from tests.demo.bubbles import Value
from tests.demo.installation import Installation
from tests.demo.phone import Refused

ROUND_TRIP_MS = 30
"""How far away the local Telegram is for the shop: as the real one from a server in the same country."""
SLOW_BYTES_PER_S = 1_500_000
LONG_S = 86_400
LONG_WAIT_S = 40.0
TOLD = {
    ("network", False): (
        "The network is gone",
        "Nothing that the shop sends to Telegram is answered. Write something, then let it come back.",
    ),
    ("network", True): ("The network is back", "What was written meanwhile is fetched and answered, once."),
    ("slow", True): (
        "A slow network",
        "Send for the 20 MB now, with Premium and the invitation: progress, /cancel, time to kill the daemon. "
        "What was delivered before comes at once; there are three.",
    ),
    ("account", False): (
        "The account's session has ended",
        "The operator hears of it. Switch it on again, or log in by the button in that message: +34600000001.",
    ),
    ("account", True): ("The session holds again", "The daemon is restarted, and tries it anew."),
    ("daemon", False): ("The daemon was killed", "kill -9. What it was doing is in rows."),
}
"""What is said when a switch is turned: a title, and what to do or to look at."""


class Switches:
    """The switches of one installation. *tell* hears when one was turned."""

    def __init__(self, running: Installation, tell: Callable[[Value], None]) -> None:
        self._running = running
        self._tell = tell
        self._accounts = (running.sandbox.scenario["bot"]["username"], running.sandbox.scenario["operator"]["username"])
        self._is = {"network": True, "account": True, "slow": False}

    def shown(self) -> Value:
        """How they stand."""
        return dict(self._is)

    async def begin(self) -> None:
        """The network as it is without anybody's doing."""
        await self._set_network()

    async def turn(self, name: str, on: bool) -> None:
        """Turn a switch. Raises Refused for one that is not there."""
        turning = {"network": self._network, "account": self._account, "slow": self._slow, "daemon": self._daemon}
        if name not in turning:
            raise Refused("There is no such switch.")
        if name in self._is:
            self._is[name] = on
        began = time.monotonic()
        await turning[name](on)
        self._tell({"type": "switches", "switches": self.shown()})
        if told := TOLD.get((name, on)):
            self._tell({"type": "caption", "title": told[0], "under": told[1]})
        if name == "daemon":
            await self._wait_well(began)

    async def _wait_well(self, began: float) -> None:
        """Tell when the shop is well again; a visitor who waits for it sees it in the pane, too."""
        while time.monotonic() - began < LONG_WAIT_S:
            await asyncio.sleep(0.1)
            if await asyncio.to_thread(_answers_since, self._running, began):
                under = f"supervisord has started it again; after {time.monotonic() - began:.1f} s all is well."
                self._tell({"type": "caption", "title": "The daemon was killed", "under": under})
                return

    async def code(self) -> str:
        """The code that Telegram has sent to the account last, for who logs it in anew; empty where there is none."""
        phone = self._running.sandbox.scenario["operator"]["phone"].removeprefix("+")
        with contextlib.suppress(OSError, http.client.HTTPException):
            return str((await self._control("GET", f"/login-code?phone={phone}"))["code"] or "")
        return ""

    async def _network(self, on: bool) -> None:
        """Nothing that the shop sends to Telegram is answered, or all is again."""
        if on:
            await self._control("DELETE", "/faults")
            await self._set_network()
        for account in self._accounts if not on else ():
            await self._control("POST", "/faults", {"fault": "black_hole", "account": account, "seconds": LONG_S})

    async def _account(self, on: bool) -> None:
        """Somebody ends the account's session in Telegram's list of devices; or it holds again, as after a log-in.

        The daemon would try it again within five minutes; here it is restarted, as its message says.
        """
        _, account = self._accounts
        if on:
            await self._control("POST", "/faults", {"fault": "restore_keys", "account": account})
            await self._signal("daemon", signal.SIGTERM)
        else:
            await self._control("POST", "/faults", {"fault": "revoke", "account": account, "reset": True})

    async def _slow(self, on: bool) -> None:
        await self._set_network()

    async def _daemon(self, on: bool) -> None:
        """``kill -9``; supervisord starts it again."""
        await self._signal("daemon", signal.SIGKILL)

    async def _signal(self, program: str, number: signal.Signals) -> None:
        pid = (await self.programs()).get(program, {}).get("pid")
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def _set_network(self) -> None:
        bandwidth = SLOW_BYTES_PER_S if self._is["slow"] else None
        for account in self._accounts:
            network = {"rtt_ms": ROUND_TRIP_MS, "bandwidth": bandwidth, "account": account}
            await self._control("POST", "/network", network)

    async def _control(self, *call: Any) -> Any:
        return await asyncio.to_thread(self._running.sandbox.control, *call)

    async def programs(self) -> dict[str, Value]:
        """The programs by name: process id, and for how many seconds each has been running; 0 while it is not."""
        return await asyncio.to_thread(self._programs)

    def _programs(self) -> dict[str, Value]:
        socket = runtime_directory(self._running.data) / "supervisor.sock"
        with ServerProxy("http://127.0.0.1", SupervisorTransport(None, None, f"unix://{socket}")) as server:
            try:
                found: Any = server.supervisor.getAllProcessInfo()
            except (OSError, xmlrpc.client.Error, http.client.HTTPException):
                return {}
        return {
            each["name"]: {
                "pid": each["pid"] if each["statename"] == "RUNNING" else 0,
                "for_s": each["now"] - each["start"] if each["statename"] == "RUNNING" else 0,
            }
            for each in found
        }


def failing(running: Installation) -> str:
    """The parts that ``/health`` holds to be failing; empty where all is well."""
    try:
        checks = requests.get(f"{running.base_url}/health", timeout=3).json()["checks"]
    except (requests.RequestException, ValueError, KeyError):
        return "no answer"
    return ", ".join(name for name, check in checks.items() if check["status"] == "failing")


def _answers_since(running: Installation, began: float) -> bool:
    """Whether the bot has said that it is well since then, on the monotonic clock, and nothing is failing."""
    try:
        checks = requests.get(f"{running.base_url}/health", timeout=3).json()["checks"]
        age_s = float(checks["bot"]["age_s"])
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return False
    within_s = time.monotonic() - began
    return age_s + 1 < within_s and all(check["status"] != "failing" for check in checks.values())
