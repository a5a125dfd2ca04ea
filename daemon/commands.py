"""The lists of commands that Telegram shows, by language: one for customers, a longer one for admins."""

import logging
from collections.abc import Callable, Iterable

from pyrogram import Client, raw
from pyrogram.errors import RPCError

from config.texts import DEFAULT_LANGUAGE, LANGUAGES, Texts, translator
from daemon.telegram.rpc import invoke

logger = logging.getLogger(__name__)

DESCRIPTIONS: dict[str, Callable[[Texts], str]] = {
    "start": lambda t: t.gettext("your plan and what is left"),
    "premium": lambda t: t.gettext("plans and prices"),
    "stats": lambda t: t.gettext("what you have used"),
    "history": lambda t: t.gettext("your payments and deliveries"),
    "cancel": lambda t: t.gettext("cancel links in the queue"),
    "help": lambda t: t.gettext("how to use this bot"),
    "language": lambda t: t.gettext("choose the language"),
    "paysupport": lambda t: t.gettext("help with a payment"),
    "terms": lambda t: t.gettext("terms of use"),
    "privacy": lambda t: t.gettext("what I store about you"),
    "mydata": lambda t: t.gettext("all that I store about you, as a file"),
    "deletemydata": lambda t: t.gettext("delete your data"),
}

ADMIN_DESCRIPTIONS: dict[str, Callable[[Texts], str]] = {
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


def listing(t: Texts) -> str:
    """The customers' commands, one a line, for the guide."""
    return "\n".join(f"/{name}: {describe(t)}" for name, describe in DESCRIPTIONS.items())


async def register(bot: Client, admin_ids: Iterable[int]) -> None:
    """Tell Telegram the commands. A refusal is only logged: the bot answers the commands all the same."""
    for language in LANGUAGES:
        await _set(bot, raw.types.BotCommandScopeUsers(), language, DESCRIPTIONS)
    for admin_id in admin_ids:
        await register_admin(bot, admin_id)


async def register_admin(bot: Client, admin_id: int) -> None:
    """Show an admin their commands too. Before their first message the bot cannot resolve them as a peer."""
    try:
        scope = raw.types.BotCommandScopePeer(peer=await bot.resolve_peer(admin_id))
    except (RPCError, OSError, KeyError):
        logger.info("commands.skipped", extra={"user": admin_id, "reason": "never wrote to the bot"})
        return
    for language in LANGUAGES:
        await _set(bot, scope, language, DESCRIPTIONS | ADMIN_DESCRIPTIONS)


async def _set(
    bot: Client, scope: raw.base.BotCommandScope, language: str, descriptions: dict[str, Callable[[Texts], str]]
) -> None:
    t = translator(language)
    commands = [raw.types.BotCommand(command=name, description=describe(t)) for name, describe in descriptions.items()]
    lang_code = "" if language == DEFAULT_LANGUAGE else language
    try:
        await invoke(bot, raw.functions.bots.SetBotCommands(scope=scope, lang_code=lang_code, commands=commands))
    except (RPCError, OSError) as error:
        logger.warning("commands.unregistered", extra={"language": language, "reason": str(error)})
