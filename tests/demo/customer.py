"""A customer at his telephone: a foreign Telegram client whose chat with the bot is written to the terminal."""

import asyncio
import hashlib
import textwrap
from collections.abc import Callable
from typing import Any

from pyrogram import Client, filters, raw
from pyrogram.handlers import EditedMessageHandler, MessageHandler
from pyrogram.types import InlineKeyboardButton, Message

from tests import clients

PATIENCE_S = 30.0
WIDTH = 92


class Disappointed(Exception):
    """What the customer waited for did not come, or was not what he asked for."""


class Customer:
    """One person's side of the conversation. ``tell`` gets each line of it. *number* None: it is the operator."""

    def __init__(self, scenario: dict[str, Any], number: int | None, tell: Callable[[str], None]) -> None:
        self._about = scenario["admin"] if number is None else scenario["customers"][number]
        self._bot = scenario["bot"]["username"]
        self._client: Client = clients.client(
            scenario, f"customer{number}", session_string=self._about["session_string"]
        )
        self._tell = tell
        self._inbox: list[Message] = []
        self._arrived = asyncio.Condition()
        self._read = 0

    @property
    def name(self) -> str:
        """First name; the operator has none."""
        return str(self._about.get("first_name", "operator"))

    async def __aenter__(self) -> "Customer":
        await self._client.start()
        mine = filters.private & filters.incoming
        self._client.add_handler(MessageHandler(self._on_message, mine))
        self._client.add_handler(EditedMessageHandler(self._on_edit, mine))
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._client.stop()

    async def say(self, text: str) -> None:
        """Write to the bot."""
        self._tell(f"{self.name:>8} > {text}")
        await self._client.send_message(self._bot, text)

    async def press(self, message: Message, data: str) -> None:
        """Press the button of a message whose data begins with *data*."""
        button = _button(message, data)
        self._tell(f"{self.name:>8} > [{button.text}]")
        await self._client.request_callback_answer(message.chat.id, message.id, button.callback_data)

    async def hear(self, wanted: Callable[[Message], bool], what: str) -> Message:
        """Wait for the next message of a kind, new or edited; what was read before does not count."""

        def found() -> int | None:
            return next((n for n in range(self._read, len(self._inbox)) if wanted(self._inbox[n])), None)

        async with self._arrived:
            try:
                await asyncio.wait_for(self._arrived.wait_for(lambda: found() is not None), PATIENCE_S)
            except TimeoutError:
                raise Disappointed(f"{self.name} waited {PATIENCE_S:.0f} s for {what}") from None
            index = found()
            assert index is not None
            self._read = index + 1
            return self._inbox[index]

    async def hear_album(self, count: int) -> list[Message]:
        """Wait for an album of *count* items, which must be one."""
        items = [await self.hear(lambda message: message.media_group_id is not None, "an album")]
        while len(items) < count:
            items.append(await self.hear(lambda message: message.media_group_id is not None, "the rest of an album"))
        if len({item.media_group_id for item in items}) != 1:
            raise Disappointed("the album came in pieces")
        return items

    async def pay(self, invoice: Message) -> None:
        """Pay an invoice in Stars, as the application's button does."""
        self._tell(f"{self.name:>8} > [pays {invoice.invoice.total_amount} Stars]")
        bill = raw.types.InputInvoiceMessage(peer=await self._client.resolve_peer(invoice.chat.id), msg_id=invoice.id)
        form = await self._client.invoke(raw.functions.payments.GetPaymentForm(invoice=bill))
        await self._client.invoke(raw.functions.payments.SendStarsForm(form_id=form.form_id, invoice=bill))

    async def check(self, message: Message, link: dict[str, Any]) -> None:
        """Compare what arrived with what was posted: bytes, name and caption.

        :raises Disappointed: they differ.
        """
        content = await self._client.download_media(message, in_memory=True)
        digest = hashlib.sha256(content.getbuffer()).hexdigest()
        if digest != link["sha256"]:
            raise Disappointed(f"the bytes of {link['url']} differ")
        name = file_name(message)
        if link["file_name"] and name != link["file_name"]:
            raise Disappointed(f"{link['url']} came as {name}")
        if (message.caption or "") != link["caption"]:
            raise Disappointed(f"{link['url']} came with the caption {message.caption!r}")
        self._tell(f"{'':>8}   sha256 {digest[:16]}… as posted, {len(content.getbuffer()):,} bytes")

    async def _on_message(self, _client: Client, message: Message) -> None:
        await self._take(message, describe(message))

    async def _on_edit(self, _client: Client, message: Message) -> None:
        await self._take(message, f"(edited) {describe(message)}")

    async def _take(self, message: Message, line: str) -> None:
        first, *rest = line.splitlines() or [""]
        self._tell(f"{'bot':>8} < {first}")
        for following in rest:
            self._tell(f"{'':>8}   {following}")
        async with self._arrived:
            self._inbox.append(message)
            self._arrived.notify_all()


def _button(message: Message, data: str) -> InlineKeyboardButton:
    for row in message.reply_markup.inline_keyboard if message.reply_markup else []:
        for button in row:
            if str(button.callback_data or "").startswith(data):
                return button
    raise Disappointed(f"there is no button {data!r} under {message.text!r}")


def url_button(message: Message, part: str) -> str:
    """The address behind the first button whose address contains *part*.

    :raises Disappointed: there is none.
    """
    for row in message.reply_markup.inline_keyboard if message.reply_markup else []:
        for button in row:
            if part in (button.url or ""):
                return str(button.url)
    raise Disappointed(f"no button leads to {part!r}")


def file_name(message: Message) -> str | None:
    """The name of the file that a message carries, if it has one."""
    media = getattr(message, message.media.value, None)
    return getattr(media, "file_name", None)


def describe(message: Message) -> str:
    """A message as lines of text: what it holds, its words, its buttons."""
    lines = []
    if message.invoice:
        lines.append(f"[invoice: {message.invoice.title}, {message.invoice.total_amount} Stars]")
    if message.media and not message.invoice:
        name = file_name(message)
        lines.append(f"[{message.media.value}{f' {name}' if name else ''}] {message.caption or ''}".rstrip())
    for paragraph in (message.text or "").splitlines():
        lines.extend(textwrap.wrap(paragraph, WIDTH) or [""])
    for row in message.reply_markup.inline_keyboard if message.reply_markup else []:
        lines.append(" ".join(f"[{button.text}]" for button in row))
    return "\n".join(lines)
