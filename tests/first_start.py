"""An installation on an empty volume: the launcher and all that it starts, and somebody in front of its pages."""

import contextlib
import itertools
import json
import os
import re
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests import preloaded
from tests.operator_browser import Form, Operator
from tests.paypal_shop import PAGE_S, free_port, until
from tests.sandbox_process import REPOSITORY, Sandbox
from web.setup.guard import COOKIE

SETTINGS = (
    *("TELEGRAM_BOT_TOKEN", "TELEGRAM_API_ID", "TELEGRAM_API_HASH", "TELEGRAM_SESSION_STRING", "ADMIN_IDS"),
    *("PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "PAYPAL_MODE"),
)
"""What set-up asks for: the environment of an empty volume has none of them."""
NOBODY = Sandbox(None, Path("/nowhere"), {}, {})
"""In place of a Telegram, where nobody speaks to one."""
START_S = 120.0
PIECE = 100_000
_FORM = re.compile(r"<form.*?</form>", re.DOTALL)
_SAID = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
_NUMBERS = itertools.cycle(range(2, 255))


@dataclass
class Installation:
    """A launcher with its volume."""

    home: Path
    environ: dict[str, str]
    port: int
    alone: bool = True
    """Whether its launcher is an ordinary process, as an operator's is."""
    process: preloaded.Process | None = None
    started: list[preloaded.Process] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where its web program answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def volume(self) -> Path:
        """Its ``DB_PATH``."""
        return self.home / "data"

    def start(self, **more: str) -> "Installation":
        """Start the launcher."""
        environ = self.environ | more
        with (self.home / "console").open("ab") as console:
            self.process = preloaded.launch(cwd=self.home, env=environ, console=console, alone=self.alone)
        self.started.append(self.process)
        return self

    def until(self, status: str) -> dict[str, Any]:
        """Wait until ``/health`` has this status, and return what it says."""

        def look() -> dict[str, Any] | None:
            with contextlib.suppress(requests.RequestException):
                said: dict[str, Any] = requests.get(f"{self.url}/health", timeout=5).json()
                if said["status"] == status:
                    return said
            return None

        found: dict[str, Any] = until(look, f"{status}\n{self.console()[-3000:]}", START_S, PAGE_S)
        return found

    def address(self) -> str:
        """The path of the newest one-time address that the console shows."""
        shown: list[str] = until(lambda: re.findall(r"(/setup/[\w-]{20,})", self.console()), "an address", START_S)
        return shown[-1]

    def console(self) -> str:
        """Everything that it has written."""
        return (self.home / "console").read_text()

    def kill(self, module: str) -> None:
        """SIGKILL what runs as ``python -m MODULE``, with what it has forked."""
        for pid in self.pids(module):
            os.kill(pid, signal.SIGKILL)

    def pids(self, module: str) -> list[int]:
        """The processes of this installation that run as ``python -m MODULE``."""
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words, where = (directory / "cmdline").read_bytes().split(b"\0"), (directory / "cwd").readlink()
                if module.encode() in words and (where == self.home or where.is_relative_to(self.volume)):
                    found.append(int(directory.name))
        return found

    def command(self, *words: str) -> str:
        """What one of the operator's commands prints."""
        return preloaded.outcome("manage", *words, cwd=self.home, env=self.environ)[1]

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=40)


@contextlib.contextmanager
def installation(sandbox: Sandbox, home: Path, *, alone: bool = True, **settings: str) -> Iterator[Installation]:
    """An installation beside a local Telegram, whose volume is empty. At the end it is stopped."""
    port = free_port()
    outside = {name: value for name, value in sandbox.env.items() if name not in SETTINGS}
    own = {"DB_PATH": str(home / "data"), "PORT": str(port), "WEB_ADDRESS": "127.0.0.1", "PEAJE_RUN": str(home / "run")}
    built = Installation(home, {**_machine(), **outside, **own, "PYTHONPATH": str(REPOSITORY), **settings}, port, alone)
    try:
        yield built
    finally:
        for process in built.started:
            process.terminate()
        for process in built.started:
            process.wait(timeout=40)


def _machine() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONDONTWRITEBYTECODE") if name in os.environ}


@dataclass
class Founder(Operator):
    """A browser in front of set-up, on the machine itself; each is counted for itself."""

    address: str = field(default_factory=lambda: f"127.0.0.{next(_NUMBERS)}")

    def begin(self, path: str) -> str:
        """Press the button at the one-time address; the page that follows."""
        return self.follow(self.post(path)).text

    def fill(self, page: str, status: int = 303, **fields: str) -> str:
        """Send the form of a page that has these fields; the page that follows, or that refuses."""
        return self._sent(_form(page, fields), status, fields)

    def press(self, page: str, name: str, value: str | None = None) -> str:
        """Press the button of the form that says *name*; with another *value*, the one beside it."""
        return self._sent(_form(page, (name,)), 303, {} if value is None else {name: value})

    def upload(self, file: Path) -> None:
        """Send a file in pieces, as the page's script does."""
        data = file.read_bytes()
        for at in range(0, len(data), PIECE):
            headers = {**self._headers({}), "X-Form-Token": self.form_token}
            address = self.at(f"/setup/backup/piece?at={at}")
            answer = requests.post(address, data[at : at + PIECE], headers=headers, timeout=20)
            assert answer.json() == {"at": min(at + PIECE, len(data))}, answer.text

    def at_last(self, path: str, part: str) -> str:
        """The page that a path leads to, once it holds this; empty until then, also while nobody answers."""
        with contextlib.suppress(requests.RequestException):
            page = self.follow(self.get(path)).text
            return page if part in page else ""
        return ""

    def _sent(self, form: Form, status: int, fields: dict[str, str]) -> str:
        answer = self.post(form.action or self.here, form.values | fields)
        assert answer.status_code == status, (form, answer.status_code, answer.text)
        return self.follow(answer).text

    def _keep(self, answer: requests.Response) -> requests.Response:
        if found := re.search(rf"{COOKIE}=([^;]+)", answer.headers.get("Set-Cookie", "")):
            self.cookies[COOKIE] = found[1]
        self.here = re.sub(r"^https?://[^/]+", "", answer.url)
        return super()._keep(answer)


def _form(page: str, fields: Iterable[str]) -> Form:
    """The first form of a page with all these fields, and what it says by itself."""
    found = next((form for form in _FORM.findall(page) if all(f'name="{each}"' in form for each in fields)), None)
    assert found is not None, (list(fields), page)
    action = re.search(r' action="([^"]*)"', found)
    return Form(action[1] if action else "", dict(_SAID.findall(found)))


def secrets_in(places: list[Path], secrets: list[str]) -> list[str]:
    """Which of these secrets stand in one of these files, or in a folder of them, and where."""
    files = [file for place in places for file in (place.rglob("*") if place.is_dir() else (place,)) if file.is_file()]
    return [f"{file}: {secret[:4]}…" for file in files for secret in secrets if secret.encode() in file.read_bytes()]


def log_lines(file: Path) -> list[dict[str, Any]]:
    """The lines of a log."""
    return [json.loads(line) for line in file.read_text().splitlines()]
