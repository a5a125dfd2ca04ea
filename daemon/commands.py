"""What Telegram shows of the bot: its profile, and its commands by language, a longer list for admins."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from pyrogram import Client, raw
from pyrogram.errors import FloodWait, RPCError

from config.settings import Settings
from config.texts import LANGUAGES, Texts, texts_for, translator
from daemon.telegram.profile import Profile
from daemon.telegram.rpc import flood_seconds, invoke
from models.roles import Act, Team

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

ACTS: Mapping[str, Act] = {
    "console": Act.LOG_IN,
    "user": Act.SEE_CUSTOMERS,
    "income": Act.SEE_MONEY,
    "say": Act.MESSAGE,
    "broadcast": Act.BROADCAST,
    "status": Act.SEE_HEALTH,
    "grant": Act.GIVE_DAYS,
    "revoke": Act.TAKE_ACCESS,
    "refund": Act.REFUND,
    "ban": Act.BAN,
    "unban": Act.UNBAN,
    "allow": Act.OPEN_CHAT,
    "block": Act.BLOCK_CHAT,
    "testpay": Act.TEST_PAYMENT,
    "code": Act.EDIT_CODES,
    "backup": Act.FETCH_BACKUP,
}
"""The commands of the team, and what each of them does."""

ADMIN_DESCRIPTIONS: dict[str, Callable[[Texts], str]] = {
    "console": lambda t: t.gettext("the shop as pages, here and in a browser"),
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
    "backup": lambda t: t.gettext("the newest backup, as a file, if it is encrypted"),
}


OTHER_FOR_ADMINS: dict[str, Callable[[Texts], str]] = {
    "code": lambda t: t.gettext("codes that give access or a discount"),
}
"""Customers' commands that do something else for admins."""

TRIAL_DESCRIPTION: dict[str, Callable[[Texts], str]] = {"trial": lambda t: t.gettext("try a plan for nothing")}
"""For shops whose plans have a trial."""


def of_role(may: Callable[[Act], bool]) -> dict[str, Callable[[Texts], str]]:
    """The commands of somebody of the team: the customers' and their own."""
    theirs = ADMIN_DESCRIPTIONS | OTHER_FOR_ADMINS
    return DESCRIPTIONS | {name: say for name, say in theirs.items() if may(ACTS[name])}


def listing(t: Texts, may: Callable[[Act], bool], *, trial: bool = False) -> str:
    """The commands, one a line, for the guide: the customers', and those of the team that the reader *may* use."""
    shown = of_role(may) | (TRIAL_DESCRIPTION if trial else {})
    return "\n".join(f"/{name}: {describe(t)}" for name, describe in shown.items())


class CommandMenu:
    """Tells Telegram what to show, beside everything else: a flood wait of these methods must hold up nothing."""

    def __init__(self, bot: Client, profile: Profile, settings: Settings) -> None:
        self._bot, self._profile = bot, profile
        self._team = Team.of(settings)
        self._console_url = settings.console_url
        self._language = settings.language
        self._wanted: asyncio.Queue[tuple[int | None, Callable[[], Awaitable[None]]]] = asyncio.Queue()
        self.show_all()

    def show_all(self) -> None:
        """Have everybody see what there is, in the languages that are offered now."""
        self._wanted.put_nowait((None, partial(self._show, None)))
        self._wanted.put_nowait((None, self._profile.show))
        for member in sorted(self._team.admins | self._team.helpers):
            self.show_to(member)

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
            peer = await self._bot.resolve_peer(admin_id)
        except (RPCError, OSError, KeyError):
            logger.info("commands.skipped", extra={"user": admin_id, "reason": "never wrote to the bot"})
            return
        scope = raw.types.BotCommandScopePeer(peer=peer)
        await self._set_all(scope, of_role(partial(self._team.may, admin_id)))
        await self._show_console(raw.types.InputUser(user_id=peer.user_id, access_hash=peer.access_hash))

    async def _show_console(self, member: raw.base.InputUser) -> None:
        """Put the console beside the text field of one of the team. Telegram takes only https there."""
        button: raw.base.BotMenuButton = raw.types.BotMenuButtonDefault()
        if self._console_url is not None and self._console_url.startswith("https://"):
            said = translator(self._language).gettext("Console")
            button = raw.types.BotMenuButton(text=said, url=f"{self._console_url}app")
        await invoke(self._bot, raw.functions.bots.SetBotMenuButton(user_id=member, button=button), longest_flood=0)

    async def _set_all(self, scope: raw.base.BotCommandScope, descriptions: dict[str, Callable[[Texts], str]]) -> None:
        """In every language, also those that are not offered: Telegram would go on to show what they were set to."""
        for code in ("", *LANGUAGES):
            t = texts_for(code)
            commands = [raw.types.BotCommand(command=name, description=say(t)) for name, say in descriptions.items()]
            query = raw.functions.bots.SetBotCommands(scope=scope, lang_code=code, commands=commands)
            await invoke(self._bot, query, longest_flood=0)
