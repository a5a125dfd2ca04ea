"""Uses the running bot as a customer would, on the Telegram that the settings name.

It acts as an account of the operator's, which is not the reading one: it greets the bot, has posts delivered, compares
them with what was posted, and pays where the options say so. Each step gives a finding.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pyrogram import Client, filters, raw
from pyrogram.errors import RPCError
from pyrogram.handlers import EditedMessageHandler, MessageHandler
from pyrogram.session.session import AuthKeyNotFound
from pyrogram.types import Message
from pyrogram.utils import get_channel_id

from config.findings import Finding, fail, ok, warn
from config.settings import Settings
from config.units import MIB
from daemon.telegram import endpoint, links
from daemon.telegram.links import PostLink
from daemon.telegram.login import close

ANSWER_S = 30.0
LOGIN_S = 60.0
LARGEST_COMPARED = 64 * MIB
"""Bytes of a file that is downloaded twice, from its post and from the chat, to compare both."""


@dataclass(frozen=True)
class TourOptions:
    """What the tour does. Seconds for *patience_s* of a delivery and *approval_s* of a payment in a browser."""

    links: tuple[str, ...]
    plan: str
    pay_stars: bool
    pay_paypal: bool
    patience_s: float
    approval_s: float


OpenPage = Callable[[str], Awaitable[tuple[Finding, bool]]]
"""Opens the payment page behind a link, tells the operator where to approve, and says whether that can be awaited."""


class StepFailed(Exception):
    """A message did not come, or is not what was posted."""


async def tour(
    settings: Settings, session_string: str, bot: str, options: TourOptions, open_page: OpenPage
) -> AsyncIterator[Finding]:
    """Go through all steps; each finding comes as soon as it is known."""
    if settings.telegram_public_key:
        endpoint.trust(settings.telegram_public_key)
    client = Client(
        "live-check",
        api_id=settings.telegram_api_id,
        api_hash=settings.telegram_api_hash,
        session_string=session_string,
        in_memory=True,
        connection_factory=endpoint.connection_class(settings.telegram_endpoint),
    )
    try:
        async with asyncio.timeout(LOGIN_S):
            await client.start()
    except (RPCError, OSError, AuthKeyNotFound) as error:
        reason = str(error) or type(error).__name__
        yield fail("customer", f"cannot log in ({reason}): make another session with `make session`")
        await close(client)
        return
    try:
        customer = Customer(client, bot)
        yield await _step("greeting", customer.greet())
        for link in options.links:
            yield await _step("delivery", customer.fetch(link, options.patience_s))
        yield await _step("invoice", customer.buy_with_stars(options))
        async for finding in customer.buy_with_paypal(options, open_page):
            yield finding
    finally:
        await close(client)


async def _step(part: str, work: Awaitable[str]) -> Finding:
    """Take one step, and say how long it took or why it failed. A result that begins with "not " was left out."""
    began = time.monotonic()
    try:
        said = await work
    except StepFailed as error:
        return fail(part, str(error))
    except (RPCError, OSError) as error:
        return fail(part, f"{type(error).__name__}: {error}")
    found = warn if said.startswith("not ") else ok
    return found(part, f"{said} ({time.monotonic() - began:.1f} s)")


class Customer:
    """The account's chat with the bot."""

    def __init__(self, client: Client, bot: str) -> None:
        self._client, self._bot = client, bot
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        from_bot = filters.private & filters.incoming & filters.user(bot)
        client.add_handler(MessageHandler(self._take, from_bot))
        client.add_handler(EditedMessageHandler(self._take, from_bot))

    async def greet(self) -> str:
        """``/start`` is answered with buttons."""
        await self._send("/start")
        await self._wait_for(lambda message: bool(message.reply_markup), "an answer to /start")
        return "answered"

    async def fetch(self, link: str, patience_s: float) -> str:
        """A post arrives, and is what was posted."""
        await self._send(link)
        arrived = await self._wait_for(_is_file, f"the file of {link}", patience_s)
        size = int(getattr(arrived, arrived.media.value).file_size or 0)
        if size > LARGEST_COMPARED:
            return f"{link} arrived, {size} bytes, too many to compare"
        original = await self._original(link)
        if original is None:
            return f"{link} arrived, {size} bytes; this account cannot read the post itself, so it was not compared"
        if await self._digest(arrived) != await self._digest(original):
            raise StepFailed(f"{link} arrived, but its bytes are others than those of the post")
        return f"{link} arrived, {size} bytes, each as posted"

    async def buy_with_stars(self, options: TourOptions) -> str:
        """The plan's button brings an invoice, which is paid where that is wanted."""
        plans = await self._plans()
        await self._press(plans, f"buy:{options.plan}")
        bill = await self._wait_for(lambda message: bool(message.invoice), "an invoice")
        said = f"{bill.invoice.total_amount} {bill.invoice.currency}"
        if not options.pay_stars:
            return f"{said}, left unpaid: --pay-stars pays it, and /refund gives it back"
        invoice = raw.types.InputInvoiceMessage(peer=await self._client.resolve_peer(self._bot), msg_id=bill.id)
        form = await self._client.invoke(raw.functions.payments.GetPaymentForm(invoice=invoice))
        await self._client.invoke(raw.functions.payments.SendStarsForm(form_id=form.form_id, invoice=invoice))
        await self._wait_for(_is_receipt, "a receipt")
        return f"{said}, paid, receipt received"

    async def buy_with_paypal(self, options: TourOptions, open_page: OpenPage) -> AsyncIterator[Finding]:
        """The plans hold a link to our page, which leads to PayPal; once the payment is approved, a receipt comes."""
        try:
            plans = await self._plans()
        except (StepFailed, RPCError, OSError) as error:
            yield fail("PayPal's page", str(error))
            return
        address = _address(plans, "/pay/")
        if address is None:
            yield warn("PayPal's page", "not offered: PayPal is off")
            return
        finding, leads_on = await open_page(address)
        yield finding
        if leads_on and options.pay_paypal:
            yield await _step("PayPal's payment", self._receipt(options.approval_s))

    async def _receipt(self, patience_s: float) -> str:
        await self._wait_for(_is_receipt, "a receipt", patience_s)
        return "approved, receipt received"

    async def _plans(self) -> Message:
        await self._send("/premium")
        return await self._wait_for(lambda message: "buy:" in str(message.reply_markup), "the plans")

    async def _send(self, text: str) -> None:
        while not self._messages.empty():
            self._messages.get_nowait()
        await self._client.send_message(self._bot, text)

    async def _press(self, message: Message, data: str) -> None:
        await self._client.request_callback_answer(message.chat.id, message.id, data)

    async def _wait_for(self, wanted: Callable[[Message], bool], what: str, patience_s: float = ANSWER_S) -> Message:
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    message = await self._messages.get()
                    if wanted(message):
                        return message
        except TimeoutError:
            raise StepFailed(f"waited {patience_s:.0f} s in vain for {what}") from None

    async def _original(self, link: str) -> Message | None:
        """The post itself, where this account may read it."""
        post = links.read(link)
        if not isinstance(post, PostLink) or post.chat is None:
            return None
        chat = post.chat if isinstance(post.chat, str) else get_channel_id(post.chat)
        try:
            found = await self._client.get_messages(chat, post.message_id)
        except (RPCError, ValueError, KeyError):
            return None
        return found if isinstance(found, Message) and _is_file(found) else None

    async def _digest(self, message: Message) -> str:
        digest = hashlib.sha256()
        async for chunk in self._client.stream_media(message):
            digest.update(chunk)
        return digest.hexdigest()

    async def _take(self, _client: Client, message: Message) -> None:
        self._messages.put_nowait(message)


def _is_file(message: Message) -> bool:
    return (
        bool(message.media) and not message.invoice and hasattr(getattr(message, message.media.value, None), "file_id")
    )


def _is_receipt(message: Message) -> bool:
    return any(word in str(message.text or "") for word in ("Receipt:", "Recibo:"))


def _address(message: Message, part: str) -> str | None:
    rows: Any = message.reply_markup.inline_keyboard if message.reply_markup else ()
    return next((str(button.url) for row in rows for button in row if part in (button.url or "")), None)
