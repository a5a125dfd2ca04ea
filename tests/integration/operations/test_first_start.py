"""The first start, from an empty volume to a delivery, through the pages and the bot."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.daemon_process import Chat, chat
from tests.first_start import Founder, Installation, installation, secrets_in
from tests.operator_browser import said
from tests.paypal_shop import PAGE_S, until
from tests.sandbox_process import Sandbox

CODE = "a-code-of-twenty-characters-1"


@pytest.fixture
def empty(request: pytest.FixtureRequest, free_sandbox: Sandbox, tmp_path: Path) -> Iterator[Installation]:
    """An empty volume, and a code that opens set-up; started the ordinary way where there is time for that."""
    alone = request.node.get_closest_marker("acceptance") is not None
    with installation(free_sandbox, tmp_path, alone=alone, SETUP_CODE=CODE) as built:
        yield built


async def test_an_empty_volume_becomes_a_shop(free_sandbox: Sandbox, empty: Installation) -> None:
    env = free_sandbox.env
    empty.start().until("setup")
    founder = Founder(empty.url)

    async with chat(free_sandbox, admin=True) as admin:
        typed = await bring_up(free_sandbox, founder, admin)
        await asyncio.to_thread(empty.until, "ok")
        await admin.say(admin.link("photo1"))
        page = seen(founder, "/setup/done", "delivered")
    assert admin.link("photo1") in said(page, "delivered")
    secrets = [env["TELEGRAM_API_HASH"], env["TELEGRAM_BOT_TOKEN"], env["TELEGRAM_SESSION_STRING"], *typed]
    rows = [empty.volume / "peaje.db", empty.volume / "peaje.db-wal"]
    assert not secrets_in([empty.volume / "logs", empty.home / "console", *rows], secrets)
    assert requests.get(f"{empty.url}/setup/{CODE}", timeout=10).status_code == 410


@pytest.mark.acceptance
@pytest.mark.timeout(400)
async def test_another_code_opens_the_shop_that_is_there(free_sandbox: Sandbox, empty: Installation) -> None:
    empty.start().until("setup")
    async with chat(free_sandbox, admin=True) as admin:
        await bring_up(free_sandbox, Founder(empty.url), admin)
    empty.until("ok")
    kept = (empty.volume / "settings.env").read_text()
    empty.stop()

    empty.start(SETUP_CODE=f"{CODE}-2").until("setup")
    founder = Founder(empty.url)
    page = founder.begin(f"/setup/{CODE}-2")
    assert "There is a shop here" in page
    page = founder.press(page, "what")
    assert "Everything is there" in page
    founder.press(page, "open")
    empty.until("ok")
    assert (empty.volume / "settings.env").read_text() == kept
    empty.stop()

    empty.start(SETUP_CODE=f"{CODE}-2").until("ok")
    assert empty.stop() == 0
    packed = Path(empty.command("backup").splitlines()[0])
    empty.volume.rename(empty.home / "lost")

    empty.start().until("setup")
    founder = Founder(empty.url)
    page = founder.press(founder.begin(f"/setup/{CODE}"), "what", value="backup")
    founder.upload(empty.home / "lost" / packed.relative_to(empty.volume))
    founder.fill(founder.page("/setup/backup"), passphrase="")
    page = until(lambda: founder.at_last("/setup/", "api_id"), "what the backup does not hold", 40, PAGE_S)
    assert "Step 2 of" in page
    async with chat(free_sandbox, admin=True) as admin:
        await bring_up(free_sandbox, founder, admin, page)
        await asyncio.to_thread(empty.until, "ok")
        await admin.say(admin.link("photo1"))
        seen(founder, "/setup/done", "delivered")


@pytest.mark.acceptance
async def test_what_is_set_outside_needs_no_step(free_sandbox: Sandbox, empty: Installation) -> None:
    names = ("TELEGRAM_BOT_TOKEN", "TELEGRAM_API_ID", "TELEGRAM_API_HASH", "TELEGRAM_SESSION_STRING")
    given = {name: free_sandbox.env[name] for name in names}
    empty.start(**given).until("setup")
    founder = Founder(empty.url)
    founder.fill(founder.press(founder.begin(f"/setup/{CODE}"), "what"), language="en")

    async with chat(free_sandbox, admin=True) as admin:
        page = seen(founder, "/setup/step/admin", 'id="link"')
        await admin.say("/start gift-of-a-customer")
        link = re.search(r't.me/(\w+)\?start=([\w-]+)"', page)
        assert link and link[1] == admin.bot
        assert "Good." in ((await admin.ask(f"/start {link[2]}")).text or ""), "the first was left unanswered"
    empty.stop()

    empty.start(**given, SETUP_CODE="").until("ok")
    empty.stop()
    process = empty.start(SETUP_CODE="").process
    assert process is not None and process.wait(timeout=40) == 78, "it goes on nowhere once the shop has run"


async def bring_up(sandbox: Sandbox, founder: Founder, admin: Chat, page: str = "") -> list[str]:
    """Go through all steps, or those from *page* on; return what was typed that nobody may see."""
    bot, token, code = await asyncio.to_thread(until_the_link, sandbox, founder, page)
    assert bot == admin.bot
    await admin.ask(f"/start {token}")
    await asyncio.to_thread(from_the_link_on, founder, admin.id)
    return [token, code]


def until_the_link(sandbox: Sandbox, founder: Founder, page: str) -> tuple[str, str, str]:
    """The steps up to the link into the bot: the bot, what the link brings, and the account's code."""
    env, account = sandbox.env, sandbox.scenario["operator"]
    if not page:
        page = founder.press(founder.begin(f"/setup/{CODE}"), "what")
        page = founder.fill(page, language="en")
    page = founder.fill(page, api_id=env["TELEGRAM_API_ID"], api_hash=env["TELEGRAM_API_HASH"])
    founder.fill(page, bot_token=f"Done! Use this token:\n{env['TELEGRAM_BOT_TOKEN']}\nKeep it")
    page = founder.page("/setup/account")
    founder.fill(page, answer=account["phone"])
    seen(founder, "/setup/account", 'value="code"')
    code = sandbox.control("GET", f"/login-code?phone={account['phone']}")["code"]
    founder.fill(founder.page("/setup/account"), answer=f"{code[:2]}-{code[2:]}")
    page = founder.press(seen(founder, "/setup/account", 'id="account"'), "keep")
    link = re.search(r'id="link" href="https://t.me/(\w+)\?start=([\w-]+)"', page)
    assert link
    return link[1], link[2], code


def from_the_link_on(founder: Founder, admin_id: int) -> None:
    """The steps after it was pressed."""
    page = seen(founder, "/setup/step/admin", 'id="candidate"')
    assert str(admin_id) in said(page, "candidate")
    page = founder.press(page, "id")
    while 'id="open"' not in page:
        page = founder.press(page, "skip" if 'id="f-mode"' in page else "take")
    founder.press(page, "open")


def seen(founder: Founder, path: str, part: str) -> str:
    """The page once it holds this."""
    return until(lambda: page if part in (page := founder.page(path)) else "", f"{part} on {path}", 60, PAGE_S)
