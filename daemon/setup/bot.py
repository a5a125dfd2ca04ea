"""The bot while the shop is being set up: it hears who presses the link that makes the admin, and says no more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

from pyrogram import Client, filters
from pyrogram.handlers import MessageHandler
from pyrogram.types import Message

from config.settings import Settings
from config.texts import Texts, translator
from daemon.database import Database
from daemon.tasks import Tasks
from daemon.telegram import clients, endpoint
from daemon.telegram.clients import Connection, ConnectionState
from daemon.telegram.errors import LoginLost, LoginRefused
from daemon.wakeup import Wakeup
from models import notes
from models.setup import admins
from models.setup.admins import Candidate

logger = logging.getLogger(__name__)

CHECK_S = 30.0


class SetupBot:
    """Keeps the bot of the present token connected. *settings* gives those of this moment."""

    def __init__(self, settings: Callable[[], Settings], database: Database, wakeup: Wakeup) -> None:
        self._settings, self._database, self._wakeup = settings, database, wakeup

    async def run(self) -> None:
        """Serve until cancelled, with another token when there is another one."""
        subscription = self._wakeup.subscribe()
        tasks, token = Tasks(), ""
        try:
            while True:
                settings = self._settings()
                if settings.telegram_bot_token != token:
                    token = settings.telegram_bot_token
                    await tasks.stop()
                    tasks.start("set-up bot", self._serve(settings))
                await subscription.wait(CHECK_S)
        finally:
            await tasks.stop()

    async def _serve(self, settings: Settings) -> None:
        if settings.telegram_public_key:
            endpoint.trust(settings.telegram_public_key)
        bot = clients.build_bot(settings)
        bot.add_handler(MessageHandler(self._hear, filters.private & filters.regex(rf"^/start {admins.PREFIX}")))
        connection, tasks = Connection(bot, _ignore, partial(self._note, bot)), Tasks()
        try:
            await connection.start()
            tasks.start("update gaps", connection.recover_gaps(bot))
            await connection.watch()
        except (LoginLost, LoginRefused) as error:
            logger.warning("setup_bot.lost", extra={"reason": str(error)})
        finally:
            await tasks.stop()
            await connection.stop()

    async def _note(self, bot: Client) -> None:
        """Note the bot's name, which the admin's link leads to: a token from outside was asked about by nobody."""
        if (me := bot.me) is not None:
            noted = {"id": me.id, "username": me.username, "name": me.first_name}
            await self._database(notes.put, "bot", noted, int(time.time()))

    async def _hear(self, _client: Client, message: Message) -> None:
        person, settings = message.from_user, self._settings()
        if person is None or message.text is None:
            return
        who = Candidate(person.id, person.full_name, person.username)
        parameter = message.text.partition(" ")[2].strip()
        is_good = await self._database(admins.press, parameter, who, settings.secret_key, int(time.time()))
        logger.info("setup_link.pressed", extra={"user": person.id, "good": is_good})
        self._wakeup.wake()
        await message.reply(_said(translator(settings.language), is_good=is_good))


def _said(t: Texts, *, is_good: bool) -> str:
    if is_good:
        return t.gettext("Good. Now go back to the page: it asks whether this is you.")
    return t.gettext("This link works no more. The set-up page shows a new one.")


async def _ignore(_state: ConnectionState, _reason: str) -> None:
    """Nothing follows from it here."""
