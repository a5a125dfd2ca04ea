"""A language more is a line in the table and a catalogue: nothing else in the code has to know of it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from babel.messages import pofile
from babel.messages.catalog import Catalog

from config import texts
from tests import machine, sandbox_process
from tests.daemon_process import Daemon, chat, labels
from tests.paypal_shop import REPOSITORY, Buyer, PayPalShop
from tests.sandbox.paypal import start as start_paypal
from tests.town import Town

ITALIAN = '        Language("it", "it-IT", "Italiano"),\n'
MARK = "¤"
"""Begins every text of the temporary catalogue."""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """The programs' code with one language more."""
    place = tmp_path / "code"
    shutil.copytree(REPOSITORY / "config", place / "config", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("models", "daemon", "web"):
        (place / name).symlink_to(REPOSITORY / name)
    table = place / "config" / "texts.py"
    table.write_text(re.sub(r"( +Language\(.*\n)(?! +Language)", rf"\1{ITALIAN}", table.read_text(), count=1))
    file = place / "config" / "locales" / "it" / "LC_MESSAGES" / "peaje.po"
    file.parent.mkdir(parents=True)
    with file.open("wb") as written:
        pofile.write_po(written, catalogue())
    return place


def catalogue() -> Catalog:
    """Every text of the code, marked instead of translated."""
    made = Catalog(locale="it")
    for message in texts.extract():
        if message.id:
            forms = (message.id,) if isinstance(message.id, str) else message.id
            marked = tuple(MARK + form for form in forms)
            made.add(message.id, marked[0] if isinstance(message.id, str) else marked)
    return made


@pytest.fixture
def town(code: Path, migrated: Path, tmp_path: Path) -> Iterator[Town]:
    """Daemon and web program of that code, with a Telegram and a PayPal of their own."""
    machine.need_npm_packages()
    shutil.copy(migrated, tmp_path / "peaje.db")
    paypal = start_paypal(tmp_path / "paypal")
    sandbox = sandbox_process.start(tmp_path / "sandbox", "--telegram-only")
    shop = PayPalShop(paypal, tmp_path, dict(sandbox.env), code)
    daemon = Daemon(sandbox, tmp_path, {}, code)
    try:
        shop.start_web()
        daemon.settings = shop.settings(1)
        daemon.start()
        yield Town(sandbox, shop, daemon)
        assert daemon.stop() == 0
        shop.stop()
    finally:
        paypal.stop()
        sandbox.stop()


async def test_another_language_reaches_chat_page_and_paypal(town: Town) -> None:
    async with chat(town.sandbox, "it-it") as customer:
        hello = await customer.ask("/start")
        choice = await customer.ask("/language")
        plans = await customer.ask("/premium")
        (link, *_) = [it.url for row in plans.reply_markup.inline_keyboard for it in row if "/pay/" in (it.url or "")]
    buyer = Buyer(town.shop, customer.id, link)
    page = buyer.page()
    paypals = requests.get(buyer.click().headers["Location"], timeout=20)

    assert hello.text.startswith(f"{MARK}Hello")
    assert {"English", "Español", "Português", "✓ Italiano"} <= set(labels(choice))
    assert plans.text.startswith(MARK)
    assert '<html lang="it">' in page.text
    assert f"{MARK}Pay with PayPal" in page.text
    assert '<html lang="it-IT">' in paypals.text
