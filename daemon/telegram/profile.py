"""What Telegram shows of the bot before anybody has written to it: "What can this bot do?", about, the menu button.

See https://core.telegram.org/method/bots.setBotInfo. A text that the operator wrote at @BotFather is never replaced.
"""

import time
from dataclasses import astuple, dataclass

from pyrogram import Client, raw

from config.texts import LANGUAGES, Texts, language_of, texts_for
from daemon.database import Database
from daemon.telegram.rpc import invoke
from models import notes

NOTE = "bot_info"
"""The texts that were set by us, so that the next version may replace them."""


@dataclass(frozen=True)
class BotInfo:
    """``about`` (120 characters) stands beside shared links too, ``description`` (512) in an empty chat."""

    about: str
    description: str


def info(t: Texts) -> BotInfo:
    """What the bot says about itself in one language."""
    return BotInfo(
        about=t.gettext("Send me the link to a Telegram post, and I send you what is in it. /premium: prices."),
        description=t.gettext(
            "Send me the link to a Telegram post, and I will send you what is in it: photo, video, album, music, "
            "document or text.\n\n"
            "To get the link, press and hold the post and choose “Copy link”.\n\n"
            "Some of it is free. /premium shows plans and prices, /help explains every step."
        ),
    )


class Profile:
    """Sets what is shown, in each language, where the operator has set nothing."""

    def __init__(self, bot: Client, database: Database) -> None:
        self._bot = bot
        self._database = database

    async def show(self) -> None:
        """Set what differs.

        :raises RPCError: Telegram refused, or asks for a wait; what was set before stays.
        """
        wanted = {code: info(texts_for(code)) for code in ("", *LANGUAGES)}
        noted = await self._database(notes.get, NOTE)
        known = noted if isinstance(noted, list) else []
        ours = {"", *known, *(text for each in wanted.values() for text in astuple(each))}
        if not ours - {""} <= set(known):
            await self._database(notes.put, NOTE, sorted(ours - {""}), int(time.time()))
        for code, each in wanted.items():
            # What the operator wrote for everybody is shown in the first language too: there our former texts alone go.
            await self._set(code, each, ours - {""} if code == language_of(None) else ours)
        await self._show_menu()

    async def _set(self, code: str, wanted: BotInfo, ours: set[str]) -> None:
        """Set the texts of one language; others than *ours* are the operator's own."""
        found = await invoke(self._bot, raw.functions.bots.GetBotInfo(lang_code=code), longest_flood=0)
        about = wanted.about if found.about in ours - {wanted.about} else None
        description = wanted.description if found.description in ours - {wanted.description} else None
        if about is not None or description is not None:
            query = raw.functions.bots.SetBotInfo(lang_code=code, about=about, description=description)
            await invoke(self._bot, query, longest_flood=0)

    async def _show_menu(self) -> None:
        """Have the button beside the text field list the commands, unless the operator has put another one there."""
        everybody = raw.types.InputUserEmpty()
        found = await invoke(self._bot, raw.functions.bots.GetBotMenuButton(user_id=everybody), longest_flood=0)
        if isinstance(found, raw.types.BotMenuButtonDefault):
            query = raw.functions.bots.SetBotMenuButton(user_id=everybody, button=raw.types.BotMenuButtonCommands())
            await invoke(self._bot, query, longest_flood=0)
