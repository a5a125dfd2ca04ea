"""``docs/SERVER_GUIDE.md``, followed: the lines that are pasted, Caddy before the programs, the pages of the set-up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from tests import caddy
from tests.caddy import Caddy
from tests.daemon_process import chat
from tests.first_start import Founder, Installation, installation
from tests.integration.operations.test_first_start import seen
from tests.integration.operations.test_server_scripts import Server
from tests.sandbox_process import Sandbox
from tests.source_text import REPOSITORY

CODE = "five-words-that-nobody-guesses"
OF_THE_CONTAINER = ("DB_PATH", "PORT", "WEB_ADDRESS")
"""What is another one for each installation of a test."""


def settings(server: Server) -> dict[str, str]:
    """What compose gives the container: the file ``.env``, and over it what ``compose.yaml`` says."""
    given = {name: value.strip("'") for name, _, value in (line.partition("=") for line in server.env().splitlines())}
    said = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]["peaje"]["environment"]
    over = {name: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: given[found[1]], value) for name, value in said.items()}
    return {name: value for name, value in {**given, **over}.items() if name not in OF_THE_CONTAINER}


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A new server on which cloud-init has done its work, with the domain ``localhost``."""
    place = tmp_path / "server"
    place.mkdir()
    built = Server(place)
    assert built.install(CODE, "localhost") == 0
    return built


@pytest.fixture
def peaje(free_sandbox: Sandbox, server: Server, tmp_path: Path) -> Iterator[Installation]:
    """The container's programs, with an empty volume."""
    with installation(free_sandbox, tmp_path, **settings(server)) as built:
        built.start().until("setup")
        yield built


@pytest.fixture
def front(peaje: Installation, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caddy]:
    """The same server's Caddy."""
    place = tmp_path / "caddy"
    place.mkdir()
    with caddy.in_front_of(peaje.url, place, settings(server)["BACKEND_URL"]) as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.root))
        yield running


async def test_the_guide_leads_to_a_delivery(free_sandbox: Sandbox, peaje: Installation, front: Caddy) -> None:
    env, account = free_sandbox.env, free_sandbox.scenario["operator"]
    founder = Founder(front.url)

    # Given the address of the guide: the server's own, and the code
    page = founder.press(founder.begin(f"/setup/{CODE}"), "what")
    # When its pages are gone through, in the guide's order
    page = founder.fill(page, language="es")
    page = founder.fill(page, api_id=env["TELEGRAM_API_ID"], api_hash=env["TELEGRAM_API_HASH"])
    page = founder.fill(page, bot_token=env["TELEGRAM_BOT_TOKEN"])
    founder.fill(page, answer=account["phone"])
    page = seen(founder, "/setup/account", 'value="code"')
    code = free_sandbox.control("GET", f"/login-code?phone={account['phone']}")["code"]
    founder.fill(page, answer=code)
    page = founder.press(seen(founder, "/setup/account", 'id="account"'), "keep")
    async with chat(free_sandbox, admin=True) as admin:
        link = re.search(r'id="link" href="https://t.me/\w+\?start=([\w-]+)"', page)
        assert link
        await admin.ask(f"/start {link[1]}")
        page = founder.press(seen(founder, "/setup/step/admin", 'id="candidate"'), "id")
        page = founder.press(founder.press(page, "skip"), "take")
        founder.press(page, "open")
        # Then the shop opens, and delivers
        peaje.until("ok")
        await admin.say(admin.link("photo1"))
        assert admin.link("photo1") in seen(founder, "/setup/done", "delivered")

        # And nothing is wrong for the operator's commands, in the language that was chosen
        assert {line.split()[0] for line in peaje.command("doctor").split("\n") if line} == {"bien"}

    # And the code opens nothing any more, also after another start
    assert peaje.stop() == 0
    peaje.start().until("ok")
    assert requests.get(f"{front.url}/setup/{CODE}", timeout=10).status_code == 410


def test_nothing_is_taken_without_https(peaje: Installation, front: Caddy) -> None:
    plain = f"http://localhost:{front.plain_port}/setup/{CODE}"
    straight = {"Host": "localhost", "X-Real-IP": "203.0.113.9"}

    assert requests.post(plain, timeout=10, allow_redirects=False).status_code == 308
    assert requests.post(f"{peaje.url}/setup/{CODE}", headers=straight, timeout=10).status_code == 403
    assert requests.get(f"{front.url}/setup/{CODE}", timeout=10).status_code == 200
