"""Hands the updates of private chats to the handlers.

Each update becomes a task of its own as soon as the library hands it over, so a slow answer delays neither a
pre-checkout query nor another customer. The updates of one customer are handled in order.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any

from pyrogram import Client, raw
from pyrogram.enums import ChatType
from pyrogram.errors import RPCError
from pyrogram.handlers import CallbackQueryHandler, EditedMessageHandler, MessageHandler, RawUpdateHandler
from pyrogram.types import CallbackQuery, Message, User

from config.texts import texts_for, translator
from daemon import handlers
from daemon.context import Context, derived_id, now
from daemon.deps import Deps
from daemon.limiter import Limiter
from daemon.screens import notices
from daemon.telegram.bot import Bot
from daemon.telegram.errors import Unreachable
from daemon.telegram.rpc import invoke
from models import users

logger = logging.getLogger(__name__)

REMEMBERED = 4096
NOTICE_EVERY_S = 30.0


class Dispatcher:
    """Takes messages and pressed buttons, each once, and has each answered."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen: OrderedDict[object, None] = OrderedDict()
        self._newest: dict[int, asyncio.Task[None]] = {}
        self._limiter = Limiter()
        self._noticed: OrderedDict[int, float] = OrderedDict()

    @property
    def is_quiet(self) -> bool:
        """Is nothing being handled?"""
        return not self._tasks

    def register(self, bot: Bot) -> None:
        """Have *bot* hand over its updates."""
        bot.on_urgent = self._deps.stars.handle_urgent
        bot.add_handler(MessageHandler(self._on_message))
        bot.add_handler(EditedMessageHandler(self._on_edited))
        bot.add_handler(CallbackQueryHandler(self._on_button))
        bot.add_handler(RawUpdateHandler(self._on_other), group=1)

    async def drain(self, timeout: float) -> bool:
        """Give what is being handled *timeout* seconds to finish, cancel the rest, and return whether all finished."""
        if not self._tasks:
            return True
        _, late = await asyncio.wait(self._tasks, timeout=timeout)
        for task in late:
            task.cancel()
        return not late

    async def _on_message(self, _: Client, message: Message) -> None:
        if message.refunded_payment is not None:
            self._spawn(message.chat.id, self._refunded(message))
            return
        if message.outgoing or message.from_user is None or message.from_user.is_bot:
            return
        if message.service is not None and message.successful_payment is None:
            return  # something was pinned, a timer set, a page opened: nobody has said anything
        if self._is_new((message.chat.id, message.id)):
            private = message.chat.type is ChatType.PRIVATE
            self._spawn(message.from_user.id, self._message(message) if private else self._group_message(message))

    async def _on_edited(self, _: Client, message: Message) -> None:
        """Take what a customer has made of a message: they mend a link and wait."""
        sender = message.from_user
        if message.outgoing or sender is None or sender.is_bot or message.chat.type is not ChatType.PRIVATE:
            return
        if self._is_new((message.chat.id, message.id, _said(message))):
            self._spawn(sender.id, self._edited(message))

    async def _on_button(self, _: Client, query: CallbackQuery) -> None:
        if query.message is not None and self._is_new(query.id):
            self._spawn(query.from_user.id, self._button(query))

    async def _on_other(self, _: Client, update: object, users: object, chats: object) -> None:
        """Take urgent updates that came with a fetched difference; :class:`Bot` hands over the others itself."""
        if isinstance(update, Bot.urgent):
            self._deps.stars.handle_urgent(update)

    def _is_new(self, key: object) -> bool:
        """A fetched difference repeats updates that have arrived by themselves."""
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def _spawn(self, user_id: int, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._after(self._newest.get(user_id), user_id, work))
        self._tasks.add(task)
        self._newest[user_id] = task

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if self._newest.get(user_id) is task:
                del self._newest[user_id]

        task.add_done_callback(ended)

    async def _after(self, earlier: asyncio.Task[None] | None, user_id: int, work: Coroutine[Any, Any, None]) -> None:
        """Do the work once the customer's earlier update has been answered."""
        if earlier is not None:
            await asyncio.wait({earlier})
        try:
            await work
        except Unreachable as error:
            logger.info("answer.unreachable", extra={"user": user_id, "reason": error.reason})
        except Exception:
            logger.exception("handler.failed", extra={"user": user_id})
            await self._apologise(user_id)

    async def _message(self, message: Message) -> None:
        if message.successful_payment is None and not await self._is_in_pace(message.from_user.id):
            return
        context = await self._context(message.from_user, message.id, f"message {message.chat.id} {message.id}")
        if message.successful_payment is not None:
            at = int(message.date.timestamp()) if message.date else context.now
            await self._deps.stars.paid(context.user.id, message.successful_payment, at, context.now)
        elif await self._is_admitted(context):
            await handlers.message(context, message)

    async def _edited(self, message: Message) -> None:
        if not await self._is_in_pace(message.from_user.id):
            return
        text = derived_id(_said(message))
        context = await self._context(message.from_user, message.id, f"edit {message.chat.id} {message.id} {text}")
        if await self._is_admitted(context):
            await handlers.edited(context, message)

    async def _refunded(self, message: Message) -> None:
        payment = message.refunded_payment
        at = int(message.date.timestamp()) if message.date else now()
        await self._deps.stars.refunded(payment.telegram_payment_charge_id, int(payment.total_amount), at, now())

    async def _button(self, query: CallbackQuery) -> None:
        if not await self._is_in_pace(query.from_user.id):
            return
        await self._acknowledge(query)
        context = await self._context(query.from_user, query.message.id, f"button {query.id}", pressed=True)
        if await self._is_admitted(context):
            await handlers.button(context, query.data if isinstance(query.data, str) else "")

    async def _group_message(self, message: Message) -> None:
        """In a group the bot answers only a command addressed to it, and says that it works in private chats.

        Each group hears so once in a while, and not from whoever writes too fast in many.
        """
        bot = self._deps.bot
        addressed = f"@{bot.me.username}".lower() if bot.me else ""
        if not ((message.text or "").startswith("/") and addressed in message.text.lower()):
            return
        if not self._limiter.wait(message.from_user.id, time.monotonic()) and self._should_notice(message.chat.id):
            screen = notices.private_only(texts_for(message.from_user.language_code))
            await self._deps.sender.send_screen(message.chat.id, screen, reply_to=message.id)

    async def _context(self, person: User, message_id: int, key: str, pressed: bool = False) -> Context:
        moment = now()
        user = await self._deps.database(
            users.seen, person.id, person.first_name or "", person.username, person.language_code, now=moment
        )
        return Context(
            deps=self._deps,
            user=user,
            t=translator(user.language),
            message_id=message_id,
            now=moment,
            key=key,
            pressed=pressed,
        )

    async def _is_in_pace(self, user_id: int) -> bool:
        """Does this person write slowly enough? It comes before all that costs a call or a write."""
        wait = self._limiter.wait(user_id, time.monotonic())
        if wait and self._should_notice(user_id):
            await self._deps.notifier.send(user_id, lambda t: notices.too_fast(t, wait))
        return not wait

    async def _is_admitted(self, context: Context) -> bool:
        if context.user.banned and self._should_notice(context.user.id):
            await context.say(notices.banned(context.t, self._deps.settings))
        return not context.user.banned

    def _should_notice(self, chat_id: int) -> bool:
        """One notice in 30 seconds is enough: a flood is not answered with a flood."""
        moment = time.monotonic()
        if moment - self._noticed.get(chat_id, -NOTICE_EVERY_S) < NOTICE_EVERY_S:
            return False
        self._noticed[chat_id] = moment
        self._noticed.move_to_end(chat_id)
        if len(self._noticed) > REMEMBERED:
            self._noticed.popitem(last=False)
        return True

    async def _acknowledge(self, query: CallbackQuery) -> None:
        """Stop the button's progress indicator. Telegram refuses that for a button pressed while the bot was away."""
        answer = raw.functions.messages.SetBotCallbackAnswer(query_id=int(query.id), cache_time=0)
        with contextlib.suppress(RPCError, OSError):
            await invoke(self._deps.bot, answer, failures=1, longest_flood=0)

    async def _apologise(self, user_id: int) -> None:
        try:
            await self._deps.notifier.send(user_id, notices.failed)
        except Exception:
            logger.exception("apology.failed", extra={"user": user_id})


def _said(message: Message) -> str:
    """What a message says, with the addresses behind its words: an edit may change them alone."""
    hidden = (each.url for each in (message.entities or message.caption_entities or ()) if each.url)
    return " ".join([str(message.text or message.caption), *hidden])
