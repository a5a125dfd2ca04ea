"""The real daemon as a process of its own, and the customers who talk to it with a foreign client."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyrogram import Client, raw
from pyrogram.enums import ParseMode
from pyrogram.handlers import DeletedMessagesHandler, EditedMessageHandler, MessageHandler
from pyrogram.types import Message

from daemon.limiter import BURST, Limiter
from models import database
from tests import preloaded
from tests.clients import client
from tests.paypal_shop import until
from tests.sandbox_process import REPOSITORY, Sandbox

START_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 10.0
AT_ONCE = BURST - 40
"""What one person writes through :class:`Chat` without a pause, of what the bot reads."""
_paces: defaultdict[Path, Limiter] = defaultdict(lambda: Limiter(AT_ONCE))
"""By Telegram: an admin is the same person in all of its tests, and a bot does not read who writes too fast."""


@dataclass
class Daemon:
    """A daemon with its state directory. It can be started again on the same state."""

    sandbox: Sandbox
    db_path: Path
    settings: dict[str, str] = field(default_factory=dict)
    code: Path = REPOSITORY
    process: preloaded.Running | None = None

    @property
    def is_alive(self) -> bool:
        """Is the process running?"""
        return self.process is not None and self.process.poll() is None

    def start(self, wait_for: str = "bot.connected") -> "Daemon":
        """Run it until its log says *wait_for*."""
        self.db_path.mkdir(parents=True, exist_ok=True)
        seen = len(self.log())
        own = {"NOTICES": "off", "BROADCASTS_PER_WEEK": "0", "DB_PATH": str(self.db_path), **self.settings}
        environment = {**os.environ, **self.sandbox.env, **own}
        with (self.db_path / "stderr").open("ab") as stderr:
            self.process = preloaded.run("daemon", cwd=self.code, env=environment, output=None, errors=stderr)
        self.until_logged(wait_for, seen)
        return self

    def until_logged(self, message: str, after: int = 0, timeout: float = START_TIMEOUT_S) -> dict[str, Any]:
        """Wait for a line of the log with this message, past the first *after* lines."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            lines = self.log(after)
            for line in lines:
                if line["message"] == message:
                    return line
            after += len(lines)
            if self.process is not None and self.process.poll() not in (None, 0):
                break
            time.sleep(0.02)
        raise AssertionError(f"not logged: {message}\n{(self.db_path / 'stderr').read_text()}\n{self.log()[-15:]}")

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """What it has logged, over all its lives, past the first *after* lines. Each line must be JSON."""
        file = self.db_path / "logs" / "daemon.log"
        if not file.exists():
            return []
        text = file.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()[after:]]

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """Its database open in this thread, as upkeep and web have it open; gives the time."""
        database.open_database(self.db_path / "peaje.db")
        try:
            yield int(time.time())
        finally:
            database.close_database()

    def stop(self, timeout: float = 30.0) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it does not stop\n{self.log()[-15:]}") from None

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)


def sooner(**seconds: float) -> dict[str, str]:
    """The settings of a program in which periods pass sooner: constants, ``__`` for each dot of their names."""
    periods = " ".join(f"{name.replace('__', '.')}={value}" for name, value in seconds.items())
    return {"PYTHONPATH": f"{REPOSITORY / 'tests' / 'sooner'}:{REPOSITORY}", "PEAJE_TEST_PERIODS": periods}


@contextlib.contextmanager
def daemon(sandbox: Sandbox, db_path: Path, **settings: str) -> Iterator[Daemon]:
    """Run a daemon; at the end it must stop cleanly, unless the test has seen to its end."""
    running = Daemon(sandbox, db_path, settings).start()
    try:
        yield running
    finally:
        if running.is_alive:
            assert running.stop() == 0


@contextlib.contextmanager
def at_rest(running: Daemon) -> Iterator[None]:
    """Let *running* make room for another daemon, because one bot has one, and start it again.

    What people wrote meanwhile the other has answered: Telegram tells *running* nothing of it.
    """
    running.stop()
    try:
        yield
    finally:
        sandbox = running.sandbox
        untold = {"fault": "difference_too_long", "account": sandbox.scenario["bot"]["username"], "count": 1}
        rule = sandbox.control("POST", "/faults", untold)["id"]
        seen = len(running.log())
        running.start()
        until(lambda: any(it["hits"] for it in sandbox.control("GET", "/faults") if it["id"] == rule), "its recovery")
        running.until_logged("account.connected", seen)


@dataclass
class Chat:
    """One customer's chat with the bot."""

    sandbox: Sandbox
    id: int
    client: Client
    news: "asyncio.Queue[Message]" = field(default_factory=asyncio.Queue)
    deleted: list[int] = field(default_factory=list)
    is_known: bool = False
    """Whether this person wrote in other tests too."""

    @property
    def bot(self) -> str:
        """The bot's name."""
        return str(self.sandbox.scenario["bot"]["username"])

    def link(self, name: str) -> str:
        """The address of one of the scenario's posts."""
        return str(self.sandbox.scenario["links"][name]["url"])

    async def say(self, text: str) -> Message:
        """Send a message as it is: the number of a payment may hold what the library would take for italics."""
        await self.keep_pace()
        return await self.client.send_message(self.bot, text, parse_mode=ParseMode.DISABLED)

    async def reply(self, message: Message, text: str) -> Message:
        """Send a message as the answer to another one."""
        await self.keep_pace()
        return await self.client.send_message(self.bot, text, reply_to_message_id=message.id)

    async def ask(self, text: str, timeout: float = ANSWER_TIMEOUT_S) -> Message:
        """Send a message and return the first answer."""
        await self.say(text)
        return await self.next(timeout)

    async def next(self, timeout: float = ANSWER_TIMEOUT_S) -> Message:
        """The next message or edit of the bot."""
        return await asyncio.wait_for(self.news.get(), timeout)

    async def until(self, fits: Callable[[Message], bool], timeout: float = ANSWER_TIMEOUT_S) -> Message:
        """The next message of the bot that *fits*; others are skipped. Raises TimeoutError, which names them."""
        skipped: list[str] = []
        try:
            async with asyncio.timeout(timeout):
                while True:
                    message = await self.news.get()
                    if fits(message):
                        return message
                    skipped.append(str(message.text or message.caption or message.media))
        except TimeoutError:
            raise TimeoutError(f"not within {timeout} s; there came {skipped}") from None

    async def until_text(self, part: str, timeout: float = ANSWER_TIMEOUT_S) -> Message:
        """The next message of the bot that holds *part*."""
        return await self.until(lambda message: part in (message.text or message.caption or ""), timeout)

    async def silence(self, seconds: float) -> None:
        """Nothing arrives for so long."""
        with contextlib.suppress(TimeoutError):
            message = await asyncio.wait_for(self.news.get(), seconds)
            raise AssertionError(f"unexpected: {message.text or message.media}")

    async def press(self, message: Message, label: str) -> Message:
        """Press the button whose label holds *label*, and return what it brings."""
        await self.tap(message, label)
        return await self.next()

    async def tap(self, message: Message, label: str) -> None:
        """Press a button."""
        await self.keep_pace()
        await self.client.request_callback_answer(self.bot, message.id, button(message, label).callback_data)

    async def keep_pace(self) -> None:
        """Wait until the bot reads one more message of this person."""
        while self.is_known and (seconds := _paces[self.sandbox.state].wait(self.id, time.monotonic())):
            await asyncio.sleep(seconds)

    async def pay(self, invoice: Message) -> None:
        """Pay an invoice in Stars. Raises BadRequest or NotAcceptable as Telegram does."""
        peer = await self.client.resolve_peer(self.bot)
        await self._pay(raw.types.InputInvoiceMessage(peer=peer, msg_id=invoice.id))

    async def pay_link(self, address: str) -> None:
        """Pay behind an invoice link."""
        await self._pay(raw.types.InputInvoiceSlug(slug=address.rpartition("$")[2]))

    async def _pay(self, invoice: Any) -> None:
        form = await self.client.invoke(raw.functions.payments.GetPaymentForm(invoice=invoice))
        await self.client.invoke(raw.functions.payments.SendStarsForm(form_id=form.form_id, invoice=invoice))

    async def history(self, limit: int = 30) -> list[Message]:
        """What the chat holds, newest first."""
        return [message async for message in self.client.get_chat_history(self.bot, limit=limit)]


def button(message: Message, label: str) -> Any:
    """The button of a message whose label holds *label*."""
    for row in message.reply_markup.inline_keyboard:
        for candidate in row:
            if label in candidate.text:
                return candidate
    raise AssertionError(f"no button {label!r}: {labels(message)}")


def labels(message: Message) -> list[str]:
    """The labels of all buttons under a message; none where it has none."""
    return [button.text for row in getattr(message.reply_markup, "inline_keyboard", ()) for button in row]


@contextlib.asynccontextmanager
async def chat(
    sandbox: Sandbox, language: str = "en", *, admin: bool = False, second_admin: bool = False
) -> AsyncIterator[Chat]:
    """The chat of a customer whom nobody has seen before and who speaks *language*; or that of one of the admins."""
    scenario = sandbox.scenario
    if admin or second_admin:
        person = scenario["second_admin" if second_admin else "admin"]
    else:
        (person,) = sandbox.control("POST", "/users", {"language_code": language})["users"]
    who = client(scenario, f"person{person['id']}", session_string=person["session_string"])
    opened = Chat(sandbox, person["id"], who, is_known=admin or second_admin)

    async def take(_: Client, message: Message) -> None:
        if message.chat is not None and message.chat.username == opened.bot and not message.outgoing:
            opened.news.put_nowait(message)

    async def drop(_: Client, messages: list[Message]) -> None:
        opened.deleted.extend(message.id for message in messages)

    who.add_handler(MessageHandler(take))
    who.add_handler(EditedMessageHandler(take), group=1)
    who.add_handler(DeletedMessagesHandler(drop), group=2)
    await who.start()
    try:
        yield opened
    finally:
        await who.stop()
