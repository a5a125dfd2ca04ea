"""The tour: what a customer and the operator live through, each step with what happened underneath, measured."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyrogram.types import Message

from tests.demo.bubbles import is_receipt, keyboard, media
from tests.demo.phone import Bill, Phone, Refused
from tests.demo.switches import ROUND_TRIP_MS
from tests.demo.underneath import Calls
from tests.demo.visitors import Visitor

if TYPE_CHECKING:
    from tests.demo.show import Show

READ_S = 4.5
"""How long one may read a step, and look at what came, before the next one begins."""
LOOK_S = 0.7
"""Between what a person sees and what they press."""


@dataclass
class Step:
    """What is told of a step: its title, then what happened underneath."""

    title: str
    play: Callable[[], Awaitable[str]]
    phone: str = "customer"


class Tour:
    """One playing, for one visitor."""

    def __init__(self, show: "Show", visitor: Visitor, customer: Phone) -> None:
        self._show = show
        self._visitor = visitor
        self._customer = customer
        self._operator = show.operator
        self._links = {each.name: each for each in show.examples}
        self._calls = Calls(show.running)

    def _steps(self) -> list[Step]:
        name, operator = self._customer.name, self._operator.name
        return [
            Step(f"{name} says hello", self._hello),
            Step(f"{name} sends a link to a photo", lambda: self._fetch("photo")),
            Step("An album arrives as one", lambda: self._fetch("album")),
            Step("Three films are free", self._films),
            Step(f"{name} meets the limit", self._limit),
            Step("Paid in Stars, and the film follows by itself", self._pay),
            Step(f"{name} likes it, and buys Premium", self._premium),
            Step("A private channel, by its invitation: streamed", lambda: self._fetch("invited")),
            Step(f"{operator}, who runs the shop, hears of the sales", self._sales, "operator"),
            Step(f"{operator} opens the console, inside Telegram", self._console, "operator"),
        ]

    async def play(self) -> None:
        """All steps; then it is the visitor's turn. A step that fails ends it, and says so."""
        steps = self._steps()
        try:
            for number, step in enumerate(steps, 1):
                told = {"type": "tour", "step": number, "of": len(steps), "title": step.title}
                self._visitor.tell(told | {"under": "", "phone": step.phone})
                self._visitor.tell(told | {"under": await step.play()})
                await asyncio.sleep(READ_S)
            self._visitor.tell({"type": "tour", "ended": True, "whole": True})
        except (Refused, TimeoutError) as error:
            why = str(error) or "what should come does not come"
            self._visitor.tell({"type": "tour", "ended": True, "failed": why})

    # ---- steps

    async def _hello(self) -> str:
        began = time.monotonic()
        sent = await self._customer.say("/start")
        await self._hear(lambda message: bool(keyboard(message)), sent.id)
        return f"Answered after {_ms(began)}. The shop is {ROUND_TRIP_MS} ms away from this local Telegram."

    async def _fetch(self, name: str) -> str:
        """Send a link, wait for what it brings, and compare the bytes."""
        example = self._links[name]
        before, began = await self._counted(), time.monotonic()
        sent = await self._customer.say(example.text)
        items = example.posted.get("items", [example.posted])
        arrived = [await self._hear(_has_file, sent.id)]
        took = time.monotonic() - began
        while len(arrived) < len(items):
            arrived.append(await self._hear(_has_file, arrived[-1].id))
        return f"{_trips(took)}; {await self._called(before)}; {await self._compared(arrived, items)}"

    async def _films(self) -> str:
        began, total = time.monotonic(), 0
        for name in ("film1", "film2", "film3"):
            sent = await self._customer.say(self._links[name].text)
            arrived = await self._hear(_has_file, sent.id)
            total += int((media(arrived) or {"size": 0})["size"])
            await asyncio.sleep(LOOK_S / 2)
        return f"{total / 1e6:.1f} MB in {_ms(began)}: from Telegram to Telegram, nothing on the shop's disk."

    async def _limit(self) -> str:
        sent = await self._customer.say(self._links["film4"].text)
        await self._hear(lambda message: _key(message, "new:buy:video_1") is not None, sent.id)
        return "The link is held, not lost. What would bring it is offered under it; nothing was counted."

    async def _pay(self) -> str:
        invoice, bill = await self._bill("new:buy:video_1")
        before, began = await self._counted(), time.monotonic()
        await self._confirm(bill)
        film = await self._hear(_has_file, invoice.id)
        told = f"{_ms(began)} from the payment to the film; {await self._called(before)}"
        return f"{told}; {await self._compared([film], [self._links['film4'].posted])}"

    async def _premium(self) -> str:
        sent = await self._customer.say("/premium")
        await self._hear(lambda message: _key(message, "buy:premium") is not None, sent.id)
        invoice, bill = await self._bill("buy:premium")
        began = time.monotonic()
        await self._confirm(bill)
        await self._hear(is_receipt, invoice.id)
        return f"Telegram asks before it charges; the charge is recorded once. The receipt came after {_ms(began)}."

    async def _bill(self, data: str) -> tuple[Message, Bill]:
        """Press the newest key whose data begin so, and look at the invoice that it brings."""
        offer = await self._customer.newest(lambda message: _key(message, data) is not None)
        await asyncio.sleep(LOOK_S)
        after = self._customer.last
        await self._press(self._customer, offer, data)
        invoice = await self._hear(lambda message: bool(message.invoice), after)
        bill = await self._customer.bill(invoice.id)
        self._visitor.tell({"type": "sheet", "phone": "customer", "bill": bill.shown()})
        await asyncio.sleep(LOOK_S * 2)
        return invoice, bill

    async def _confirm(self, bill: Bill) -> None:
        await self._customer.pay(str(bill.form_id))
        self._visitor.tell({"type": "sheet", "phone": "customer", "close": True})

    @staticmethod
    async def _press(phone: Phone, message: Message, data: str) -> None:
        row, column = _key(message, data) or (0, 0)
        await phone.call_back(message.id, keyboard(message)[row][column].callback_data)

    async def _sales(self) -> str:
        notice = await self._operator.newest(lambda message: _key(message, "new:card:") is not None)
        await asyncio.sleep(LOOK_S)
        began, after = time.monotonic(), self._operator.last
        await self._press(self._operator, notice, "new:card:")
        await self._operator.hear(lambda message: bool(keyboard(message)), after)
        return f"A notice is a row, written in the commit that recorded its payment. The card came after {_ms(began)}."

    async def _console(self) -> str:
        sent = await self._operator.say("/console")
        answer = await self._operator.hear(lambda message: _app(message) is not None, sent.id)
        await asyncio.sleep(LOOK_S)
        opened = await self._show.open_app(self._operator, str(_app(answer)))
        self._visitor.tell({"type": "sheet", "phone": "operator", **opened})
        return "A Mini App: its launch data are signed by Telegram, checked by the shop, and good for one log-in."

    # ---- what is measured

    async def _hear(self, wanted: Callable[[Message], bool], after: int) -> Message:
        return await self._customer.hear(wanted, after)

    async def _counted(self) -> dict[tuple[str, str], int]:
        return await asyncio.to_thread(self._calls.counted)

    async def _called(self, before: dict[tuple[str, str], int]) -> str:
        """Who has read the post since, and in how many calls."""
        now = await self._counted()
        sums = dict.fromkeys(("account", "bot"), 0)
        for key, number in now.items():
            sums[key[0]] += number - before.get(key, 0)
        if not sums["account"]:
            return f"a public post, so the bot reads it itself: {sums['bot']} calls"
        return f"the operator's account reads it in {sums['account']} calls, the bot sends it in {sums['bot']}"

    async def _compared(self, arrived: list[Message], posted: list[dict[str, Any]]) -> str:
        """Whether the bytes are those that were posted."""
        digests = [hashlib.sha256(await self._customer.file(each.id)).hexdigest() for each in arrived]
        wanted = [each["sha256"] for each in posted]
        if digests != wanted:
            raise Refused("the bytes differ from those that were posted")
        return f"sha256 {digests[0][:8]}… as posted"


def _ms(began: float) -> str:
    took = time.monotonic() - began
    return f"{took * 1000:.0f} ms" if took < 1 else f"{took:.1f} s"


def _trips(took_s: float) -> str:
    return f"{took_s * 1000:.0f} ms, {took_s * 1000 / ROUND_TRIP_MS:.1f} round trips"


def _has_file(message: Message) -> bool:
    return media(message) is not None


def _key(message: Message, data: str) -> tuple[int, int] | None:
    """Where the key is whose data begin so."""
    for row, keys in enumerate(keyboard(message)):
        for column, each in enumerate(keys):
            if str(each.callback_data or "").startswith(data):
                return row, column
    return None


def _app(message: Message) -> str | None:
    """The Mini App that a message offers."""
    return next((each.web_app.url for row in keyboard(message) for each in row if each.web_app), None)
