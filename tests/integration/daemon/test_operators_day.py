"""An operator's first day: what Telegram shows of the bot, what is missing before selling, what went wrong before."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pyrogram import raw

from config.texts import LANGUAGES, translator
from daemon.telegram import profile
from models.event_kinds import AlertReason, IncidentKey
from models.maintenance import health
from models.outbox import alert
from tests import daemon_process, sandbox_process
from tests.daemon_process import Chat, Daemon, chat, labels
from tests.paypal_shop import until
from tests.sandbox_process import Sandbox


@pytest.fixture
def new_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A Telegram where nobody has written to the bot."""
    running = sandbox_process.start(tmp_path_factory.mktemp("new_sandbox"), "--telegram-only")
    yield running
    running.stop()


@pytest.fixture
def new_daemon(new_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that has just been set up."""
    with daemon_process.daemon(new_sandbox, tmp_path_factory.mktemp("new"), SUPPORT_CONTACT="") as running:
        with running.opened():
            yield running


async def shown(customer: Chat, description: str) -> Any:
    """What a customer's application shows of the bot, once this description is among it, and the button, set last."""
    peer = await customer.client.resolve_peer(customer.bot)
    async with asyncio.timeout(10):
        while True:
            found = await customer.client.invoke(raw.functions.users.GetFullUser(id=peer))
            told = found.full_user.bot_info
            if told.description == description and isinstance(told.menu_button, raw.types.BotMenuButtonCommands):
                return found.full_user
            await asyncio.sleep(0.1)


async def test_telegram_shows_what_the_bot_can_do(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    for language in LANGUAGES:
        async with chat(daemon_sandbox, language) as customer:
            await customer.ask("/start")
            said = profile.info(translator(language))
            full = await shown(customer, said.description)
            assert full.about == said.about


def test_it_is_short_enough_for_telegram_in_each_language() -> None:
    for language in LANGUAGES:
        said = profile.info(translator(language))
        assert 0 < len(said.about) <= 120 and 0 < len(said.description) <= 512


async def test_what_the_operator_wrote_at_botfather_stays(new_sandbox: Sandbox, new_daemon: Daemon) -> None:
    async with chat(new_sandbox, "es") as customer:
        await customer.ask("/start")
        assert new_daemon.stop() == 0
        own = {"bot": customer.bot, "language": "es", "about": "El mío", "description": ""}
        new_sandbox.control("POST", "/bot-info", own)
        new_daemon.start()
        await customer.ask("/start")
        full = await shown(customer, profile.info(translator("es")).description)
        assert full.about == "El mío"


async def test_what_happened_before_the_first_start_is_told(new_sandbox: Sandbox, new_daemon: Daemon) -> None:
    now = int(time.time())
    health.open_incident(IncidentKey.CRASH_LOOP, "web has crashed", now)
    health.open_incident(IncidentKey.BACKUP_FAILED, "no room", now)
    health.close_incident(IncidentKey.BACKUP_FAILED, now)
    alert(AlertReason.DATABASE_RESTORED, {"backup": "peaje.db.gz"}, now, key="restored")
    until(lambda: [line["message"] for line in new_daemon.log()].count("event.unreachable") == 4, "four alarms", 10)
    async with chat(new_sandbox, admin=True) as admin:
        assert "Antes de vender" in (await admin.ask("/start")).text
        assert "Antes no podía escribirte, y te he guardado 2 mensajes" in (await admin.next()).text
        assert "web has crashed" in (await admin.next()).text
        assert "La base de datos se ha recuperado" in (await admin.next()).text
        await admin.ask("/start")
        await admin.silence(0.5)


@pytest.mark.parametrize(
    ("language", "title", "untested", "tested"),
    [
        ("en", "Before you sell", "⬜ /testpay tries", "✅ a test payment has worked"),
        ("es", "Antes de vender", "⬜ /testpay prueba", "✅ un pago de prueba ha funcionado"),
    ],
)
async def test_an_admin_reads_what_is_missing_until_they_sell(
    new_sandbox: Sandbox, new_daemon: Daemon, language: str, title: str, untested: str, tested: str
) -> None:
    async with chat(new_sandbox, admin=True) as admin, chat(new_sandbox) as customer:
        await admin.ask(f"/language {language}")
        steps = (await admin.ask("/start")).text
        assert title in steps and untested in steps
        assert "⬜ SUPPORT_CONTACT" in steps and "▫️ PayPal" in steps and "▫️ TERMS_URL" in steps
        await admin.pay(await admin.ask("/testpay"))
        await admin.until_text("1 ⭐")
        assert tested in await home(admin)
        assert title not in (await customer.ask("/start")).text
        await customer.pay(await customer.press(await customer.ask("/premium"), "Premium"))
        await customer.until_text("payment number")
        assert title not in await home(admin)


async def home(admin: Chat) -> str:
    """The first screen, past what else arrives meanwhile."""
    await admin.say("/start")
    screen = await admin.until(lambda message: bool(message.reply_markup) and labels(message)[0].startswith("⭐"))
    return str(screen.text)
