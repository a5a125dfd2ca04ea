"""The demo behind its page: an installation, the operator's telephone, a customer for each visitor."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.demo import installation, shelf
from tests.demo.bubbles import Value, kind
from tests.demo.front import PUBLIC, Front
from tests.demo.installation import Installation
from tests.demo.phone import Phone, Refused
from tests.demo.shelf import Example
from tests.demo.switches import Switches
from tests.demo.tour import Tour
from tests.demo.underneath import Underneath
from tests.demo.visitors import Visitor, Visitors
from tests.sandbox_process import REPOSITORY, SandboxFailed

FILES = REPOSITORY / "build" / "demo-shelf"
LONGEST = 4_000
"""Characters of a message, as Telegram has it, nearly."""

ENGLISH = {"language_code": "en"}
LINK = re.compile(re.escape(PUBLIC) + r"(/console/login/\S+)")
"""The way into the console, as the bot writes it."""

Tell = Callable[[str], None]


class Show:
    """Everything that a page can see and do. To be used on the event loop."""

    def __init__(self, place: Path, front: Front, front_url: str) -> None:
        self._place = place
        self._front = front
        self._front_url = front_url
        self._beginning = asyncio.Lock()
        self._started = AsyncExitStack()
        self._drawing: subprocess.Popen[bytes] | None = None
        self._code = 0
        self.visitors = Visitors()
        self.running: Installation
        self.operator: Phone
        self.console = ""
        """A link into the console, good once and for ten minutes."""
        self.examples: list[Example] = []
        self.switches: Switches
        self.underneath: Underneath

    # ---- its life

    async def begin(self, tell: Tell) -> None:
        """Start everything; what has been started, ``end`` stops. Raises NotHealthy, SandboxFailed, TimeoutError."""
        drawing = self._draw()
        tell("  a local Telegram, a local PayPal, and the shop's programs under supervisord …")
        self.running = await asyncio.to_thread(installation.start, self._place, alone=True, BACKEND_URL=PUBLIC)
        self._started.push_async_callback(self._stop_programs)
        tell("  posts to ask for: pictures, films, music …")
        if await asyncio.to_thread(drawing.wait):
            raise installation.NotHealthy("the pictures of the demo could not be drawn")
        self.examples = await asyncio.to_thread(shelf.fill, self.running.sandbox, FILES)
        await self._lead_names()
        tell("  the operator's telephone …")
        await self._meet_operator()
        self.switches = Switches(self.running, self.visitors.tell)
        await self.switches.begin()
        self.underneath = Underneath(self.running, self.visitors, self.switches)
        self.underneath.start()
        self._started.push_async_callback(self.underneath.stop)

    def _draw(self) -> "subprocess.Popen[bytes]":
        """Draw what is posted, beside; Ctrl-C is for us."""
        command = [sys.executable, "-m", "tests.demo.shelf", str(FILES)]
        self._drawing = subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True)
        self._started.callback(self._drawing.terminate)
        return self._drawing

    async def _stop_programs(self) -> None:
        self._code = await asyncio.to_thread(self.running.stop)

    def hurry(self) -> None:
        """Draw nothing more: what is beginning is to end."""
        if self._drawing is not None:
            self._drawing.terminate()

    async def end(self) -> int:
        """Stop all that has been started; the launcher's exit code."""
        await self._started.aclose()
        return self._code

    async def anew(self) -> None:
        """Throw everything away and begin again; every page loads anew."""
        if self._beginning.locked():
            return
        async with self._beginning:
            self.visitors.tell({"type": "anew", "ready": False})
            await self.end()
            try:
                await self.begin(lambda line: None)
            except (installation.NotHealthy, SandboxFailed, TimeoutError) as error:
                self.visitors.tell({"type": "anew", "ready": False, "failed": str(error)[:300]})
                await self.end()
                raise
        self.visitors.tell({"type": "anew", "ready": True})

    async def _lead_names(self) -> None:
        self._front.upstream = self.running.base_url
        names = {PUBLIC: self._front_url}
        await asyncio.to_thread(self.running.sandbox.control, "POST", "/paypal/names", names)

    async def _meet_operator(self) -> None:
        scenario = self.running.sandbox.scenario
        person = scenario["admin"] | {"first_name": "Alba"}
        self.operator = await Phone(scenario, person, "operator", self.visitors.tell).start()
        self._started.push_async_callback(self.operator.stop)
        self._started.push_async_callback(self.visitors.forget)
        await asyncio.to_thread(self.running.sandbox.control, "POST", "/language", {"user": person["id"], **ENGLISH})
        for text in ("/start", "/language en"):  # the first shows what operators have beside the text field
            said = await self.operator.say(text)
            await self.operator.hear(lambda message: bool(message.reply_markup), said.id)
        asked = await self.operator.say("/console")
        answer = await self.operator.hear(lambda message: LINK.search(message.text or "") is not None, asked.id)
        self.console = self._front_url + LINK.findall(answer.text)[0]
        self.operator.hide()

    # ---- what a page sees

    async def seen(self, visitor: Visitor) -> Value:
        """All that a page needs to draw itself."""
        async with self._beginning:
            customer = await self.visitors.customer(visitor, self.running.sandbox)
        return {
            "type": "hello",
            "customer": {"name": customer.name, "messages": customer.bubbles(), "menu": await customer.menu()},
            "operator": {
                "name": self.operator.name,
                "messages": self.operator.bubbles(),
                "menu": await self.operator.menu(),
            },
            "shelf": [*shelf.commands(), *(each.shown() for each in self.examples)],
            "switches": self.switches.shown(),
            "toured": visitor.toured,
            "playing": visitor.tour is not None and not visitor.tour.done(),
            "checked": self.is_paypal_checked,
        }

    @property
    def is_paypal_checked(self) -> bool:
        """Whether the local PayPal holds every call against PayPal's own files."""
        return "checks nothing" not in self.running.sandbox.log()[:20_000]

    @property
    def frames(self) -> str:
        """The origins that the page may show in frames."""
        return f"{self._front_url} {self.running.sandbox.env['PAYPAL_ENDPOINT']}"

    async def file(self, visitor: Visitor, who: str, message_id: int) -> bytes:
        """The bytes of a message's file. Raises Refused."""
        return await (await self._phone(visitor, who)).file(message_id)

    async def _phone(self, visitor: Visitor, who: str) -> Phone:
        if who == "operator":
            return self.operator
        return await self.visitors.customer(visitor, self.running.sandbox)

    # ---- what a page does

    async def act(self, visitor: Visitor, asked: Value) -> Value:
        """Carry out what a page asks for. Raises Refused, KeyError, ValueError or TypeError for nonsense."""
        doing = getattr(self, f"_do_{asked['do']}", None)
        if doing is None:
            raise Refused("The page asked for something unknown.")
        answer: Value = await doing(visitor, asked) or {}
        return answer

    async def _do_say(self, visitor: Visitor, asked: Value) -> None:
        text = str(asked["text"]).strip()
        if not 0 < len(text) <= LONGEST:
            raise Refused("Telegram takes up to 4096 characters.")
        await (await self._phone(visitor, asked["phone"])).say(text)

    async def _do_press(self, visitor: Visitor, asked: Value) -> Value:
        phone = await self._phone(visitor, asked["phone"])
        message_id = int(asked["message"])
        return await self.press(phone, message_id, phone.key(message_id, int(asked["row"]), int(asked["column"])))

    async def press(self, phone: Phone, message_id: int, button: Any) -> Value:
        """Press a key: what opens, or pops up. Raises Refused."""
        match kind(button):
            case "callback":
                return await phone.call_back(message_id, button.callback_data)
            case "app":
                return await self.open_app(phone, button.web_app.url)
            case "url":
                return await self.reach(phone, button.url)
            case "copy":
                return {"copy": button.copy_text.text}
        return {"bill": (await phone.bill(message_id)).shown()}

    async def _do_open(self, visitor: Visitor, asked: Value) -> Value:
        phone = await self._phone(visitor, asked["phone"])
        return await self.reach(phone, str(asked["url"]))

    async def reach(self, phone: Phone, url: str) -> Value:
        """Open an address as a telephone does. Raises Refused."""
        url = url if "://" in url else f"https://{url}"
        if url.startswith(f"{PUBLIC}/"):
            return {"frame": self._front_url + url.removeprefix(PUBLIC), "title": PUBLIC.removeprefix("https://")}
        parts = urlsplit(url)
        if parts.hostname != "t.me":
            return {"answer": f"That would leave the demo: {url}"}
        if slug := re.fullmatch(r"/\$([\w-]+)", parts.path):
            return {"bill": (await phone.bill(None, slug[1])).shown()}
        if parts.path == f"/{phone.bot}":
            start = parse_qs(parts.query).get("start", [""])[0]
            await phone.say(f"/start {start}".strip())
            return {}
        if parts.path == "/share/url":
            return {"answer": "Telegram would ask whom to send it to."}
        return {"fill": url}

    async def open_app(self, phone: Phone, url: str) -> Value:
        """Open a Mini App. Raises Refused."""
        launched = await phone.launch(url)
        return {"frame": self._front_url + launched.removeprefix(PUBLIC), "title": "Peaje", "app": True}

    async def _do_app(self, visitor: Visitor, asked: Value) -> Value:
        phone = await self._phone(visitor, asked["phone"])
        address = (await phone.menu())["app"]
        if not address:
            raise Refused("This bot has no Mini App for you.")
        return await self.open_app(phone, address)

    async def _do_pay(self, visitor: Visitor, asked: Value) -> None:
        await (await self._phone(visitor, asked["phone"])).pay(str(asked["form"]))

    async def _do_tour(self, visitor: Visitor, asked: Value) -> None:
        visitor.toured = True
        visitor.tours_asked += 1
        mine = visitor.tours_asked
        await visitor.end_tour()
        if asked["play"]:
            customer = await self.visitors.customer(visitor, self.running.sandbox)
            if visitor.tours_asked != mine:
                return  # stopped, or asked again, while the customer logged in
            tour = Tour(self, visitor, customer)
            visitor.tour = asyncio.create_task(tour.play(), name="tour")
        else:
            visitor.tell({"type": "tour", "ended": True})

    async def _do_switch(self, visitor: Visitor, asked: Value) -> None:
        await self.switches.turn(str(asked["name"]), bool(asked["on"]))

    async def _do_watch(self, visitor: Visitor, asked: Value) -> None:
        visitor.watches = bool(asked["on"])

    async def _do_anew(self, visitor: Visitor, asked: Value) -> None:
        self._renewing = asyncio.create_task(self.anew(), name="anew")
