"""``make demo`` from its first line to Ctrl-C: ports, progress, the address, the end."""

import asyncio
import os
import signal
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

from tests.demo.front import Front
from tests.demo.installation import NotHealthy
from tests.demo.server import HOST, Server, listen
from tests.demo.show import Show
from tests.sandbox_process import REPOSITORY, SandboxFailed

PORT = 8800
"""Of the page, unless it is taken; ``DEMO_PORT`` names another one."""

UNCHECKED = "PayPal's own API files are not installed here: the tests check the local PayPal's calls against them."

Tell = Callable[[str], None]


async def opened(place: Path, tell: Tell) -> int:
    """Show the demo until the end is asked for. 0, or 1 where it did not come up or did not stop well."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = Server(asyncio.get_running_loop())
    wanted = int(os.environ.get("DEMO_PORT") or PORT)
    try:
        page = listen(wanted, server.respond)
    except OSError as error:
        tell(f"There is no port for the page: {error}. Name another one: make demo DEMO_PORT=9000")
        return 1
    if wanted and page.port != wanted:
        tell(f"Port {wanted} is taken; the page is on {page.port}.")
    server.origin = f"http://{HOST}:{page.port}"
    front = Front(server.origin)
    outside = listen(0, front.respond)
    show = Show(place, front, f"http://{HOST}:{outside.port}")
    try:
        return await _shown(show, server, ended, tell)
    finally:
        await show.end()
        show.visitors.close()
        outside.end()
        page.end()


async def _shown(show: Show, server: Server, ended: asyncio.Event, tell: Tell) -> int:
    tell(f"Starting, for this machine alone ({HOST}):")
    hurrying = asyncio.create_task(_hurry(show, ended, tell))
    try:
        await show.begin(tell)
    except (NotHealthy, SandboxFailed, TimeoutError) as error:
        if not ended.is_set():
            await show.end()
            tell(f"It did not come up: {error or 'the shop does not answer'}")
            return 1
    finally:
        hurrying.cancel()
    if not ended.is_set():
        server.show = show
        tell(_told(show, server.origin))
        _open_browser(server.origin)
        await ended.wait()
        tell("\nStopping…")
    code = await show.end()
    tell(f"Stopped; the launcher's exit code is {code}.")
    return 0 if code == 0 else 1


async def _hurry(show: Show, ended: asyncio.Event, tell: Tell) -> None:
    """Say at once that the end was heard, where it is asked for while everything starts."""
    await ended.wait()
    tell("\nStopping, as soon as what is starting can be stopped…")
    show.hurry()


def _told(show: Show, origin: str) -> str:
    running = show.running
    unchecked = "" if show.is_paypal_checked else f"\n{UNCHECKED}\n"
    return f"""
  the page  {origin}        two telephones; nobody but this machine can open it
{unchecked}
  console   {show.console}
            the operator's, in any browser: once, within ten minutes; /console on their telephone gives another
  health    {running.base_url}/health
  status    .venv/bin/supervisorctl status            (also: restart peaje:daemon)
  logs      DB_PATH={shown(running.data)} .venv/bin/python manage.py logs -f
  database  {shown(running.data)}/peaje.db
  sandbox   {running.sandbox.scenario["control_url"]}/stats    (tests/sandbox/README.md has the rest)

Ctrl-C stops it all."""


def _open_browser(address: str) -> None:
    """Open the page where there is a screen; a browser in the terminal would hide what stands there."""
    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(address)


def shown(path: Path) -> str:
    """A path as one would type it from the project's directory."""
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else str(path)
