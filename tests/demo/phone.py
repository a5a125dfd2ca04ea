"""A person's Telegram: a client of a library that nobody here wrote, and their chat with the bot, for the page."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyrogram import Client, filters, raw
from pyrogram.enums import ParseMode
from pyrogram.errors import RPCError
from pyrogram.handlers import DeletedMessagesHandler, EditedMessageHandler, MessageHandler
from pyrogram.types import Message

from tests import clients
from tests.demo.bubbles import Value, bubble, keyboard, media

REMEMBERED = 200
"""Messages of a chat that the page can show."""
LARGEST = 48 * 1024 * 1024
"""Bytes of a file that is shown; a larger one is only named."""
KEPT = 3
"""Files whose bytes are kept for the next look: a browser asks for a film in pieces."""
THEME = {"bg_color": "#ffffff", "text_color": "#101418", "button_color": "#2a7ab8", "secondary_bg_color": "#eef2f5"}

Publish = Callable[[Value], None]


class Refused(Exception):
    """Telegram refused what this person did. Carries its words."""


@dataclass(frozen=True)
class Bill:
    """An invoice that is looked at, to be paid or left."""

    form_id: int
    invoice: Any
    title: str
    description: str
    amount: int
    renews: bool

    def shown(self) -> Value:
        """What the sheet says."""
        return {
            "form": str(self.form_id),
            "title": self.title,
            "description": self.description,
            "amount": self.amount,
            "renews": self.renews,
        }


class Phone:
    """One telephone. *publish* gets each message that is new or changed, and the ids of those that went."""

    def __init__(self, scenario: dict[str, Any], person: dict[str, Any], who: str, publish: Publish) -> None:
        self.bot = str(scenario["bot"]["username"])
        self.id = int(person["id"])
        self.name = str(person.get("first_name") or "Alba")
        self.who = who
        self.publish = publish
        self._client: Client = clients.client(
            scenario, f"{who}{self.id}", session_string=person["session_string"], max_message_cache_size=REMEMBERED
        )
        self._messages: OrderedDict[int, Message] = OrderedDict()
        self._arrived = asyncio.Condition()
        self._bills: dict[str, Bill] = {}
        self._files: OrderedDict[int, bytes] = OrderedDict()
        self._hidden = 0

    async def start(self) -> "Phone":
        """Log in, and read what the chat holds."""
        await self._client.start()
        ours = filters.private & filters.chat(self.bot)
        self._client.add_handler(MessageHandler(self._take, ours))
        self._client.add_handler(EditedMessageHandler(self._take, ours), group=1)
        self._client.add_handler(DeletedMessagesHandler(self._drop), group=2)
        async for message in self._client.get_chat_history(self.bot, limit=REMEMBERED):
            self._messages[message.id] = message
        return self

    async def stop(self) -> None:
        """Log the client off; the account stays."""
        await self._client.stop()

    # ---- what the page shows

    def bubbles(self) -> list[Value]:
        """The chat, the oldest message first."""
        return [bubble(each) for _, each in sorted(self._messages.items()) if each.id > self._hidden]

    def hide(self) -> None:
        """Begin the shown chat behind what it holds now."""
        self._hidden = max(self._messages, default=0)

    async def _take(self, _client: Client, message: Message) -> None:
        self._messages[message.id] = message
        while len(self._messages) > REMEMBERED:
            self._messages.popitem(last=False)
        self._files.pop(message.id, None)
        self.publish({"type": "message", "phone": self.who, "message": bubble(message)})
        async with self._arrived:
            self._arrived.notify_all()

    async def _drop(self, _client: Client, messages: list[Message]) -> None:
        gone = [each.id for each in messages if self._messages.pop(each.id, None)]
        self.publish({"type": "gone", "phone": self.who, "ids": gone})

    async def hear(self, wanted: Callable[[Message], bool], after: int, patience_s: float = 30.0) -> Message:
        """The first message of the bot behind *after*, an id, that is *wanted*; edited ones too.

        :raises TimeoutError: none comes.
        """

        def found() -> Message | None:
            fitting = (each for id_, each in sorted(self._messages.items()) if id_ > after and not each.outgoing)
            return next((each for each in fitting if wanted(each)), None)

        async with self._arrived, asyncio.timeout(patience_s):
            await self._arrived.wait_for(lambda: found() is not None)
            message = found()
            assert message is not None
            return message

    async def newest(self, wanted: Callable[[Message], bool], patience_s: float = 30.0) -> Message:
        """The newest message of the bot that is *wanted*, now or as soon as there is one.

        :raises TimeoutError: none comes.
        """
        await self.hear(wanted, 0, patience_s)
        fitting = (each for _, each in sorted(self._messages.items(), reverse=True) if not each.outgoing)
        return next(each for each in fitting if wanted(each))

    @property
    def last(self) -> int:
        """The id of the newest message."""
        return max(self._messages, default=0)

    # ---- what a person does

    async def say(self, text: str) -> Message:
        """Write to the bot. Raises Refused."""
        try:
            sent: Message = await self._client.send_message(self.bot, text, parse_mode=ParseMode.DISABLED)
        except RPCError as error:
            raise Refused(str(error.MESSAGE)) from error
        await self._take(self._client, sent)
        return sent

    def key(self, message_id: int, row: int, column: int) -> Any:
        """A key under a message. Raises Refused: there is no such one."""
        message = self._messages.get(message_id)
        try:
            return keyboard(message)[row][column]  # type: ignore[arg-type]
        except (IndexError, AttributeError):
            raise Refused("That button is gone.") from None

    async def call_back(self, message_id: int, data: Any) -> Value:
        """Press a key that the bot answers; what pops up. Raises Refused."""
        try:
            answer = await self._client.request_callback_answer(self.bot, message_id, data, timeout=12)
        except (RPCError, TimeoutError) as error:
            raise Refused(_words(error)) from error
        return {"answer": answer.message or "", "alert": bool(answer.alert)}

    async def bill(self, message_id: int | None, slug: str = "") -> Bill:
        """Look at an invoice, that of a message or of a link. Raises Refused."""
        given: Any = raw.types.InputInvoiceSlug(slug=slug)
        if message_id is not None:
            peer = await self._client.resolve_peer(self.bot)
            given = raw.types.InputInvoiceMessage(peer=peer, msg_id=message_id)
        try:
            form = await self._client.invoke(raw.functions.payments.GetPaymentForm(invoice=given))
        except RPCError as error:
            raise Refused(_words(error)) from error
        price = form.invoice.prices[0].amount
        renews = bool(form.invoice.subscription_period)
        bill = Bill(form.form_id, given, form.title, form.description, price, renews)
        self._bills = {str(bill.form_id): bill}
        return bill

    async def pay(self, form: str) -> None:
        """Pay the invoice that is looked at. Raises Refused."""
        bill = self._bills.pop(form, None)
        if bill is None:
            raise Refused("Open the invoice again.")
        try:
            await self._client.invoke(raw.functions.payments.SendStarsForm(form_id=bill.form_id, invoice=bill.invoice))
        except RPCError as error:
            raise Refused(_words(error)) from error

    async def launch(self, url: str) -> str:
        """The address of a Mini App as an application opens it, with launch data. Raises Refused."""
        peer = await self._client.resolve_peer(self.bot)
        theme = raw.types.DataJSON(data=json.dumps(THEME))
        asked = raw.functions.messages.RequestWebView(
            peer=peer, bot=peer, platform="android", url=url, theme_params=theme
        )
        try:
            return str((await self._client.invoke(asked)).url)
        except RPCError as error:
            raise Refused(_words(error)) from error

    async def menu(self) -> Value:
        """What the bot offers beside the text field: its commands, and an address where it has one."""
        peer = await self._client.resolve_peer(self.bot)
        info = (await self._client.invoke(raw.functions.users.GetFullUser(id=peer))).full_user.bot_info
        button = info.menu_button
        return {
            "commands": [{"command": f"/{each.command}", "text": each.description} for each in info.commands or []],
            "app": getattr(button, "url", ""),
            "label": getattr(button, "text", ""),
        }

    async def file(self, message_id: int) -> bytes:
        """The bytes of a message's file, as this client downloads them. Raises Refused: there are none to show."""
        message = self._messages.get(message_id)
        held = media(message) if message is not None else None
        if held is None or held["size"] > LARGEST:
            raise Refused("There is nothing to show.")
        if message_id not in self._files:
            content = await self._client.download_media(message, in_memory=True)
            self._files[message_id] = bytes(content.getbuffer())
            while len(self._files) > KEPT:
                self._files.popitem(last=False)
        return self._files[message_id]


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "The bot does not answer."
    return str(getattr(error, "MESSAGE", error))
