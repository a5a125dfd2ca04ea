"""The first start, from an empty volume to a delivery, through the pages and the bot."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.daemon_process import chat
from tests.first_start import Founder, Installation, installation, secrets_in
from tests.operator_browser import said
from tests.paypal_shop import until
from tests.sandbox_process import Sandbox

CODE = "a-code-of-twenty-characters-1"


@pytest.fixture
def empty(daemon_sandbox: Sandbox, tmp_path: Path) -> Iterator[Installation]:
    """An empty volume, and a code that opens set-up."""
    with installation(daemon_sandbox, tmp_path, SETUP_CODE=CODE) as built:
        yield built


async def test_an_empty_volume_becomes_a_shop(daemon_sandbox: Sandbox, empty: Installation) -> None:
    env, account = daemon_sandbox.env, daemon_sandbox.scenario["operator"]
    empty.start().until("setup")
    founder = Founder(empty.url)

    page = founder.press(founder.begin(f"/setup/{CODE}"), "what")
    page = founder.fill(page, language="en")
    page = founder.fill(page, api_id=env["TELEGRAM_API_ID"], api_hash=env["TELEGRAM_API_HASH"])
    page = founder.fill(page, bot_token=f"Done! Use this token:\n{env['TELEGRAM_BOT_TOKEN']}\nKeep it")
    founder.fill(page, answer=account["phone"])
    page = seen(founder, "/setup/account", 'value="code"')
    code = daemon_sandbox.control("GET", f"/login-code?phone={account['phone']}")["code"]
    founder.fill(page, answer=f"{code[:2]}-{code[2:]}")
    page = founder.press(seen(founder, "/setup/account", 'id="account"'), "keep")
    async with chat(daemon_sandbox, admin=True) as admin:
        link = re.search(r'id="link" href="https://t.me/(\w+)\?start=([\w-]+)"', page)
        assert link and link[1] == admin.bot
        await admin.ask(f"/start {link[2]}")
        page = seen(founder, "/setup/step/admin", 'id="candidate"')
        assert str(admin.id) in said(page, "candidate")
        page = founder.press(page, "id")
        page = founder.press(page, "take")
        page = founder.press(page, "skip")
        page = founder.press(page, "take")
        founder.press(page, "open")
        empty.until("ok")
        await admin.say(admin.link("photo1"))
        page = seen(founder, "/setup/done", "delivered")
    assert admin.link("photo1") in said(page, "delivered")
    typed = [env["TELEGRAM_API_HASH"], env["TELEGRAM_BOT_TOKEN"], env["TELEGRAM_SESSION_STRING"], link[2], code]
    rows = [empty.volume / "peaje.db", empty.volume / "peaje.db-wal"]
    assert not secrets_in([empty.volume / "logs", empty.home / "console", *rows], typed)
    assert requests.get(f"{empty.url}/setup/{CODE}", timeout=10).status_code == 410


def seen(founder: Founder, path: str, part: str) -> str:
    """The page once it holds this."""
    return until(lambda: page if part in (page := founder.page(path)) else "", f"{part} on {path}", 30)
