"""What Telegram shows of the bot: its profile, and its commands by language, a longer list for admins."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from pyrogram import Client, raw
from pyrogram.errors import FloodWait, RPCError

from config.texts import DEFAULT_LANGUAGE, LANGUAGES, Texts, translator
from daemon.telegram.profile import Profile
from daemon.telegram.rpc import flood_seconds, invoke

logger = logging.getLogger(__name__)

AGAIN_S = 60
"""Seconds until what Telegram refused is tried again."""

DESCRIPTIONS: dict[str, Callable[[Texts], str]] = {
    "start": lambda t: t.gettext("your plan and what is left"),
    "premium": lambda t: t.gettext("plans and prices"),
    "gift": lambda t: t.gettext("buy a gift for somebody"),
    "code": lambda t: t.gettext("redeem a code"),
    "stats": lambda t: t.gettext("what you have used"),
    "history": lambda t: t.gettext("your payments and deliveries"),
    "cancel": lambda t: t.gettext("cancel links in the queue"),
    "invite": lambda t: t.gettext("invite friends, and what it brings"),
    "help": lambda t: t.gettext("how to use this bot"),
    "language": lambda t: t.gettext("choose the language"),
    "quiet": lambda t: t.gettext("get no more news"),
    "paysupport": lambda t: t.gettext("help with a payment"),
    "report": lambda t: t.gettext("complain about a post"),
    "terms": lambda t: t.gettext("terms of use"),
    "privacy": lambda t: t.gettext("what I store about you"),
    "mydata": lambda t: t.gettext("all that I store about you, as a file"),
    "deletemydata": lambda t: t.gettext("delete your data"),
}

ADMIN_DESCRIPTIONS: dict[str, Callable[[Texts], str]] = {
    "user": lambda t: t.gettext("a customer's card: plan, payments, links"),
    "income": lambda t: t.gettext("what the shop earned"),
    "say": lambda t: t.gettext("write to a customer"),
    "broadcast": lambda t: t.gettext("write news for many customers"),
    "status": lambda t: t.gettext("health of each part"),
    "grant": lambda t: t.gettext("give a plan to a customer"),
    "revoke": lambda t: t.gettext("take a plan back"),
    "refund": lambda t: t.gettext("refund a payment"),
    "ban": lambda t: t.gettext("ban a customer"),
    "unban": lambda t: t.gettext("let a banned customer back in"),
    "allow": lambda t: t.gettext("open a private chat to all customers"),
    "block": lambda t: t.gettext("close a chat to all customers"),
    "testpay": lambda t: t.gettext("try a payment of 1 Star"),
    "backup": lambda t: t.gettext("the newest backup, as a file"),
}


OTHER_FOR_ADMINS: dict[str, Callable[[Texts], str]] = {
    "code": lambda t: t.gettext("codes that give access or a discount"),
}
"""Customers' commands that do something else for admins."""

TRIAL_DESCRIPTION: dict[str, Callable[[Texts], str]] = {"trial": lambda t: t.gettext("try a plan for nothing")}
"""For shops whose plans have a trial."""


def listing(t: Texts, *, admin: bool = False, trial: bool = False) -> str:
    """The customers' commands, one a line, for the guide; an *admin* reads theirs too."""
    shown = _for_admins() if admin else DESCRIPTIONS
    shown = shown | (TRIAL_DESCRIPTION if trial else {})
    return "\n".join(f"/{name}: {describe(t)}" for name, describe in shown.items())


def _for_admins() -> dict[str, Callable[[Texts], str]]:
    return DESCRIPTIONS | ADMIN_DESCRIPTIONS | OTHER_FOR_ADMINS


class CommandMenu:
    """Tells Telegram what to show, beside everything else: a flood wait of these methods must hold up nothing."""

    def __init__(self, bot: Client, profile: Profile, admin_ids: Iterable[int]) -> None:
        self._bot = bot
        self._wanted: asyncio.Queue[tuple[int | None, Callable[[], Awaitable[None]]]] = asyncio.Queue()
        self._wanted.put_nowait((None, partial(self._show, None)))
        self._wanted.put_nowait((None, profile.show))
        for admin_id in admin_ids:
            self.show_to(admin_id)

    def show_to(self, admin_id: int) -> None:
        """Have an admin see their commands too. Before their first message the bot cannot resolve them as a peer."""
        self._wanted.put_nowait((admin_id, partial(self._show, admin_id)))

    async def run(self, up: asyncio.Event) -> None:
        """Tell Telegram whatever is wanted while the bot is *up*. What it refuses is tried again much later."""
        while True:
            user, show = wanted = await self._wanted.get()
            await up.wait()
            try:
                await show()
            except (RPCError, OSError) as error:
                seconds = max(AGAIN_S, flood_seconds(error) if isinstance(error, FloodWait) else 0)
                logger.warning("commands.unregistered", extra={"user": user, "reason": str(error), "seconds": seconds})
                asyncio.get_running_loop().call_later(seconds, self._wanted.put_nowait, wanted)

    async def _show(self, admin_id: int | None) -> None:
        if admin_id is None:
            await self._set_all(raw.types.BotCommandScopeUsers(), DESCRIPTIONS)
            return
        try:
            scope = raw.types.BotCommandScopePeer(peer=await self._bot.resolve_peer(admin_id))
        except (RPCError, OSError, KeyError):
            logger.info("commands.skipped", extra={"user": admin_id, "reason": "never wrote to the bot"})
            return
        await self._set_all(scope, _for_admins())

    async def _set_all(self, scope: raw.base.BotCommandScope, descriptions: dict[str, Callable[[Texts], str]]) -> None:
        for language in LANGUAGES:
            t = translator(language)
            commands = [raw.types.BotCommand(command=name, description=say(t)) for name, say in descriptions.items()]
            code = "" if language == DEFAULT_LANGUAGE else language
            query = raw.functions.bots.SetBotCommands(scope=scope, lang_code=code, commands=commands)
            await invoke(self._bot, query, longest_flood=0)
