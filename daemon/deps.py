"""What handlers work with, put together once at the start."""

from dataclasses import dataclass

from pyrogram import Client

from config.settings import Settings
from config.units import HOUR_S
from daemon.chats import Chats
from daemon.commands import CommandMenu
from daemon.database import Database
from daemon.exporting.exports import Exports
from daemon.limiter import Limiter
from daemon.notifier import Notifier
from daemon.stars import Stars
from daemon.telegram.bot import Bot
from daemon.telegram.profile import Profile
from daemon.telegram.sender import Sender
from daemon.transfer.reader import Reader
from daemon.wakeup import Wakeup, Watcher
from models.catalogue import Catalogue

PAYMENT_LOOKUPS = 10
"""How many payments one customer may have the bot ask Telegram or PayPal for in an hour."""


@dataclass(frozen=True)
class Deps:
    """Everything that the dispatcher and the handlers need, and nothing that starts or stops anything."""

    settings: Settings
    catalogue: Catalogue
    database: Database
    wakeup: Wakeup
    bot: Bot
    sender: Sender
    notifier: Notifier
    stars: Stars
    chats: Chats
    commands: CommandMenu
    payment_lookups: Limiter
    exports: Exports


def assemble(settings: Settings, catalogue: Catalogue, bot: Bot, account: Client) -> Deps:
    """Everything that handlers need, for a bot and an account that need not be connected yet."""
    database, wakeup = Database(), Wakeup(Watcher())
    sender = Sender(bot, database)
    return Deps(
        settings=settings,
        catalogue=catalogue,
        database=database,
        wakeup=wakeup,
        bot=bot,
        sender=sender,
        notifier=Notifier(settings, catalogue, database, sender),
        stars=Stars(bot, database, wakeup, catalogue, secret=settings.telegram_bot_token),
        chats=Chats(Reader(account), database),
        commands=CommandMenu(bot, Profile(bot, database), settings),
        payment_lookups=Limiter(PAYMENT_LOOKUPS, PAYMENT_LOOKUPS / HOUR_S),
        exports=Exports(database, sender, settings.db_path),
    )
