"""A customer sees his data and has it deleted; the admin gets a backup. All in chat, with the real daemon."""

import io
import json
import os
import re
import sqlite3
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyrogram.types import Message

from config.units import KIB, MIB
from models.maintenance import privacy
from tests import preloaded
from tests.daemon_process import Chat, Daemon, chat
from tests.sandbox_process import Sandbox
from tests.store import many_links


async def file_of(customer: Chat, message: Message) -> bytes:
    content: Any = await customer.client.download_media(message, in_memory=True)
    return bytes(content.getbuffer())


def stored(daemon: Daemon, question: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(daemon.db_path / "peaje.db")) as connection:
        return connection.execute(question).fetchall()


async def test_a_customer_exports_and_deletes_their_data(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.say(customer.link("photo2"))
        await customer.until(lambda message: message.media is not None)
        await customer.until_text("Delivered: 1 photo")
        await customer.say("/mydata")
        sent = await customer.until(lambda message: message.document is not None)
        assert sent.document.file_name == f"mydata-{customer.id}.json"
        assert sent.document.mime_type == "application/json"
        assert "Everything that I store about you" in sent.caption
        data = json.loads(await file_of(customer, sent))
        assert data["person"][0]["first_name"] == customer.client.me.first_name
        assert data["links"][0]["state"] == "done"
        assert data["use"] == [{"kind": "photo", "period": data["use"][0]["period"], "count": 1}]

        await customer.say("/deletemydata")
        question = await customer.until_text("Delete your data?")
        done = await customer.press(question, "Yes, delete it")
        assert "no longer know who you are" in done.text
        mine = f"WHERE id = {customer.id}"
        assert stored(shared_daemon, f"SELECT first_name, username, erased_at > 0 FROM user {mine}") == [("", None, 1)]
        assert stored(shared_daemon, f"SELECT 1 FROM job WHERE user_id = {customer.id}") == []

        start = await customer.ask("/start")
        assert "9 of 10 left today" in start.text, "what was used of a limit stays used"
        assert stored(shared_daemon, f"SELECT erased_at FROM user {mine}") == [(None,)]


@pytest.fixture
def opened(shared_daemon: Daemon) -> Iterator[None]:
    """The daemon's database, open in this thread."""
    with shared_daemon.opened():
        yield


ROWS = 30_000


@pytest.mark.usefixtures("opened")
async def test_a_long_past_comes_as_an_archive_in_little_memory(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer, chat(daemon_sandbox) as other:
        await customer.ask("/start")
        await other.ask("/mydata")
        many_links(customer.id, ROWS, now=int(time.time()))
        before = peak(shared_daemon)
        # When it is asked for twice, and somebody else asks for theirs and for the first screen
        await customer.say("/mydata")
        await customer.until_text("I am collecting")
        await customer.say("/mydata")
        await other.say("/start")
        await other.until_text("Your plan")
        # Then all of it comes, once
        sent = await customer.until(lambda message: message.document is not None, timeout=120)
        assert peak(shared_daemon) - before < 16 * MIB
        assert (sent.document.file_name, sent.document.mime_type) == (f"mydata-{customer.id}.zip", "application/zip")
        with zipfile.ZipFile(io.BytesIO(await file_of(customer, sent))) as archive:
            data = json.loads(archive.read(f"mydata-{customer.id}.json"))
        assert len({link["link"] for link in data["links"]}) == len(data["use"]) == len(data["news"]) == ROWS
        assert stored(shared_daemon, f"SELECT 1 FROM export WHERE user_id = {customer.id}") == []


async def test_who_asks_for_their_data_again_and_again_waits(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, "es") as customer:
        for _ in range(6):
            await customer.say("/mydata")
            await customer.until(lambda message: message.document is not None)
        assert "varias veces" in (await customer.ask("/mydata")).text


@pytest.mark.usefixtures("opened")
async def test_a_long_past_is_deleted_and_told_of_later(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, "es") as customer:
        await customer.ask("/start")
        many_links(customer.id, 3_000, now=int(time.time()))
        done = await customer.press(await customer.ask("/deletemydata"), "Sí")
        assert "te aviso cuando esté hecho" in done.text
        assert stored(shared_daemon, f"SELECT first_name FROM user WHERE id = {customer.id}") == [("",)]
        # When upkeep has done its part
        assert privacy.finish(ZoneInfo("UTC"), int(time.time())) == 1
        # Then they hear of it in the language that they had
        await customer.until_text("Ya no sé quién eres")
        assert stored(shared_daemon, f"SELECT 1 FROM job WHERE user_id = {customer.id}") == []


def peak(daemon: Daemon) -> int:
    """The most memory that the daemon has had, in bytes."""
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * KIB


async def test_a_second_thought_leaves_everything(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        home = await customer.press(await customer.ask("/deletemydata"), "🏠 Home")
        assert "Your plan" in home.text
        assert stored(shared_daemon, f"SELECT erased_at FROM user WHERE id = {customer.id}") == [(None,)]


async def test_the_admin_gets_the_newest_backup(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        assert "no backup yet" in (await admin.ask("/backup")).text
        plain = _make(daemon_sandbox, shared_daemon)
        assert "Only encrypted backups can be downloaded" in (await admin.ask("/backup")).text
        plain.unlink()
        made = _make(daemon_sandbox, shared_daemon, BACKUP_PASSPHRASE="open sesame")

        sent = await admin.ask("/backup")

        assert sent.document.file_name == made.name
        assert "It opens only with your BACKUP_PASSPHRASE" in sent.caption
        assert await file_of(admin, sent) == made.read_bytes()
        kept = stored(shared_daemon, "SELECT detail, refused FROM audit WHERE act = 'fetch_backup' ORDER BY id")
        assert [refused for _, refused in kept] == ["unsealed", None] and made.name in kept[1][0]
        assert "I do not know that command" in (await customer.ask("/backup")).text


def _make(sandbox: Sandbox, daemon: Daemon, **more: str) -> Path:
    environ = {**os.environ, **sandbox.env, "DB_PATH": str(daemon.db_path), **more}
    code, said = preloaded.outcome("manage", "backup", cwd=daemon.db_path, env=environ)
    assert code == 0, said
    return Path(said.splitlines()[0])
